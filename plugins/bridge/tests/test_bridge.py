"""Two callers talk: who meets whom, and what each hears of the other."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import trio
import trio.testing
from glottis import CallInfo, CampaignInfo, TextMessage
from glottis.testing.fake_call import FakeCall, fake_call
from glottis_bridge import Bridge, BridgeConfig

Clock = trio.testing.MockClock
RATE = 16000
VOICE = b"\x00\x10" * RATE


def caller(campaign: str = "talk", room: str | None = None, **settings: Any) -> AbstractAsyncContextManager[FakeCall]:
    bridge = Bridge(BridgeConfig(**settings), CampaignInfo(campaign, RATE))
    variables = {} if room is None else {"room": room}
    return fake_call(bridge, info=CallInfo("session", campaign, dynamic_variables=variables))


def states(call: FakeCall) -> list[str]:
    return [data["state"] for name, data in call.sent_events if name == "bridge"]


async def test_each_hears_the_other_and_reads_what_they_write(autojump_clock: Clock) -> None:
    async with caller() as anna, caller() as ben:
        await trio.sleep(0.1)
        await anna.caller_speaks(VOICE)
        ben.caller_writes(TextMessage("hello"))
        await trio.sleep(0.1)
        assert ben.heard_pcm == VOICE
        assert (anna.heard_pcm, anna.sent_messages) == (b"", [("hello", None)])
        assert states(anna) == states(ben) == ["waiting", "joined"]


async def test_call_of_the_one_who_is_left_ends(autojump_clock: Clock) -> None:
    async with caller() as anna, caller() as ben:
        await trio.sleep(0.1)
        anna.caller_hangs_up()
        await ben.ended.wait()
        assert states(ben)[-1] == "over"
        assert ben.hang_up_reason is None


async def test_callers_meet_in_the_room_and_line_that_they_want(autojump_clock: Clock) -> None:
    async with caller(room="a") as first, caller(room="b") as second, caller("other", room="a") as third:
        await trio.sleep(0.1)
        assert [states(one) for one in (first, second, third)] == [["waiting"]] * 3
        async with caller(room="b"), caller("x", "a", line="l"), caller("y", "a", line="l") as fourth:
            await trio.sleep(0.1)
            assert [states(one)[-1] for one in (first, second, third)] == ["waiting", "joined", "waiting"]
            assert states(fourth)[-1] == "joined"


async def test_who_waits_in_vain_is_told(autojump_clock: Clock) -> None:
    async with caller(wait=10) as anna:
        await anna.ended.wait()
        assert states(anna) == ["waiting", "nobody came"]
        assert 10 <= trio.current_time() < 11


async def test_who_has_gone_meets_nobody(autojump_clock: Clock) -> None:
    async with caller() as anna:
        await trio.sleep(0.1)
        anna.caller_hangs_up()
        await anna.ended.wait()
        async with caller() as ben:
            await trio.sleep(0.1)
            assert states(ben) == ["waiting"]
