"""Which stream belongs to which data channel, and how far those that close have got (RFC 8831 §6.7)."""

from collections.abc import Iterator
from enum import Enum, auto

from glottis.contracts.errors import LocalError
from glottis.sctp.data_channel import ChannelState, DataChannel


class Direction(Enum):
    """Of a stream, as we see it."""

    INCOMING = auto()
    OUTGOING = auto()


class ChannelTable:
    """A channel stays in it, and keeps its stream identifier, until both of its streams are reset."""

    def __init__(self, *, dtls_client: bool, stream_count: int) -> None:
        self.stream_count = stream_count
        self._own_parity = 0 if dtls_client else 1
        self._channels: dict[int, DataChannel] = {}
        self._reset: dict[int, set[Direction]] = {}
        self._close_reasons: dict[int, str] = {}
        self._refused: set[int] = set()
        """Streams without a channel that we are resetting."""

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

    def remove(self, channel: DataChannel) -> None:
        """Forget a channel; its identifier is free."""
        channel.state = ChannelState.CLOSED
        del self._channels[channel.id]
        self._reset.pop(channel.id, None)
        self._close_reasons.pop(channel.id, None)

    def free_id(self) -> int:
        """The lowest identifier that we may open a channel on (RFC 8832 §6: the DTLS client's are even)."""
        for stream_id in range(self._own_parity, self.stream_count, 2):
            if self._is_free(stream_id):
                return stream_id
        raise LocalError("no stream is left for another data channel")

    def checked_id(self, stream_id: int) -> int:
        """``stream_id``, if a negotiated channel may have it."""
        if not 0 <= stream_id < self.stream_count or not self._is_free(stream_id):
            raise LocalError("the negotiated stream identifier is taken or beyond the association's streams")
        return stream_id

    def peer_may_open(self, stream_id: int) -> bool:
        """Whether an OPEN of the peer may come on this stream."""
        return self._is_free(stream_id) and stream_id & 1 != self._own_parity

    def refuse(self, stream_id: int) -> bool:
        """Keep a stream without a channel unused until we have reset it; False if that is under way."""
        if stream_id in self._refused:
            return False
        self._refused.add(stream_id)
        return True

    def begin_close(self, channel: DataChannel, reason: str) -> None:
        """The channel is closing; the first reason is the one that will be told."""
        channel.state = ChannelState.CLOSING
        self._close_reasons.setdefault(channel.id, reason)

    def note_reset(self, stream_id: int, direction: Direction) -> str | None:
        """One direction of a stream is reset; the reason of the close if that completes one."""
        if direction is Direction.OUTGOING:
            self._refused.discard(stream_id)
        if stream_id not in self._channels:
            return None
        done = self._reset.setdefault(stream_id, set())
        done.add(direction)
        return self._close_reasons[stream_id] if len(done) == len(Direction) else None

    def _is_free(self, stream_id: int) -> bool:
        return stream_id not in self._channels and stream_id not in self._refused
