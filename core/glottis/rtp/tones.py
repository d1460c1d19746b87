"""Keys that are pressed for the listener, as telephone events in packets of the audio's pace (RFC 4733 §2.5.1)."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from glottis.wire.telephone_event import MAX_DURATION, TelephoneEvent, build_telephone_event

FINAL_PACKETS: Final = 3
"""How often the end is told, RFC 4733 §2.5.1.4: it is what must not be lost."""


class EventFormat(msgspec.Struct, frozen=True):
    """How the peer takes telephone events: under which number, at which clock in hertz."""

    payload_type: int
    clock_rate: int


class Tone(msgspec.Struct, frozen=True):
    """A key that is down for ``duration`` seconds, and the silence of ``gap`` seconds after it."""

    event: int
    duration: float
    gap: float


class Report(NamedTuple):
    """What a packet of a tone tells; its timestamp lies ``offset`` clock units after the tone's beginning."""

    event: TelephoneEvent
    offset: int
    is_first: bool = False


class ToneStep(NamedTuple):
    """A packet time of a tone, and what is told when it begins; in the gap after it that may be nothing."""

    reports: tuple[Report, ...]
    is_open: bool = False
    """Whether the key is still down afterwards."""


class EventPacket(NamedTuple):
    """What is put into an RTP packet."""

    payload_type: int
    timestamp: int
    payload: bytes
    marker: bool


class ToneWriter:
    """Writes tones on the timeline of audio at ``clock_rate`` hertz, in packets of ``packet_seconds``.

    ``format`` is how the peer takes them; None: it takes none, and nothing is written.
    """

    __slots__ = ("_began", "_clock_rate", "_open", "_packet_seconds", "format")

    def __init__(self, clock_rate: int, packet_seconds: float) -> None:
        self.format: EventFormat | None = None
        self._clock_rate = clock_rate
        self._packet_seconds = packet_seconds
        self._began = 0
        """The RTP timestamp of the tone that was written last."""
        self._open: ToneStep | None = None
        """Its last step, while its key is down."""

    def steps(self, tone: Tone) -> Iterator[ToneStep]:
        """The packet times of a tone."""
        return iter(()) if self.format is None else steps_of(tone, self.format.clock_rate, self._packet_seconds)

    def write(self, step: ToneStep, timestamp: int) -> list[EventPacket]:
        """What is told in a packet time, at the audio's ``timestamp``."""
        if any(report.is_first for report in step.reports):
            self._began = timestamp
        self._open = step if step.is_open else None
        events = self.format
        return [self._packet(events, report) for report in step.reports] if events is not None else []

    def cut_short(self) -> ToneStep | None:
        """The end of the tone that is under way, if one is: told at once, as often as need be."""
        if self._open is None:
            return None
        last = self._open.reports[-1]
        return ToneStep((last._replace(event=last.event._replace(is_end=True), is_first=False),) * FINAL_PACKETS)

    def _packet(self, events: EventFormat, report: Report) -> EventPacket:
        """Timestamps are those of the audio, whatever the clock of the durations."""
        timestamp = self._began + report.offset * self._clock_rate // events.clock_rate
        payload = build_telephone_event(report.event)
        return EventPacket(events.payload_type, timestamp & 0xFFFFFFFF, payload, report.is_first)


def steps_of(tone: Tone, clock_rate: int, packet_seconds: float) -> Iterator[ToneStep]:
    """Cut a tone into packet times. Each update tells of the packet time that it begins, as audio packets do.

    The end is told again in the first packet times of the gap; what of it has no place there is told at once.
    """
    down = max(1, round(tone.duration / packet_seconds))
    up = max(1, round(tone.gap / packet_seconds))
    before = 0
    for step in range(1, down):
        elapsed = round(step * packet_seconds * clock_rate)
        yield ToneStep(tuple(_updates(tone.event, before, elapsed)), is_open=True)
        before = elapsed
    *updates, last = _updates(tone.event, before, round(down * packet_seconds * clock_rate))
    end = last._replace(event=last.event._replace(is_end=True))
    repeated = end._replace(is_first=False)
    in_gap = min(up, FINAL_PACKETS - 1)
    yield ToneStep((*updates, end, *(repeated,) * (FINAL_PACKETS - 1 - in_gap)))
    for step in range(up):
        yield ToneStep((repeated,) if step < in_gap else ())


def _updates(event: int, before: int, elapsed: int) -> Iterator[Report]:
    """What is new when ``elapsed`` clock units are over, ``before`` of which were told.

    A segment that is full is told as such, and the next one begins where it ends (RFC 4733 §2.5.1.3).
    """
    segment = max(0, before - 1) // MAX_DURATION * MAX_DURATION
    if elapsed - segment > MAX_DURATION:
        if before - segment < MAX_DURATION:
            yield Report(TelephoneEvent(event, False, MAX_DURATION), segment)
        segment += MAX_DURATION
    yield Report(TelephoneEvent(event, False, elapsed - segment), segment, is_first=before == 0)
