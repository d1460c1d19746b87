"""Which stream belongs to which data channel, and how far those that close have got (RFC 8831 §6.7)."""

from collections.abc import Container, Iterable, Iterator
from enum import Enum, auto
from typing import Final

import msgspec

from glottis.contracts.errors import LocalError
from glottis.sctp.data_channel import ChannelState, DataChannel
from glottis.wire.dcep import ChannelOpen

_MAX_TEXT_SIZE: Final = 1024 * 1024
"""Bytes of the labels and protocols of all channels: of 256 characters for each of a thousand."""


class Direction(Enum):
    """Of a stream, as we see it."""

    INCOMING = auto()
    OUTGOING = auto()


class _Closing(msgspec.Struct):
    """A stream that we are resetting."""

    reason: str = ""
    done: set[Direction] = msgspec.field(default_factory=set)
    """The directions that are reset."""


class ChannelTable:
    """A channel stays in it, and keeps its stream identifier, until both of its streams are reset."""

    def __init__(self, *, dtls_client: bool, stream_count: int) -> None:
        self.stream_count = stream_count
        self.data_channels_opened = 0
        """Since the beginning."""
        self._own_parity = 0 if dtls_client else 1
        self._text_size = 0
        """Bytes of memory that labels and protocols take at most."""
        self._channels: dict[int, DataChannel] = {}
        self._closing: dict[int, _Closing] = {}
        """Also streams without a channel, which are free once our own direction is reset."""
        self._spent: frozenset[int] = frozenset()
        """Streams that the peer did not let us reset: it may hold them for open."""

    def __iter__(self) -> Iterator[DataChannel]:
        return iter(list(self._channels.values()))

    def __len__(self) -> int:
        return len(self._channels)

    def get(self, stream_id: int) -> DataChannel | None:
        """The channel on a stream."""
        return self._channels.get(stream_id)

    def add(self, channel: DataChannel) -> None:
        """Take a channel in."""
        self._channels[channel.id] = channel
        self._text_size += _text_size(channel.settings)

    def open(self, channel: DataChannel) -> None:
        """It can be sent on."""
        channel.state = ChannelState.OPEN
        self.data_channels_opened += 1

    def remove(self, channel: DataChannel) -> None:
        """Forget a channel; its identifier is free."""
        channel.state = ChannelState.CLOSED
        del self._channels[channel.id]
        self._closing.pop(channel.id, None)
        self._text_size -= _text_size(channel.settings)

    def check_room(self, settings: ChannelOpen) -> None:
        """``LocalError`` if the labels and protocols leave no room for those of a channel of the peer."""
        if self._text_size + _text_size(settings) > _MAX_TEXT_SIZE:
            raise LocalError("the labels and protocols of the data channels are too long together")

    def in_use(self) -> list[int]:
        """The streams that have a channel or are closing."""
        return [*self._channels, *self._closing]

    def free_id(self, taken: Container[int]) -> int:
        """The lowest identifier that we may open a channel on (RFC 8832 §6: the DTLS client's are even).

        Those that are ``taken`` are left to a peer that does not keep to that.
        """
        for stream_id in range(self._own_parity, self.stream_count, 2):
            if self.is_free(stream_id) and stream_id not in self._spent and stream_id not in taken:
                return stream_id
        raise LocalError("no stream is left for another data channel")

    def checked_id(self, stream_id: int) -> int:
        """``stream_id``, if a negotiated channel may have it."""
        if not 0 <= stream_id < self.stream_count or not self.is_free(stream_id):
            raise LocalError("the negotiated stream identifier is taken or beyond the association's streams")
        return stream_id

    def is_free(self, stream_id: int) -> bool:
        """Whether a stream has no channel, and none that we have yet to reset."""
        return stream_id not in self._channels and stream_id not in self._closing

    def begin_close(self, channel: DataChannel, reason: str) -> None:
        """The channel is closing; the first reason is the one that will be told."""
        channel.state = ChannelState.CLOSING
        self._closing.setdefault(channel.id, _Closing(reason))

    def refuse(self, stream_id: int) -> bool:
        """Keep a stream without a channel unused until we have reset it; False if that is under way."""
        if stream_id in self._closing:
            return False
        self._closing[stream_id] = _Closing()
        return True

    def is_closing(self, stream_id: int) -> bool:
        """Whether a stream has yet to be reset, by us or by the peer."""
        return stream_id in self._closing

    def is_renewed(self, stream_id: int) -> bool:
        """Whether the peer has reset a stream that is not reset by us yet: what comes is for its next channel."""
        closing = self._closing.get(stream_id)
        return closing is not None and Direction.INCOMING in closing.done

    def close_reason(self, channel: DataChannel) -> str:
        """Why a channel is closing."""
        return self._closing[channel.id].reason

    def note_reset(self, stream_id: int, direction: Direction) -> bool:
        """One direction of a stream is reset; whether a closing stream now needs nothing more."""
        closing = self._closing.get(stream_id)
        if closing is None:
            return False
        closing.done.add(direction)
        if stream_id in self._channels:
            return len(closing.done) == len(Direction)
        return Direction.OUTGOING in closing.done

    def half_closed(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The closing streams that we have yet to reset, and those that only the peer has."""
        ours = tuple(one for one, closing in self._closing.items() if Direction.OUTGOING not in closing.done)
        return ours, tuple(self._closing.keys() - set(ours))

    def free(self, stream_id: int) -> None:
        """Forget that a stream without a channel was refused."""
        del self._closing[stream_id]

    def spend(self, stream_ids: Iterable[int]) -> None:
        """Open nothing of our own on these streams any more."""
        self._spent |= set(stream_ids)


def _text_size(settings: ChannelOpen) -> int:
    return 4 * (len(settings.label) + len(settings.protocol))  # as if each character took as much as any can
