"""The data channels of a call: an SCTP association made as was negotiated, on what DTLS has made private."""

import random

from glottis.peer.settings import PeerSettings
from glottis.sctp import DataChannelEvent, DataChannels
from glottis.sdp import SCTP_PORT, NegotiatedData


class DataTrack:
    """Before they were negotiated there are no ``channels``, and nothing comes and nothing leaves.

    Who was only answered, and perhaps never connects, has no association yet: it is made for who looks, or begins.
    """

    __slots__ = ("_agreed", "_channels", "_dtls_client", "_is_private", "_is_stopped", "_max_message_size", "_rng")

    def __init__(self, settings: PeerSettings, rng: random.Random) -> None:
        self._channels: DataChannels | None = None
        self._agreed: NegotiatedData | None = None
        """What they are to be like."""
        self._dtls_client = False
        self._max_message_size = settings.max_message_size or 0
        self._rng = rng
        self._is_private = False
        self._is_stopped = False

    @property
    def channels(self) -> DataChannels | None:
        """None before they were negotiated."""
        if self._channels is None and self._agreed is not None:
            self._channels = DataChannels(
                dtls_client=self._dtls_client,
                rng=self._rng,
                local_port=SCTP_PORT,
                remote_port=self._agreed.sctp_port,
                max_message_size=self._max_message_size,
                remote_max_message_size=self._agreed.max_message_size or 0,
            )
        return self._channels

    def negotiate(self, data: NegotiatedData | None, *, dtls_client: bool, now: float) -> None:
        """Take the result of a negotiation, the first or a later one, with or without data channels.

        The association stays, but without channels it ends, and nothing else does (RFC 8841 §10.5).
        """
        if data is None:
            self._stop()
            return
        was_stopped, self._is_stopped = self._is_stopped, False
        if self._channels is None:
            self._agreed, self._dtls_client = data, dtls_client
        elif was_stopped:
            self._channels.succession.restart()
        else:
            return
        if self._is_private and (channels := self.channels) is not None:
            channels.connect(now)

    def connect(self, now: float) -> None:
        """DTLS is there, or another one in its place: begin, as soon as channels are negotiated."""
        was_private, self._is_private = self._is_private, True
        if self._is_stopped or (channels := self.channels) is None:
            return
        if was_private:
            channels.succession.begin(now)
        else:
            channels.connect(now)

    def count_on(self, before: "DataTrack") -> None:
        """What the channels of that one have carried counts here, if there are any."""
        channels, others = self.channels, before._channels
        if channels is None or others is None:
            return
        channels.traffic.count_on(others.traffic)
        channels.table.data_channels_opened += others.table.data_channels_opened
        channels.association.malformed_packets += others.association.malformed_packets

    def expect_successor(self) -> None:
        """Another DTLS may come, and take over the channels: see ``sctp.Succession``."""
        if (channels := self.channels) is not None:
            channels.succession.expect()

    def do_without_successor(self) -> None:
        """There is no other, nor will there be."""
        if self._channels is not None:
            self._channels.succession.give_up()

    def _stop(self) -> None:
        self._agreed = None
        if self._channels is not None and not self._is_stopped:
            self._is_stopped = True
            self._channels.succession.give_up()
            self._channels.abort("there are no data channels any more")

    def close(self) -> None:
        """Queue the ABORT; what was not sent is lost."""
        if self._channels is not None:
            self._channels.abort("the call has ended")

    # The engine's verbs

    def handle_datagram(self, data: bytes, now: float) -> None:
        """Take what one DTLS record held; never raises."""
        if self._channels is not None:
            self._channels.handle_datagram(data, now)

    def handle_timeout(self, now: float) -> None:
        """Let due timers fire."""
        if self._channels is not None:
            self._channels.handle_timeout(now)

    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` wants to be called."""
        return self._channels.next_timeout() if self._channels is not None else None

    def datagrams_to_send(self) -> list[bytes]:
        """SCTP packets, each for a DTLS record of its own (RFC 8261 §6.1)."""
        return self._channels.datagrams_to_send() if self._channels is not None else []

    def next_event(self, *, wants_messages: bool) -> DataChannelEvent | None:
        """Until they are wanted, messages wait in the association, whose window holds the peer back."""
        return self._channels.next_event(wants_messages=wants_messages) if self._channels is not None else None
