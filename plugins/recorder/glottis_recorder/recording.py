"""The recording of one call: an observer, which gives what it is told to the disk."""

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from glottis import CallInfo, CodecSpec, EncodedPacket, Message, Statistics, Tell, TextMessage, TypedMessage

from glottis_recorder.disk import Disk
from glottis_recorder.timeline import RATE, Timeline
from glottis_recorder.voices import Placed

logger = logging.getLogger(__name__)

EVENT: Final = "recording"
CALLER: Final = 0
AGENT: Final = 1
INTERVAL: Final = 0.5
"""Seconds of packets that are given to the disk at a time."""
HORIZON: Final = 1.5
"""Seconds after which no packet of a moment can come any more: what is before is written."""


class AudioFile(Protocol):
    """``WavFile`` or ``OggFile``."""

    def add(self, channel: int, packet: Placed) -> None: ...
    def write(self, until: int) -> None: ...
    def close(self, until: int) -> None: ...
    def abandon(self) -> None: ...


class Recording:
    """A ``SessionObserver``. It begins with the first packet for which there is consent.

    ``open_file`` is called in the disk's thread, and makes a file of this ``file_name``; ``clock`` tells seconds, as
    packets are told.
    """

    def __init__(
        self,
        call_info: CallInfo,
        tell: Tell,
        disk: Disk,
        open_file: Callable[[], AudioFile],
        clock: Callable[[], float],
        consent_key: str | None,
        file_name: str = "",
    ) -> None:
        self._session_id = call_info.session_id
        self._tell = tell
        self._disk = disk
        self._writer = Writer(open_file, call_info.session_id)
        self._clock = clock
        self._consent_key = consent_key
        self._file_name = file_name
        self._has_consent = consent_key is None or call_info.metadata.get(consent_key) is True
        self._began_at: float | None = None
        self._told = ""
        self._timelines = (Timeline(), Timeline())
        self._batch: list[tuple[int, Placed]] = []
        self._batch_began_at = 0.0
        self._lost = False
        self.packets_dropped = 0
        """That the disk was too slow for."""

    def packet_received(self, packet: EncodedPacket, codec: CodecSpec) -> None:
        """Of the caller."""
        self._add(CALLER, packet, codec)

    def packet_sent(self, packet: EncodedPacket, codec: CodecSpec) -> None:
        """Of the agent."""
        self._add(AGENT, packet, codec)

    def message_received(self, message: Message) -> None:
        """Consent can be given, and taken back, in the middle of a call."""
        said = None if self._consent_key is None else consent_in(message, self._consent_key)
        if said is not None:
            self._has_consent = said
            if not said and self._began_at is not None:
                self._say("stopped")

    def ended(self, reason: str, statistics: Statistics) -> None:
        """Write the rest."""
        if self._began_at is None:
            return
        self._hand_over()
        until = round((self._clock() - self._began_at) * RATE)
        self._disk.submit(partial(self._writer.close, until), urgent=True)
        if self.packets_dropped:
            logger.warning(
                "session %s: %d packets are not in its recording, the disk was too slow",
                self._session_id, self.packets_dropped,
            )  # fmt: skip

    def _add(self, channel: int, packet: EncodedPacket, codec: CodecSpec) -> None:
        if not self._has_consent or self._writer.has_failed:
            if self._writer.has_failed:
                self._say("failed")
            return
        now = self._clock()
        if self._began_at is None:
            self._began_at = self._batch_began_at = now
        if self._told in ("", "stopped"):
            self._say("started", file=self._file_name)
        position = self._timelines[channel].place(packet, round((now - self._began_at) * RATE))
        self._batch.append((channel, Placed(position, packet.payload, codec, packet.lost_before > 0)))
        if now - self._batch_began_at >= INTERVAL:
            self._batch_began_at = now
            self._hand_over()

    def _hand_over(self) -> None:
        assert self._began_at is not None
        batch, self._batch = self._batch, []
        until = round((self._clock() - self._began_at - HORIZON) * RATE)
        if not self._disk.submit(partial(self._writer.write, batch, until)):
            self.packets_dropped += len(batch)
            self._say("incomplete", packetsDropped=self.packets_dropped)

    def _say(self, state: str, **data: Any) -> None:
        """To the client, which may have to show it."""
        if state != self._told:
            self._told = state
            self._tell(EVENT, {"state": state, **data})


def consent_in(message: Message, key: str) -> bool | None:
    """Whether a message of the type ``metadata`` gives consent, or takes it back; None if it says nothing of it."""
    if not isinstance(message, TextMessage | TypedMessage) or key not in message.text:
        return None
    try:
        data = json.loads(message.text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.get("type") != "metadata" or key not in data:
        return None
    return data[key] is True


class Writer:
    """The same in the disk's thread: whatever the disk does, what is written can be played."""

    has_failed = False
    """Nothing more is written."""

    def __init__(self, open_file: Callable[[], AudioFile], session_id: str) -> None:
        self._open = open_file
        self._file: AudioFile | None = None
        self._session_id = session_id

    def write(self, batch: list[tuple[int, Placed]], until: int) -> None:
        """Add a batch, and write what is old enough."""
        self._safely(partial(self._write, batch, until))

    def close(self, until: int) -> None:
        """Write all."""
        if self._file is not None:
            self._safely(partial(self._file.close, until))
            self._file = None

    def _write(self, batch: list[tuple[int, Placed]], until: int) -> None:
        if self._file is None:
            self._file = self._open()
        for channel, packet in batch:
            self._file.add(channel, packet)
        self._file.write(until)

    def _safely(self, step: Callable[[], None]) -> None:
        if self.has_failed:
            return
        try:
            step()
        except Exception as error:
            self.has_failed = True
            reason = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            logger.error("session %s: its recording ends here: %s", self._session_id, reason)
            if self._file is not None:
                self._file.abandon()
                self._file = None
