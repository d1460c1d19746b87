"""The data channels of a call: an SCTP association made as was negotiated, on what DTLS has made private."""

import random

from glottis.peer.settings import PeerSettings
from glottis.sctp import DataChannelEvent, DataChannels
from glottis.sdp import SCTP_PORT, NegotiatedData


class DataTrack:
    """``channels`` is set once they were negotiated; until then, and without them, nothing comes and nothing leaves."""

    __slots__ = ("_is_private", "_is_stopped", "_max_message_size", "_rng", "channels")

    def __init__(self, settings: PeerSettings, rng: random.Random) -> None:
        self.channels: DataChannels | None = None
        self._max_message_size = settings.max_message_size or 0
        self._rng = rng
        self._is_private = False
        self._is_stopped = False

    def negotiate(self, data: NegotiatedData | None, *, dtls_client: bool, now: float) -> None:
        """Take the result of a negotiation, the first or a later one, with or without data channels.

        The association stays, but without channels it ends, and nothing else does (RFC 8841 §10.5).
        """
        if data is None:
            self._stop()
            return
        was_stopped, self._is_stopped = self._is_stopped, False
        if self.channels is None:
            self.channels = DataChannels(
                dtls_client=dtls_client,
                rng=self._rng,
                local_port=SCTP_PORT,
                remote_port=data.sctp_port,
                max_message_size=self._max_message_size,
                remote_max_message_size=data.max_message_size or 0,
            )
        elif was_stopped:
            self.channels.succession.restart()
        else:
            return
        if self._is_private:
            self.channels.connect(now)

    def connect(self, now: float) -> None:
        """DTLS is there, or another one in its place: begin, as soon as channels are negotiated."""
        was_private, self._is_private = self._is_private, True
        if self.channels is None or self._is_stopped:
            return
        if was_private:
            self.channels.succession.begin(now)
        else:
            self.channels.connect(now)

    def count_on(self, before: "DataTrack") -> None:
        """What the channels of that one have carried counts here, if there are any."""
        if self.channels is None or before.channels is None:
            return
        self.channels.traffic.count_on(before.channels.traffic)
        self.channels.table.data_channels_opened += before.channels.table.data_channels_opened
        self.channels.association.malformed_packets += before.channels.association.malformed_packets

    def expect_successor(self) -> None:
        """Another DTLS may come, and take over the channels: see ``sctp.Succession``."""
        if self.channels is not None:
            self.channels.succession.expect()

    def do_without_successor(self) -> None:
        """There is no other, nor will there be."""
        if self.channels is not None:
            self.channels.succession.give_up()

    def _stop(self) -> None:
        if self.channels is not None and not self._is_stopped:
            self._is_stopped = True
            self.channels.succession.give_up()
            self.channels.abort("there are no data channels any more")

    def close(self) -> None:
        """Queue the ABORT; what was not sent is lost."""
        if self.channels is not None:
            self.channels.abort("the call has ended")

    # The engine's verbs

    def handle_datagram(self, data: bytes, now: float) -> None:
        """Take what one DTLS record held; never raises."""
        if self.channels is not None:
            self.channels.handle_datagram(data, now)

    def handle_timeout(self, now: float) -> None:
        """Let due timers fire."""
        if self.channels is not None:
            self.channels.handle_timeout(now)

    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` wants to be called."""
        return self.channels.next_timeout() if self.channels is not None else None

    def datagrams_to_send(self) -> list[bytes]:
        """SCTP packets, each for a DTLS record of its own (RFC 8261 §6.1)."""
        return self.channels.datagrams_to_send() if self.channels is not None else []

    def next_event(self, *, wants_messages: bool) -> DataChannelEvent | None:
        """Until they are wanted, messages wait in the association, whose window holds the peer back."""
        return self.channels.next_event(wants_messages=wants_messages) if self.channels is not None else None
