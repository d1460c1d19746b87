"""Sound that goes from call to call in the media tick."""

from contextlib import suppress

import pytest
import trio
import trio.testing
from glottis import AudioFrame, Call, EncodedPacket
from glottis.calls.dropped import with_dropped
from glottis.contracts.statistics import Statistics
from glottis.testing.fake_call import FakeCall, fake_call

RATE = 16000
VOICE = bytes(range(256)) * 25
"""0.2 s."""
ONE_FRAME = b"\x05\x00" * 320


def packets(count: int, encoding_name: str = "opus") -> list[EncodedPacket]:
    return [EncodedPacket(b"%d" % number, encoding_name, 48000, number * 960, 960) for number in range(count)]


async def idle(call: Call) -> None:
    await trio.sleep_forever()


def dropped(call: FakeCall) -> tuple[int, int]:
    counters = with_dropped(Statistics(), call.dropped).counters
    return counters.audio_frames_dropped, counters.audio_packets_dropped


async def test_what_is_forwarded_is_heard_as_it_was_said(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as one, fake_call(idle) as other:
        with one.forward(other):
            await one.caller_speaks(VOICE)
            await trio.sleep(0.1)
        assert other.heard_pcm == VOICE
        assert one.heard_pcm == b""


async def test_packets_are_forwarded_untouched(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as one, fake_call(idle) as other:
        with one.forward(other, encoded=True):
            for packet in packets(5):
                one.caller_sends_packet(packet)
            await trio.sleep(0.5)
        assert other.sent_packets == packets(5)


async def test_the_agent_hears_beside_it(autojump_clock: trio.testing.MockClock) -> None:
    heard = bytearray()

    async def listen(call: Call) -> None:
        async for frame in call.audio:
            heard.extend(frame.pcm)

    async with fake_call(listen) as one, fake_call(idle) as other, fake_call(idle) as third:
        with one.forward(other), one.forward(third):
            await one.caller_speaks(VOICE)
            await trio.sleep(0.1)
        assert heard == other.heard_pcm == third.heard_pcm == VOICE


async def test_forwarding_ends_with_its_block(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as one, fake_call(idle) as other:
        with one.forward(other):
            pass
        await one.caller_speaks(VOICE)
        await trio.sleep(0.1)
        assert other.heard_pcm == b""


async def test_who_speaks_to_the_listener_is_heard_alone(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as one, fake_call(idle) as other, trio.open_nursery() as nursery:
        with one.forward(other):
            nursery.start_soon(other.say, AudioFrame(ONE_FRAME * 50, RATE))
            await trio.testing.wait_all_tasks_blocked()
            await one.caller_speaks(VOICE)
            await other.drain()
        assert other.heard_pcm == ONE_FRAME * 50
        assert dropped(one) == (10, 0)


async def test_packets_that_find_no_room_are_dropped_and_counted(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as one, fake_call(idle) as other, fake_call(idle) as listener:
        with one.forward(listener, encoded=True), other.forward(listener, encoded=True):
            for packet in packets(50):
                one.caller_sends_packet(packet)
                other.caller_sends_packet(packet)
            await trio.sleep(1.5)
        lost = dropped(one)[1] + dropped(other)[1]
        assert 30 < lost < 50  # what is more than real time and the queue's 0.2 s
        assert len(listener.sent_packets) == 100 - lost


async def test_packets_of_another_codec_end_the_block(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as one, fake_call(idle, encoding_name="PCMU", clock_rate=8000) as other:
        one.caller_sends_packet(packets(1)[0])
        with pytest.raises(ValueError, match="this call sends PCMU, not opus"), one.forward(other, encoded=True):
            await trio.sleep_forever()


async def test_calls_of_other_rates_are_refused_at_once(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as one, fake_call(idle, sample_rate=8000) as other:
        with pytest.raises(ValueError, match="16000 Hz, that of the other 8000 Hz"):
            one.forward(other)


async def test_what_is_no_call_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as one:
        with pytest.raises(ValueError, match="to: expected Call, got str"):
            one.forward("other")  # type: ignore[arg-type]


async def test_say_nowait_takes_what_fits_and_nothing_else(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as call:
        said = 0
        with suppress(trio.WouldBlock):
            while said < 100:
                call.say_nowait(AudioFrame(ONE_FRAME, RATE))
                said += 1
        assert 10 <= said <= 11  # 0.2 s and a frame
        await call.drain()
        assert call.heard_pcm == ONE_FRAME * said


async def test_say_nowait_refuses_what_say_does(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as call:
        with pytest.raises(ValueError, match="sample rate is 16000 Hz"):
            call.say_nowait(AudioFrame(ONE_FRAME, 8000))
