"""Bytes of any chunking become packets, each at its time."""

from collections.abc import Sequence

import pytest
from glottis import AudioPreference, CallInfo, Malformed
from glottis.calls.websocket import Formats
from glottis.calls.websocket.inlet import MAX_AHEAD, MAX_WAITING, PAYLOAD_TYPE, AudioInlet
from glottis.contracts.audio import FRAME_SECONDS
from glottis.rtp import AudioReceiver, FixedDelay, PlainReader
from hypothesis import given
from hypothesis import strategies as st
from support.installed import installed_plugins
from support.phone import RATE, TONE

BYTES_PER_SECOND = 2 * RATE
INSTALLED = [entry.spec for entry in installed_plugins().codecs]
SILENCE = bytes(len(TONE))


class Line:
    """An inlet and its receiver, with a wheel that ticks them."""

    def __init__(self, codec: str = "PCM", rate: int = RATE, frame_seconds: float = FRAME_SECONDS) -> None:
        wish = AudioPreference(codec, rate)
        declared = Formats(INSTALLED, None).declared_untrusted(CallInfo("s", "c", input=wish, output=wish), RATE).input
        self.receiver = AudioReceiver(
            {PAYLOAD_TYPE: PlainReader(declared.codec)},
            sample_rate=RATE,
            delay=FixedDelay(0.04),
            frame_seconds=frame_seconds,
        )
        self.inlet = AudioInlet(declared, self.receiver, longest_delay=0.04, frame_seconds=frame_seconds)
        self.frame_seconds = frame_seconds
        self.heard = bytearray()
        self.now = 100.0
        self._next_tick = self.now + 0.007

    def run_until(self, moment: float) -> None:
        while self._next_tick <= moment:
            self.inlet.release(self._next_tick)
            frame = self.receiver.next_frame(self._next_tick)
            if frame is not None:
                self.heard += frame.pcm
            self._next_tick += self.frame_seconds
        self.now = max(self.now, moment)

    def say(self, messages: Sequence[tuple[float, bytes]]) -> None:
        """At these times from now."""
        began = self.now
        for after, message in messages:
            self.run_until(began + after)
            self.inlet.take_untrusted(message, self.now)

    @property
    def sound(self) -> bytes:
        """Without the silence around it."""
        return bytes(self.heard.strip(b"\0"))


def at_pace(audio: bytes, size: int) -> list[tuple[float, bytes]]:
    return [(start / BYTES_PER_SECOND, audio[start : start + size]) for start in range(0, len(audio), size)]


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=30))
def test_any_chunking_gives_the_same_samples(sizes: list[int]) -> None:
    audio = (40 * TONE)[: sum(sizes)]
    line, start = Line(), 0
    for size in sizes:
        line.run_until(100.0 + start / BYTES_PER_SECOND)
        line.inlet.take_untrusted(audio[start : start + size], line.now)
        start += size
    line.run_until(line.now + 2)
    whole = len(audio) - len(audio) % len(TONE)
    assert line.heard.startswith(audio[:whole])


def test_messages_of_10_ms_wait_for_no_other_where_frames_are_as_short() -> None:
    for frame_seconds, packets in ((0.01, 50), (0.02, 25)):
        line = Line(frame_seconds=frame_seconds)
        line.say(at_pace(TONE * 25, len(TONE) // 2))
        line.run_until(line.now + 1)
        assert TONE * 25 in line.heard
        source = line.receiver.source
        assert source is not None
        assert source.packets_received == packets


def test_a_pause_of_the_client_is_a_pause_and_nothing_is_lost() -> None:
    line = Line()
    line.say(at_pace(10 * TONE, 640))
    line.run_until(line.now + 0.5)
    line.say(at_pace(10 * TONE, 640))
    line.run_until(line.now + 0.2)
    assert line.heard.startswith(10 * TONE)
    assert 10 * SILENCE + 10 * TONE in line.heard


def test_a_burst_after_a_stall_is_played_and_the_delay_becomes_what_it_was() -> None:
    line = Line()
    line.say(at_pace(50 * TONE, 640))
    line.run_until(line.now + 0.32)
    line.say([(0.0, TONE)] * 15)
    line.say(at_pace(150 * TONE, 640))
    line.run_until(line.now + 0.06)
    assert 4 * TONE in line.heard[-7 * len(TONE) :]


def test_who_speaks_faster_than_time_is_bounded() -> None:
    line = Line()
    line.say([(0.0, TONE)] * 500)
    assert line.inlet.audio_overflows == pytest.approx(500 - MAX_AHEAD / FRAME_SECONDS, abs=3)
    line.inlet.take_untrusted(500 * TONE, line.now)
    assert line.inlet.audio_overflows >= 900 - MAX_WAITING / FRAME_SECONDS
    line.run_until(line.now + 4)
    heard = len(line.heard)
    line.say(at_pace(10 * TONE, 640))
    line.run_until(line.now + 0.1)
    assert 8 * TONE in line.heard[heard:]


@pytest.mark.parametrize("drift", [-0.001, 0.001])
def test_a_clock_that_drifts_is_followed(drift: float) -> None:
    line = Line()
    messages = [(index * FRAME_SECONDS * (1 + drift), TONE) for index in range(2500)]
    line.say(messages)
    statistics = line.receiver.statistics
    assert statistics.packets_discarded + line.inlet.audio_overflows <= 4
    assert statistics.concealed_samples <= 8 * 320
    assert statistics.jitter_buffer_delay / statistics.jitter_buffer_emitted_count < 0.085


def test_each_message_of_opus_is_a_packet() -> None:
    line = Line("OPUS", 48000)
    opus = next(codec for codec in INSTALLED if codec.encoding_name == "opus")
    silence = b"\xf8\xff\xfe"  # 20 ms, as WebRTC sends it
    assert opus.payload_duration_untrusted(silence) == 960
    line.say([(index * FRAME_SECONDS, silence) for index in range(10)])
    assert line.receiver.statistics.packets_unknown == 0
    assert len(line.heard) >= 5 * len(TONE)
    for bad in (b"", b"\xff" * 60, bytes(60_000)):
        with pytest.raises(Malformed):
            line.inlet.take_untrusted(bad, line.now)
    assert line.inlet.audio_messages_refused == 3


@given(st.lists(st.binary(max_size=700), max_size=30), st.sampled_from(["PCM", "OPUS", "PCMU", "G722"]))
def test_any_messages_are_audio_or_malformed(messages: list[bytes], codec: str) -> None:
    """Of ``AudioInlet.take_untrusted``, which raises ``Rejected``, a ``Malformed``, and nothing else."""
    line = Line(codec, {"PCMU": 8000, "OPUS": 48000}.get(codec, RATE))
    for message in messages:
        try:
            line.inlet.take_untrusted(message, line.now)
        except Malformed:
            assert codec == "OPUS"
        line.run_until(line.now + 0.03)


def test_what_is_cleared_is_not_heard() -> None:
    line = Line()
    line.say([(0.0, 50 * TONE)])
    line.inlet.clear()
    line.receiver.clear()
    line.run_until(line.now + 1)
    assert line.sound == b""
    line.say(at_pace(10 * TONE, 640))
    line.run_until(line.now + 0.1)
    assert line.sound.startswith(TONE.strip(b"\0"))


def test_packets_come_at_an_even_pace_whatever_the_messages() -> None:
    line = Line()
    line.say([(0.0, 25 * TONE), (0.5, 25 * TONE), (1.0, 25 * TONE)])
    line.run_until(line.now + 0.6)
    assert line.heard.startswith(75 * TONE)
