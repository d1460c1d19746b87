"""Calls through real kernels' translators and firewalls, with coturn where one is needed."""

import os
import re
from pathlib import Path

import pytest
from support.networks import NETWORKS, Network, call_in

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]
ROWS = [
    pytest.param(network, id=network.name, marks=() if network.is_quick else pytest.mark.networks)
    for network in NETWORKS
]


@pytest.mark.parametrize("network", ROWS)
async def test_a_call_gets_through(network: Network, tmp_path: Path) -> None:
    outcome = await call_in(network, tmp_path)
    assert re.match(network.way, outcome.way), outcome.output
    assert outcome.received > (5 if network.during is None else 250), outcome.output
