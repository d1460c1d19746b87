"""What comes by a WebSocket, on its way into the jitter buffer: bytes of any chunking to packets, each at its time.

TCP tells nothing of time. The first message sets the client's clock, and the audio itself makes it go on; what then
comes late or early is for the delay policy, as with RTP. Audio that was longer away than the policy can make good has
paused: its clock is set anew.
"""

from typing import Final, NamedTuple

from glottis.calls.websocket.formats import AudioFormat
from glottis.contracts.audio import FRAME_SECONDS
from glottis.contracts.errors import Malformed
from glottis.contracts.short_queue import ShortQueue
from glottis.rtp import MAX_PACKET_DURATION, AudioReceiver
from glottis.signaling.errors import Rejected
from glottis.signaling.messages import Mark
from glottis.wire.rtp import build_rtp

PAYLOAD_TYPE: Final = 96
SSRC: Final = 0
"""There is no RTP on the way, but within: so the audio goes the way that it always goes."""
MAX_WAITING: Final = 2.0
"""Seconds of audio that long messages may bring before its time; the newest is dropped."""
MAX_AHEAD: Final = 0.8
"""Seconds that audio may come earlier than its clock says, as after a stall of the network; then it is dropped."""
CLOCK_WINDOW: Final = 1.0
"""Seconds in which no audio was late: then the clock is set to the latest of it, as delay without use is skipped."""
MAX_PACKET_BYTES: Final = 6 * 1275
"""Of a message that is one packet: 120 ms of Opus in frames of 20 ms (RFC 6716 §3.4)."""
MAX_MARKS: Final = 64
"""That wait for their audio to be played; the oldest are forgotten."""
_TOLERANCE: Final = 0.001
"""Seconds: what is due with the tick is not to wait for the next one."""


class _Piece(NamedTuple):
    due: float
    payload: bytes
    units: int
    """Of the codec's clock."""


class AudioInlet:
    """Feeds ``receiver`` with what a client sends in ``audio_format``.

    ``longest_delay`` in seconds is what the receiver's policy can make good; a frame of it, ``frame_seconds``, the
    ticks make good anyway.
    """

    def __init__(
        self,
        audio_format: AudioFormat,
        receiver: AudioReceiver,
        *,
        longest_delay: float,
        frame_seconds: float = FRAME_SECONDS,
    ) -> None:
        self.audio_messages_refused = 0
        """Those that held no audio."""
        self.audio_overflows = 0
        """Packets that were dropped because too much waited."""
        self._codec = audio_format.codec
        self._clock_rate = audio_format.codec.clock_rate
        self._bytes_per_unit = audio_format.bytes_per_unit
        self._piece_bytes = round(self._clock_rate * frame_seconds) * (audio_format.bytes_per_unit or 0)
        self._receiver = receiver
        self._longest_delay = max(longest_delay, frame_seconds)
        self._rest = b""
        """Less than a frame, perhaps with half a sample at its end: it waits for the next message."""
        self._pieces: ShortQueue[_Piece] = ShortQueue()
        self._marks: ShortQueue[tuple[Mark, float]] = ShortQueue()
        self._waiting = 0.0
        self._last_due = 0.0
        self._sequence_number = 0
        self._timestamp = 0
        self._expected: float | None = None
        """When the next packet is to come by the client's clock."""
        self._least_lateness = 0.0
        self._window_ends_at = 0.0

    def take_untrusted(self, data: bytes, now: float) -> bool:
        """Take a message; says whether all of it had room. Raises ``Rejected`` if it holds no audio."""
        overflows = self.audio_overflows
        offset = -self._units_in(self._rest) / self._clock_rate
        for payload in self._cut(data):
            units = self._units_untrusted(payload)
            self._keep(payload, units, max(self._last_due, now + max(0.0, offset)))
            offset += units / self._clock_rate
        self.release(now)
        return self.audio_overflows == overflows

    def begin_again(self) -> None:
        """Another WebSocket is there: what is left of the old one's bytes is not continued."""
        self._rest = b""

    def take_mark(self, mark: Mark, now: float) -> None:
        """What has come so far is played when the delay is over that it has from its time on."""
        self._marks.push((mark, max(self._last_due, now) + self._receiver.delay.target), MAX_MARKS)

    def marks_played(self, now: float) -> list[Mark]:
        """Those before which everything was played by now."""
        played = [mark for mark, due in self._marks if due <= now + _TOLERANCE]
        del self._marks[: len(played)]
        return played

    def clear(self) -> None:
        """Forget what waits: it is not to be heard any more."""
        self._marks.clear()
        self._pieces.clear()
        self._waiting = self._last_due = 0.0
        self._expected = None

    def release(self, now: float) -> None:
        """In each media tick: hand on what is due."""
        while self._pieces and self._pieces[0].due <= now + _TOLERANCE:
            piece = self._pieces.popleft()
            self._waiting -= piece.units / self._clock_rate
            self._hand_on(piece)

    def _cut(self, data: bytes) -> list[bytes]:
        size = self._piece_bytes
        if not size:
            return [data]
        if len(data) == size and not self._rest:
            return [data]
        data = self._rest + data
        whole = len(data) - len(data) % size
        self._rest = data[whole:]
        return [data[start : start + size] for start in range(0, whole, size)]

    def _units_in(self, data: bytes) -> int:
        return len(data) // (self._bytes_per_unit or 1)

    def _units_untrusted(self, payload: bytes) -> int:
        try:
            if not 0 < len(payload) <= MAX_PACKET_BYTES:
                raise Malformed(f"expected a packet of 1–{MAX_PACKET_BYTES} bytes, got {len(payload)}")
            units = self._codec.payload_duration_untrusted(payload)
            if not 0 < units <= MAX_PACKET_DURATION * self._clock_rate:
                raise Malformed("expected a packet of more than 0 and at most 200 ms")
        except Malformed as error:
            self.audio_messages_refused += 1
            raise Rejected("NO_AUDIO", f"the message is no packet of {self._codec.encoding_name}: {error}") from None
        return units

    def _keep(self, payload: bytes, units: int, due: float) -> None:
        seconds = units / self._clock_rate
        if self._waiting + seconds > MAX_WAITING:
            self.audio_overflows += 1
            return
        self._pieces.append(_Piece(due, payload, units))
        self._waiting += seconds
        self._last_due = due

    def _hand_on(self, piece: _Piece) -> None:
        lateness = 0.0 if self._expected is None else piece.due - self._expected
        if self._expected is None or lateness > self._longest_delay:
            self._timestamp = (self._timestamp + round(lateness * self._clock_rate)) & 0xFFFFFFFF
            self._set_clock(piece.due, piece.due)
        elif lateness < -MAX_AHEAD:
            self.audio_overflows += 1
            return
        else:
            self._follow_clock(self._expected, lateness, piece.due)
        packet = build_rtp(PAYLOAD_TYPE, self._sequence_number, self._timestamp, SSRC, piece.payload)
        self._sequence_number = (self._sequence_number + 1) & 0xFFFF
        self._timestamp = (self._timestamp + piece.units) & 0xFFFFFFFF
        self._pass_time(piece.units / self._clock_rate)
        self._receiver.handle_rtp(packet, piece.due)

    def _follow_clock(self, expected: float, lateness: float, now: float) -> None:
        self._least_lateness = max(self._least_lateness, lateness)
        if now >= self._window_ends_at:
            self._set_clock(expected + min(0.0, self._least_lateness), now)

    def _set_clock(self, expected: float, now: float) -> None:
        self._expected = expected
        self._least_lateness = -MAX_AHEAD
        self._window_ends_at = now + CLOCK_WINDOW

    def _pass_time(self, seconds: float) -> None:
        assert self._expected is not None
        self._expected += seconds
