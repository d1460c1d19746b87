"""SIGHUP to one process, which does not reload."""

import os
import signal
from pathlib import Path

import pytest
import trio
from support.patience import PATIENCE
from support.phone import eventually

from .test_gateway import open_serving


@pytest.mark.slow
async def test_sighup_costs_one_process_no_call_and_not_the_rest_of_its_grace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_serving(tmp_path, caplog, "shutdown_grace = 60") as (exchange, ended):
        phone = await exchange.call()
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually(lambda: "SIGHUP is no reload" in caplog.text)
        os.kill(os.getpid(), signal.SIGTERM)
        await eventually(lambda: "SIGTERM: stopping" in caplog.text)
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually(lambda: caplog.text.count("SIGHUP is no reload") == 2)
        await phone.hear(5)
        await phone.hang_up()
        with trio.fail_after(PATIENCE):
            await ended.wait()
