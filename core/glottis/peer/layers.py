"""From layer to layer of a connection: what the transport has received goes up, what is to be sent goes down."""

from collections.abc import Callable

from glottis import dtls, rtp
from glottis.peer.audio import AudioTrack
from glottis.peer.data import DataTrack
from glottis.peer.events import PeerEvent, PlaceGivenUp, Places
from glottis.peer.transport import NoSuccessor, PeerTransport


class Layers:
    """The engines. ``tell`` hears what is for the owner of the connection."""

    __slots__ = ("_data", "_tell", "_transport", "voice")

    def __init__(
        self, transport: PeerTransport, voice: AudioTrack, data: DataTrack, tell: Callable[[PeerEvent], None]
    ) -> None:
        self._transport = transport
        self.voice = voice
        self._data = data
        self._tell = tell

    def advance(self, now: float) -> None:
        """Carry the engines' events upwards, until there are no more."""
        self._transport.advance(now)
        while (event := self._transport.next_event()) is not None:
            match event:
                case dtls.Connected(keys):
                    self.voice.set_keys(keys, now)
                    self._data.connect(now)
                case dtls.ApplicationData(data):
                    self._data.handle_datagram(data, now)
                case NoSuccessor():
                    self._data.do_without_successor()
                case _:
                    self._tell(event)
        self.heed_reports(now)

    def heed_reports(self, now: float) -> None:
        """What the peer says of the media may change how we encode."""
        ice = self._transport.ice
        pair = ice.selected_pair
        for event in self.voice.heed_reports(pair.current_round_trip_time if pair else None, now):
            if isinstance(event, rtp.SourceLeft):
                ice.handle_goodbye(now)
            else:
                self._tell(PlaceGivenUp(Places.SOURCES))

    def hand_down(self) -> None:
        """SRTCP goes as it is, SCTP in DTLS."""
        if self._transport.selected_path is not None:
            self._transport.send_protected(self.voice.session.datagrams_to_send())
            if self._transport.is_secure:
                self._transport.send_data(self._data.datagrams_to_send())
