"""A caller that says recorded speech over a bad network, and notes each packet that comes back.

It is a fixed one, as like a browser as matters here: Opus of 48 kHz at 32 kbit/s with in-band FEC, for as much loss as
the other end reports. Its packets leave at the moment at which their last sample is spoken.
"""

import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

import trio
from glottis.contracts.audio import FRAME_SECONDS
from glottis.contracts.codec import CodecSpec, EncoderKnobs
from glottis.dtls import Certificate
from glottis.lab.call import without_nack
from glottis.lab.samples import RATE, resampled
from glottis.lab.speech import Speech
from glottis.media.driver import PeerDriver
from glottis.media.endpoint import UdpEndpoint
from glottis.media.scheduler import Scheduled, Scheduler
from glottis.peer import ConnectionState, PeerConnection, PeerConnectionEvent, PeerSettings
from glottis.rtp import AudioReceiver
from glottis.rtp.sequence import SequenceTracker, extend_timestamp
from glottis.wire.address import Path
from glottis.wire.red import parse_red_untrusted
from glottis.wire.rtp import RtpPacket, parse_rtp_untrusted

from benchmarks.voice.line import EndpointOnLine, Line
from benchmarks.voice.receiver import Packet

Exchange = Callable[[str], Awaitable[str]]
"""Sends an offer, and returns the answer to it."""

OPUS_FACTOR: Final = 3
"""Opus is given 48 kHz, other codecs ``RATE``."""
KNOBS: Final = EncoderKnobs(bitrate=32_000, complexity=9)
CONNECT_TIMEOUT: Final = 30.0
TAIL: Final = 1.5
"""Seconds after the last word, for the echo to come."""


@dataclass(slots=True)
class Recording:
    """What came back, and ``began_at``, the moment in which the first sample was spoken."""

    began_at: float = 0.0
    seconds: float = 0.0
    media_bytes: int = 0
    """Of RTP datagrams that the other end has sent."""
    packets: list[Packet] = field(default_factory=list)


class Ear:
    """An ``AudioReceiver`` that is told of each packet, notes it, and passes it on."""

    def __init__(
        self, receiver: AudioReceiver, packets: list[Packet], codec: CodecSpec, red_payload_type: int | None
    ) -> None:
        self._red_payload_type = red_payload_type
        self._receiver = receiver
        self._codec = codec
        self._packets = packets
        self._sequences: SequenceTracker | None = None
        self._timestamp = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._receiver, name)

    def handle_rtp(self, packet: bytes, now: float) -> None:
        """See ``AudioReceiver.handle_rtp``."""
        rtp = parse_rtp_untrusted(packet)
        if self._sequences is None:
            self._sequences, self._timestamp = SequenceTracker(rtp.sequence_number), rtp.timestamp
        sequence = self._sequences.extend(rtp.sequence_number)
        if sequence is not None and rtp.payload:
            self._timestamp = extend_timestamp(rtp.timestamp, self._timestamp)
            self._note(rtp, sequence)
        self._receiver.handle_rtp(packet, now)

    def _note(self, rtp: RtpPacket, sequence: int) -> None:
        """The frame of a packet, and those of packets before it that it has as well."""
        frames = [(0, rtp.payload)]
        if rtp.payload_type == self._red_payload_type:
            frames = [(block.timestamp_offset, block.payload) for block in reversed(parse_red_untrusted(rtp.payload))]
        duration = self._codec.payload_duration_untrusted(frames[0][1])
        for offset, payload in frames:  # of packets as long as this one
            sent_before = sequence - offset // duration
            self._packets.append(Packet(trio.current_time(), sent_before, self._timestamp - offset, payload))


class CallersWheel:
    """The caller's timeouts on a wheel, by the caller's own clock; of its media it takes care itself."""

    def __init__(self, scheduler: Scheduler, clock_rate: float) -> None:
        self._scheduler = scheduler
        self._clock_rate = clock_rate

    def start_media(self, session: Scheduled, send_period: float, media_period: float) -> None: ...
    def hear_from(self, session: Scheduled, moment: float) -> None: ...
    def send_soon(self, session: Scheduled) -> None: ...

    def call_at(self, session: Scheduled, deadline: float | None) -> None:
        self._scheduler.call_at(session, None if deadline is None else deadline / self._clock_rate)

    def remove(self, session: Scheduled) -> None:
        self._scheduler.remove(session)


class CallersDriver(PeerDriver):
    """Gets its datagrams by the line, and the time from the caller's own clock."""

    def __init__(self, peer: PeerConnection, line: Line, clock: Callable[[], float], **parts: Any) -> None:
        super().__init__(peer, clock=clock, **parts)
        self._line = line
        self._own_clock = clock

    def receive(self, data: bytes, path: Path) -> None:
        """See ``demultiplexer.Receiver``."""
        deliver = super().receive
        self._line.carry_down(data, lambda: deliver(data, path))

    def handle_timeout(self, now: float) -> None:
        """See ``scheduler.Scheduled``."""
        super().handle_timeout(self._own_clock())


class Caller:
    """One call. ``run`` it, then ``connect``, then ``speak``."""

    def __init__(
        self,
        endpoint: UdpEndpoint,
        scheduler: Scheduler,
        line: Line,
        codec: CodecSpec,
        speech: Speech,
        *,
        rng: random.Random,
        clock_rate: float = 1.0,
        frame_seconds: float = FRAME_SECONDS,
        adapts_bitrate: bool = False,
        red: bool = True,
    ) -> None:
        """Browsers have one bitrate for any loss; who ``adapts_bitrate`` does as gateways do.

        ``red`` is offered. Of Opus it is not sent, as Chromium does not where it does not stand first in the answer.
        """
        self._sends_red = adapts_bitrate or codec.encoding_name != "opus"
        self._red_payload_type: int | None = None
        self._frame_seconds = frame_seconds
        self._endpoint = endpoint
        self._line = line
        self._clock_rate = clock_rate
        self._rng = rng
        factor = OPUS_FACTOR if codec.encoding_name == "opus" else 1
        self._seconds = speech.seconds
        self._codec = codec
        self._frames = _frames(speech, factor, frame_seconds)  # now, for it takes long, and a call goes by its time
        codec = codec if adapts_bitrate else replace(codec, default_bitrates={})
        settings = PeerSettings(
            (codec,),
            sample_rate=RATE * factor,
            encoder=KNOBS,
            max_message_size=None,
            red=("on" if codec.static_payload_type is not None else "auto") if red else "off",
        )
        self._peer = PeerConnection(
            settings, certificate=Certificate.generate(), local_addresses=endpoint.addresses, rng=rng
        )
        self._connected = trio.Event()
        self._driver = CallersDriver(
            self._peer,
            line,
            self._clock,
            endpoint=EndpointOnLine(endpoint, line),
            scheduler=CallersWheel(scheduler, clock_rate),
            handle_event=self._handle_event,
            handle_error=_raise,
        )

    async def run(self) -> None:
        """Read until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._line.run)
            with self._endpoint:
                await self._endpoint.run()

    async def connect(self, exchange: Exchange) -> None:
        """Until media can flow."""
        offer = self._peer.make_offer()
        red = re.search(r"^a=rtpmap:(\d+) red/", offer, re.MULTILINE)
        self._red_payload_type = int(red[1]) if red else None
        self._driver.pump()
        answer = await exchange(without_nack(offer))
        if not self._sends_red:  # the engine of this side does not know what it may send; the ear reads it all the same
            answer = answer.replace(" red/", " unknown/")
        self._peer.accept_answer_untrusted(answer, self._clock())
        self._driver.pump()
        with trio.fail_after(CONNECT_TIMEOUT):
            await self._connected.wait()

    async def speak(self, start: float | None = None) -> Recording:
        """Say all of it, and hear what comes until ``TAIL`` seconds later. Its first packet leaves at ``start``."""
        recording = Recording(seconds=self._seconds + TAIL)
        if start is None:  # in any phase to the gateway's ticks
            start = trio.current_time() + self._rng.uniform(0.0, FRAME_SECONDS)
        period = self._frame_seconds / self._clock_rate
        recording.began_at = start - period
        await trio.sleep_until(start)
        self._listen(recording.packets)
        self._line.begin()
        for number in range(round(recording.seconds / self._frame_seconds)):
            await trio.sleep_until(start + number * period)
            if number < len(self._frames):
                self._peer.voice.write(self._frames[number])
            self._driver.media_tick(self._clock())
        recording.media_bytes = self._line.media_bytes_down
        return recording

    def hang_up(self) -> None:
        """Close the connection in good order."""
        self._driver.close()

    def _listen(self, packets: list[Packet]) -> None:
        session = self._peer.voice.session
        assert session.receiver is not None
        session.receiver = cast(AudioReceiver, Ear(session.receiver, packets, self._codec, self._red_payload_type))

    def _clock(self) -> float:
        return trio.current_time() * self._clock_rate

    def _handle_event(self, event: PeerConnectionEvent) -> None:
        if self._peer.state is ConnectionState.CONNECTED:
            self._connected.set()


def _frames(speech: Speech, factor: int, frame_seconds: float) -> list[bytes]:
    samples = resampled(speech.samples, factor) if factor > 1 else speech.samples
    size = round(RATE * factor * frame_seconds)
    return [samples[start : start + size].tobytes() for start in range(0, len(samples) - size + 1, size)]


def _raise(error: BaseException) -> None:
    raise error
