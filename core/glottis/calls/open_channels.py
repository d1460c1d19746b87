"""The data channels that an agent may send by, found by their label however many they are."""

from collections.abc import Iterable

from glottis.sctp import ChannelState, DataChannel


class OpenChannels:
    """Each open channel, oldest first. One that closes is not open any more before anybody is told of it."""

    def __init__(self) -> None:
        self._all: dict[DataChannel, None] = {}
        self._labelled: dict[str, dict[DataChannel, None]] = {}

    def add(self, channel: DataChannel) -> None:
        """It has opened."""
        self._all[channel] = None
        self._labelled.setdefault(channel.label, {})[channel] = None

    def discard(self, channel: DataChannel) -> None:
        """It is closed, or about to be."""
        self._all.pop(channel, None)
        namesakes = self._labelled.get(channel.label, {})
        namesakes.pop(channel, None)
        if not namesakes:
            self._labelled.pop(channel.label, None)

    def find(self, label: str | None) -> DataChannel | None:
        """The oldest of this label, else the oldest of all, if any is open."""
        named = None if label is None else self._oldest(self._labelled.get(label, {}))
        return named or self._oldest(self._all)

    def _oldest(self, channels: Iterable[DataChannel]) -> DataChannel | None:
        while (channel := next(iter(channels), None)) is not None and channel.state is not ChannelState.OPEN:
            self.discard(channel)
        return channel
