"""Keys of a call: what the caller presses, and what the agent lets be pressed."""

import pytest
import trio
import trio.testing
from glottis import AudioFrame, Call, LocalError
from glottis.calls.call import GatewayCall
from glottis.calls.dropped import with_dropped
from glottis.calls.dtmf import MAX_KEYS
from glottis.calls.messenger import Messenger
from glottis.contracts.info import CallInfo
from glottis.contracts.statistics import Statistics
from glottis.testing.fake_call import fake_call
from glottis.testing.paced_voice import PacedVoice

RATE = 16000


async def wait(call: Call) -> None:
    await trio.sleep_forever()


async def test_agent_is_told_of_a_key_when_it_goes_down_and_can_wait_until_it_is_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    told: list[tuple[str, float]] = []

    async def agent(call: Call) -> None:
        async for press in call.dtmf:
            assert press.duration is None
            told.append((press.digit, trio.current_time()))
            seconds = await press.released()
            assert press.duration == seconds
            told.append((f"{press.digit} up after {seconds:g}", trio.current_time()))

    async with fake_call(agent) as call:
        start = trio.current_time()
        await call.caller_presses("1a", duration=2.0)
    assert [what for what, _ in told] == ["1", "1 up after 2", "A", "A up after 2"]
    assert [when - start for _, when in told] == pytest.approx([0, 2, 2.06, 4.06], abs=0.021)


async def test_who_presses_ahead_is_understood(autojump_clock: trio.testing.MockClock) -> None:
    digits = ""

    async def agent(call: Call) -> None:
        nonlocal digits
        await trio.sleep(5)
        async for press in call.dtmf:
            digits += press.digit

    async with fake_call(agent) as call:
        await call.caller_presses("0123456789*#ABCD")
        await trio.sleep(5)
    assert digits == "0123456789*#ABCD"


async def test_keys_that_nobody_reads_are_bounded_and_counted(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(wait) as call:
        await call.caller_presses("5" * MAX_KEYS, duration=0.04, gap=0.03)
        await call.caller_presses("67", duration=0.04, gap=0.03)
        assert len(call.dtmf) == MAX_KEYS
        assert with_dropped(Statistics(), call.dropped).counters.dtmf_dropped == 2


async def test_digits_are_sent_between_what_is_said_in_order(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call) -> None:
        await call.say(AudioFrame(b"\1\0" * RATE, RATE))
        await call.send_dtmf("12#")
        await call.say(AudioFrame(b"\2\0" * RATE, RATE))

    async with fake_call(agent, sample_rate=RATE) as call:
        await trio.sleep(0.9)
        assert call.sent_digits == ""
        await trio.sleep(0.4)
        assert (call.sent_digits, b"\2" in call.heard_pcm) == ("12", False)
        await trio.sleep(0.16)
        assert call.sent_digits == "12#"
        await call.ended.wait()
        assert trio.current_time() == pytest.approx(2.48, abs=0.05)
        assert call.heard_pcm == b"\1\0" * RATE + b"\2\0" * RATE


async def test_digits_of_one_call_stay_together_whichever_tasks_speak(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.send_dtmf, "11111111")
            await trio.sleep(0.01)
            nursery.start_soon(call.send_dtmf, "22")

    async with fake_call(agent) as call:
        await call.ended.wait()
        assert call.sent_digits == "1111111122"


async def test_flush_drops_digits_that_were_not_sent_and_returns_from_send_dtmf(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with fake_call(wait) as call:
        call.nursery.start_soon(call.send_dtmf, "123456")
        await trio.sleep(0.3)
        heard = call.flush()
        assert heard.dropped == pytest.approx(6 * 0.16 - 0.3, abs=0.04)
        await call.send_dtmf("9")
        await trio.sleep(1)
        assert call.sent_digits == "129"


@pytest.mark.parametrize(
    ("digits", "duration", "gap", "rule"),
    [
        ("12x", 0.1, 0.06, "0123456789"),
        ("1" * 65, 0.1, 0.06, "at most 64"),
        (12, 0.1, 0.06, "digits: expected str"),
        ("1", 0.03, 0.06, "duration: expected 0.04–6 seconds"),
        ("1", 6.1, 0.06, "duration"),
        ("1", float("nan"), 0.06, "duration"),
        ("1", "long", 0.06, "duration"),
        ("1", 0.1, 0.0, "gap: expected 0.03–6 seconds"),
    ],
)
async def test_what_cannot_be_sent_is_refused_by_its_rule(
    digits: str, duration: float, gap: float, rule: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with fake_call(wait) as call:
        with pytest.raises(ValueError, match=rule):
            await call.send_dtmf(digits, duration=duration, gap=gap)
        await call.send_dtmf("")
        assert not call.is_speaking


async def test_a_peer_without_telephone_events_is_sent_none() -> None:
    voice = PacedVoice(RATE, "opus", 48000)
    voice.takes_tones = False
    messenger = Messenger(send_signaling=lambda _: None, deliver=lambda _: None, pump=lambda: None)
    info = CallInfo("session", "campaign")
    call = GatewayCall(info, sample_rate=RATE, voice=voice, messenger=messenger, hang_up=lambda _: None)
    with pytest.raises(LocalError, match="telephone-event"):
        await call.send_dtmf("1")
    assert voice.queued == 0
