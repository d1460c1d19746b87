"""What comes in of one call: an observer, which gives what it is told to the disk."""

import logging
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

import msgspec
from glottis import (
    BytesMessage,
    CallEvent,
    CallInfo,
    CodecSpec,
    EncodedPacket,
    Incoming,
    Message,
    OtherEvent,
    Statistics,
    Tell,
)
from glottis.wire.call_file import MAX_CONTENT, Entry, Kind, encode_entry, event_content, message_content

from glottis_recorder.capture.settings import CaptureConfig
from glottis_recorder.disk import Disk
from glottis_recorder.recording import EVENT, consent_in

logger = logging.getLogger(__name__)

TOLD: Final = "capture"
"""The event by which the client knows."""
INTERVAL: Final = 0.5
"""Seconds of entries that are given to the disk at a time."""
PERIOD: Final = 0.02
"""Seconds: a file's zero is a multiple of them, so that media ticks have the phase that they had."""
KEPT_OBJECTS: Final = ("inbound-rtp", "inbound-codec")
"""Of the statistics; others hold addresses and fingerprints."""
_KINDS: Final[dict[Incoming, Kind]] = {
    "negotiated": Kind.NEGOTIATED,
    "keys": Kind.KEYS,
    "rtp": Kind.RTP,
    "rtcp": Kind.RTCP,
    "tick": Kind.TICK,
}
_SETUP: Final = (Kind.ABOUT, Kind.NEGOTIATED, Kind.KEYS)
"""Without which nothing else can be run again. They tell nothing that the caller has said."""
MAX_SETUP: Final = 16
"""Entries of these that wait for consent, the last ones, beside what the file begins with."""


class CallWriter(Protocol):
    """Writes in the disk's thread: see ``writer``."""

    has_failed: bool

    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class Capture:
    """A ``SessionObserver``. What it keeps begins with the first entry for which there is consent."""

    def __init__(
        self,
        call_info: CallInfo,
        tell: Tell,
        disk: Disk,
        writer: CallWriter,
        clock: Callable[[], float],
        settings: CaptureConfig,
        version: str = "",
    ) -> None:
        self._session_id = call_info.session_id
        self._tell, self._disk, self._writer, self._clock = tell, disk, writer, clock
        self._settings = settings
        key = settings.consent_key
        self._has_consent = settings.consent == "given" or call_info.metadata.get(key) is True
        self._zero = math.floor(clock() / PERIOD) * PERIOD
        self._batch = bytearray()
        self._batch_count = 0
        self._batch_began_at = 0.0
        self._size = 0
        self._told = ""
        self._has_all = True
        """Whether nothing is missing, so that the statistics are those of what is in the file."""
        self._began = self._is_over = False
        self._untold_drops = 0
        self.entries_dropped = 0
        """That the disk was too slow for."""
        about = msgspec.json.encode({"campaign": call_info.campaign_id, "version": version})
        self._setup = [Entry(Kind.ABOUT, 0.0, about)]

    def incoming(self, kind: Incoming, data: bytes, now: float) -> None:
        """Packets, agreements and ticks."""
        self._add(_KINDS[kind], data, now)

    def packet_sent(self, packet: EncodedPacket, codec: CodecSpec) -> None:
        """When the agent speaks; not what it says."""
        self._add(Kind.SAID, str(round(1000 * packet.duration / packet.clock_rate)).encode(), self._clock())

    def message_received(self, message: Message) -> None:
        """Consent can be given, and taken back, in the middle of a call."""
        said = None if self._settings.consent == "given" else consent_in(message, self._settings.consent_key)
        if said is not None:
            self._has_consent = said
            if not said and self._began:
                self._has_all = False
                self._say("stopped")
        if not self._settings.messages:
            return
        if isinstance(message, BytesMessage):
            self._add(Kind.BYTES, message.channel.encode() + b"\0" + message.data, self._clock())
        else:
            content = msgspec.json.encode({"text": message.text, "channel": message.channel})
            self._add(Kind.TEXT, content, self._clock())

    def message_sent(self, message: Message) -> None:
        """Of the agent."""
        if self._settings.messages:
            self._add(Kind.WROTE, message_content(message), self._clock())

    def event(self, event: CallEvent) -> None:
        """Those of the agent, and of other extensions."""
        if self._settings.messages and isinstance(event, OtherEvent) and event.name not in (TOLD, EVENT):
            self._add(Kind.EVENT, event_content(event), self._clock())

    def ended(self, reason: str, statistics: Statistics) -> None:
        """Write the rest."""
        if not self._began:
            return
        if not self._is_over:
            told = statistics.to_json() if self._has_all else {}
            kept = {name: told[name] for name in told if name in KEPT_OBJECTS}
            self._close(reason, kept)
        if self.entries_dropped:
            logger.warning(
                "session %s: %d entries are not in its capture, the disk was too slow",
                self._session_id, self.entries_dropped,
            )  # fmt: skip

    def _add(self, kind: Kind, content: bytes, now: float) -> None:
        entry = Entry(kind, now - self._zero, content)
        if not self._may_keep(len(content)):
            self._has_all = False
            if kind in _SETUP:
                self._setup.append(entry)
                del self._setup[1:-MAX_SETUP]
            return
        if not self._began:
            self._began, self._batch_began_at = True, now
        if self._told in ("", "stopped"):
            self._say("started")
        for one in (*self._setup, entry):
            self._append(one)
        self._setup.clear()
        if now - self._batch_began_at >= INTERVAL:
            self._batch_began_at = now
            self._hand_over()
            self._look_at_limits(now)

    def _may_keep(self, length: int) -> bool:
        if self._writer.has_failed:
            self._say("failed")
            return False
        return self._has_consent and not self._is_over and length <= MAX_CONTENT

    def _look_at_limits(self, now: float) -> None:
        minutes = (now - self._zero) / 60
        if minutes >= self._settings.max_minutes or self._size >= self._settings.max_megabytes * 1e6:
            self._close("the file is as long as it may be", {})
            self._say("complete")

    def _append(self, entry: Entry) -> None:
        self._batch += encode_entry(entry)
        self._batch_count += 1

    def _hand_over(self) -> None:
        if self._untold_drops:
            gap = encode_entry(Entry(Kind.DROPPED, self._clock() - self._zero, str(self._untold_drops).encode()))
            self._batch[:0] = gap
        batch, count = bytes(self._batch), self._batch_count
        self._batch.clear()
        self._batch_count = 0
        if self._disk.submit(partial(self._writer.write, batch)):
            self._size += len(batch)
            self._untold_drops = 0
        else:
            self._has_all = False
            self._untold_drops += count
            self.entries_dropped += count
            self._say("incomplete", entriesDropped=self.entries_dropped)

    def _close(self, reason: str, statistics: dict[str, Any]) -> None:
        self._is_over = True
        ended = msgspec.json.encode({"reason": reason, "statistics": statistics})
        self._append(Entry(Kind.ENDED, self._clock() - self._zero, ended))
        batch = bytes(self._batch)
        self._batch.clear()
        self._disk.submit(partial(self._writer.write, batch), urgent=True)
        self._disk.submit(self._writer.close, urgent=True)

    def _say(self, state: str, **data: Any) -> None:
        """To the client, which may have to show it."""
        if state != self._told:
            self._told = state
            self._tell(TOLD, {"state": state, **data})
