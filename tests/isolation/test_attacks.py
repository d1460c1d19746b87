"""Whatever one caller or stranger sends, twenty calls miss no packet, and the next caller is served as ever.

Time is virtual: what an attack costs is counted in the tests of the rooms, and measured on the wall's clock by the
benchmark ``make soak``.
"""

import logging
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis import Call
from glottis.rtp import MAX_SSRCS
from glottis.wire.address import Address
from support.attacks import ATTACKS, Attack, check, speech
from support.crowd import open_crowd
from support.gateway import CONFIG
from support.memory import MemoryEndpoint
from support.plugins import TestPlugin

Clock = trio.testing.MockClock
Log = pytest.LogCaptureFixture

MAX_LINES = 100
"""Of the log, for one attack."""


async def deaf(call: Call) -> None:
    """An agent that reads nothing."""
    await trio.sleep_forever()


CROWDED = f"""{CONFIG}
[campaigns.talk]
agent = "echo"
sample_rate = 8000

[campaigns.deaf]
agent = "deaf"

[media]
jitter_buffer = "fixed"
"""


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_no_other_call_loses_a_packet(attack: Attack, tmp_path: Path, caplog: Log, autojump_clock: Clock) -> None:
    caplog.set_level("INFO")
    async with open_crowd(tmp_path, CROWDED, [TestPlugin(deaf=deaf)]) as crowd:
        caplog.clear()
        with trio.fail_after(20):
            await attack(crowd.exchange)
        newcomer = await crowd.exchange.call("talk")
        await newcomer.hear(3)
        lines = [record.getMessage() for record in caplog.records]
        errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        crowd.end_others()
        complaints = await crowd.complaints()
    assert not complaints, "\n".join(complaints)
    assert not errors, "\n".join(errors)
    assert len(lines) <= MAX_LINES, lines


@pytest.mark.slow
async def test_a_caller_is_heard_after_forty_changes_of_address(tmp_path: Path, autojump_clock: Clock) -> None:
    async with open_crowd(tmp_path, CROWDED, [TestPlugin(deaf=deaf)], calls=2) as crowd:
        phone = await crowd.exchange.call("talk")
        endpoint = phone.endpoint
        assert isinstance(endpoint, MemoryEndpoint)
        for number in range(40):
            endpoint.move_to(Address("203.0.113.9", 20000 + number))
            phone.send_raw(check(phone, number, nominate=True))
            await trio.sleep(0.1)
            before = phone.heard
            await trio.sleep(0.06)
            assert phone.heard > before, f"heard nothing after {number} changes of its address"
        await phone.hang_up()
        complaints = await crowd.complaints()
    assert not complaints, "\n".join(complaints)


@pytest.mark.slow
async def test_a_caller_is_heard_after_forty_changes_of_ssrc(tmp_path: Path, autojump_clock: Clock) -> None:
    """More than have a place at a time. A new one is heard after 0.1 s of silence of the one before."""
    async with open_crowd(tmp_path, CROWDED, [TestPlugin(deaf=deaf)], calls=2) as crowd:
        phone = await crowd.exchange.call("talk")
        await phone.hear()
        phone.speaking = False
        for number in range(MAX_SSRCS + 8):
            await trio.sleep(0.2)  # until nothing comes back of what was said before
            before = phone.heard
            for sequence in range(6):
                phone.send_raw(speech(phone, number, sequence))
                await trio.sleep(0.02)
            await trio.sleep(0.1)  # for two jitter buffers and the way between them
            assert phone.heard > before, f"not heard since its SSRC was changed for time number {number + 1}"
        await phone.hang_up()
        complaints = await crowd.complaints()
    assert not complaints, "\n".join(complaints)
