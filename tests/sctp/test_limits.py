"""Limits that no association could keep are refused by name."""

import pytest
from glottis import LocalError
from glottis.sctp.limits import SctpLimits


@pytest.mark.parametrize("changes", [{"max_packet_size": 10}, {"max_streams": 0}, {"receive_buffer": 100}])
def test_a_limit_out_of_range_is_named(changes: dict[str, int]) -> None:
    (name,) = changes
    with pytest.raises(LocalError, match=name):
        SctpLimits(**changes)
