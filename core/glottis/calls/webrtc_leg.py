"""The leg of WebRTC: a peer connection on the UDP socket and the wheel, negotiated by signaling."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from glottis.calls.leg import LegOwner
from glottis.calls.messenger import Messenger
from glottis.calls.peer_change import PeerChange
from glottis.contracts.errors import RemoteError
from glottis.contracts.events import MediaNegotiated
from glottis.contracts.log_fields import log_fields, logged
from glottis.contracts.notes import Note
from glottis.contracts.statistics import Statistics
from glottis.ice import MAX_PAIRS, ReflexiveAddress
from glottis.media.driver import Endpoint, PeerDriver, Wheel
from glottis.media.gathering import GatheredAddress, Gathering
from glottis.media.local_names import LocalNames
from glottis.media.relays import RelayedAddress
from glottis.peer import (
    AnotherPeer,
    CandidateUnmatched,
    ConnectionState,
    ConnectionStateChanged,
    Connectivity,
    DatagramsRefused,
    LinesSkipped,
    LocalCandidate,
    LocalCandidatesEnded,
    NameSignalled,
    PathAuthenticated,
    PathReleased,
    PeerConnection,
    PeerConnectionEvent,
    PlaceGivenUp,
    Places,
)
from glottis.rtp import MAX_SSRCS
from glottis.sctp import AssociationFailed, BytesReceived, LeftOver, TextReceived, left_over
from glottis.sdp import Candidate
from glottis.signaling.errors import Rejected
from glottis.signaling.messages import Answer, Error, Key, Mark, Offer, SignalingMessage, TrickledCandidate

logger = logging.getLogger(__name__)

_GIVEN_UP: Final = {
    Places.SOURCES: (
        "TOO_MANY_SOURCES",
        f"more than {MAX_SSRCS} SSRCs: the one unheard for longest is not heard again",
    ),
    Places.PATHS: ("TOO_MANY_PATHS", f"more than {MAX_PAIRS} network paths: the one unheard for longest is given up"),
}
"""Code and sentence for a client whose place was taken by another of its own."""


def _tell_when_acknowledged(peer: PeerConnection) -> bool:
    """See ``DataChannels.tell_when_acknowledged``."""
    return peer.channels is not None and peer.channels.tell_when_acknowledged()


class WebRtcLeg:
    """A ``Leg``. ``offers`` makes it the end that describes itself first; ``session_id`` is for the log.

    ``channel`` is the label of a data channel to open, if the far end takes any.

    What ``gathering`` finds is told the far end in the description, or after it; ``local_names`` looks up the names
    that the far end hides behind.
    """

    negotiates: Final = True
    formats: Final = None

    def __init__(
        self,
        owner: LegOwner,
        peer: PeerConnection,
        *,
        endpoint: Endpoint,
        scheduler: Wheel,
        session_id: str = "",
        offers: bool = False,
        channel: str | None = None,
        gathering: Gathering | None = None,
        local_names: LocalNames | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.voice = peer.voice
        self.driver = PeerDriver(
            peer,
            endpoint=endpoint,
            scheduler=scheduler,
            handle_event=self._handle_event,
            handle_error=owner.failed,
            hear=owner.hear,
            spoke=owner.spoke,
            wants_messages=owner.wants_messages,
            clock=clock,
            session_id=session_id,
        )
        self._change: PeerChange | None = None
        self.messenger = Messenger(
            send_signaling=owner.says,
            deliver=owner.received,
            pump=self.driver.pump_safely,
            signaling_room=owner.room,
            tell_when_acknowledged=partial(_tell_when_acknowledged, peer),
            greets=not offers,
        )
        self._owner = owner
        self._session_id = session_id
        self.fields = log_fields()
        self._offers = offers
        self._channel = channel
        self._unmatched_is_told = False
        self._gathering = gathering
        self._local_names = local_names
        if gathering is not None:
            gathering.introduce(self)

    @property
    def peer(self) -> PeerConnection:
        """The one that carries the call."""
        return self.driver.peer

    @property
    def media(self) -> MediaNegotiated | None:
        """See ``Leg.media``."""
        return self.voice.description if self.voice.format_in_use is not None else None

    def begin(self, now: float) -> None:
        """See ``Leg.begin``. A connection that stands, or stood, looks for another way."""
        if self._offers:
            peer = self.peer
            self._owner.says(Offer(peer.make_restart_offer(now) if peer.transport.can_restart else peer.make_offer()))
            self.driver.pump()

    def begin_again(self) -> None:
        """The media connection has taken no notice."""

    def handle_audio(self, data: bytes, now: float) -> None:
        """See ``Leg.handle_audio``: there is a media connection for that."""
        raise Rejected("NOT_TEXT", "expected a text message with JSON")

    def stop_playout(self) -> None:
        """Nothing waits that has not been heard within the delay."""

    def handle(self, message: SignalingMessage, now: float) -> None:
        """See ``Leg.handle``: an offer, an answer or a candidate."""
        try:
            self._handle(message, now)
        except RemoteError:
            self.driver.pump_safely()  # which tells of what could not be read, perhaps the reason
            raise
        for driver in self._drivers:
            driver.pump()

    def _handle(self, message: SignalingMessage, now: float) -> None:
        match message:
            case Offer(sdp):
                self._owner.says(Answer(self._answer(sdp, now)))
                self._owner.spoke()  # who waits to speak may have lost the direction, and with it the queue
            case Answer(sdp):
                self.peer.accept_answer_untrusted(sdp, now)
            case TrickledCandidate(text, mid, media_index, username_fragment):
                self._newest.remote_candidates.add_untrusted(
                    text, mid=mid, media_index=media_index, username_fragment=username_fragment, now=now
                )
            case Mark() | Key():
                raise Rejected("NOT_BY_WEBRTC", "keys travel as telephone-event, and there are no marks")

    # Another peer connection of the client's

    @property
    def _drivers(self) -> tuple[PeerDriver, ...]:
        return (self.driver,) if self._change is None else (self._change.driver, self.driver)

    @property
    def _newest(self) -> PeerConnection:
        """To which the client's candidates belong."""
        return self._drivers[0].peer

    def _answer(self, sdp: str, now: float) -> str:
        """By the connection whose offer it is; there may be another one from now on. Raises as these do."""
        for driver in reversed(self._drivers):
            try:
                return driver.peer.accept_offer_untrusted(sdp, now)
            except AnotherPeer:
                pass
        peer = self.peer.another()
        peer.remote_candidates.expect_from(self._newest.remote_candidates)
        answer = peer.accept_offer_untrusted(sdp, now)
        self._drop_change("there is a newer one")
        self._owner.notes("session", "the client begins anew, with another peer connection")
        self._change = PeerChange(
            peer,
            self._drive_another,
            connected=self._change_over,
            failed=self._drop_change,
            tell=self._handle_event,
        )
        return answer

    def _drive_another(self, peer: PeerConnection, handle_event: Callable[[PeerConnectionEvent], None]) -> PeerDriver:
        return self.driver.another(peer, handle_event)

    def _change_over(self) -> None:
        """The other connection stands: it carries the call from now on."""
        change, self._change, before = self._change, None, self.driver
        assert change is not None
        state, now = before.peer.state, before.now()
        left = self._take_left_over(before.peer, now)
        self.driver = change.driver
        self.driver.take_over(before)
        self.messenger.change_over(self.driver.pump_safely, partial(_tell_when_acknowledged, self.peer), left, now)
        self._owner.notes("session", "the client's other peer connection carries the call")
        if state is not ConnectionState.CONNECTED:
            self._owner.state_changed(ConnectionState.CONNECTED, "")
        self._owner.connection_changed()

    def _take_left_over(self, peer: PeerConnection, now: float) -> Sequence[LeftOver]:
        """What has come by data channels is for the agent, though it be behind; what has not arrived is sent again."""
        if peer.channels is None:
            return ()
        while (event := peer.next_event()) is not None:
            if isinstance(event, TextReceived | BytesReceived):
                self.messenger.handle_channel_event(event)
        return left_over(peer.channels, now)

    def _drop_change(self, reason: str) -> None:
        change, self._change = self._change, None
        if change is not None:
            self._owner.notes("session", f"the client's other peer connection is given up: {reason}")
            change.drop()

    def statistics(self, now: float) -> Statistics:
        """See ``Leg.statistics``."""
        return self.peer.statistics(now).counting(datagrams_refused=self.driver.datagrams_refused)

    def connectivity(self) -> Connectivity:
        """See ``Leg.connectivity``."""
        return Connectivity.of(self.peer.transport)

    def heard_since(self, moment: float) -> bool:
        """Of media; of a client that is to send none, ICE knows."""
        if not self.voice.can_receive:
            return self.peer.state is ConnectionState.CONNECTED
        heard_at = self.voice.session.heard_at
        return heard_at is not None and heard_at > moment

    def reached_since(self, moment: float) -> bool:
        """Of media, checks of ICE, and answers to ours."""
        pair = self.peer.transport.ice.selected_pair
        return pair is not None and pair.heard_at is not None and pair.heard_at > moment

    def start_media(self) -> None:
        """See ``Leg.start_media``."""
        self.driver.start_media()

    def hold_speech(self, held: bool) -> None:
        """See ``Leg.hold_speech``."""
        self.driver.holds_speech = held

    def set_complexity(self, complexity: int) -> None:
        """See ``Leg.set_complexity``."""
        self.peer.voice.set_complexity(complexity)

    def catch_up(self) -> None:
        """See ``Leg.catch_up``."""
        self.driver.pump_safely()

    def close(self) -> None:
        """See ``Leg.close``."""
        if self._gathering is not None:
            self._gathering.leave(self)
        if self._local_names is not None:
            self._local_names.forget(self)
        self._drop_change("the call ends")
        self.driver.close()

    # Gathering calls these

    def found(self, found: GatheredAddress) -> None:
        """See ``gathering.Follower``."""
        match found:
            case ReflexiveAddress(address, base, server):
                self._owner.notes("servers", f"STUN server {server} sees {base} as {address}")
                for driver in self._drivers:
                    driver.peer.local_candidates.add_reflexive(address, base=base, server=server)
            case RelayedAddress(address, mapped, server):
                self._owner.notes("servers", f"TURN server {server} lends {address}")
                for driver in self._drivers:
                    driver.peer.local_candidates.add_relayed(address, mapped=mapped, server=server)
        self._tell_candidates()

    def lost(self, lost: RelayedAddress) -> None:
        """See ``gathering.Follower``."""
        for driver in self._drivers:
            driver.peer.local_candidates.remove_relayed(lost.address, driver.now())
            driver.pump_safely()

    def failed(self, server: str, reason: str) -> None:
        """See ``gathering.Follower``."""
        self._owner.notes("servers", f"{server} {reason}")

    def gathered(self) -> None:
        """See ``gathering.Follower``."""
        for driver in self._drivers:
            driver.peer.local_candidates.end()
        self._tell_candidates()

    def _tell_candidates(self) -> None:
        for driver in self._drivers:
            if driver.peer.local_candidates.has_begun:  # else they are in the description
                driver.pump_safely()

    # The peer connection's events

    @logged
    def _handle_event(self, event: PeerConnectionEvent) -> None:
        match event:
            case Note(topic, sentence):
                self._owner.notes(topic, sentence)
            case ConnectionStateChanged(ConnectionState.FAILED, reason) if self.peer.transport.can_restart:
                self._owner.media_lost(reason)
            case ConnectionStateChanged(ConnectionState.FAILED | ConnectionState.CLOSED, reason) if self._change:
                self._owner.media_lost(reason)
            case AssociationFailed(by_peer=True) if self._change:
                pass  # it goes with its connection
            case ConnectionStateChanged(state, reason):
                self._doubt_relay(state)
                self._open_channel(state)
                self._owner.state_changed(state, reason)
            case LocalCandidate(candidate, mid, media_index, ufrag):
                self._owner.says(TrickledCandidate(candidate.to_sdp(), mid, media_index, ufrag))
            case LocalCandidatesEnded(mid, media_index, ufrag):
                self._owner.says(TrickledCandidate("", mid, media_index, ufrag))
            case LinesSkipped(lines):
                for line in lines:
                    logger.debug("session %s: skipped in the description: %s", self._session_id, line)
                    self._owner.notes("sdp", f"skipped in the far end's description: {line}")
            case NameSignalled(candidate):
                self._look_up(candidate)
            case CandidateUnmatched():
                self._tell_unmatched()
            case PlaceGivenUp(places):
                self._tell(*_GIVEN_UP[places])
            case DatagramsRefused():
                self._tell(
                    "TOO_MANY_DATAGRAMS", "datagrams came faster than their share of time allows: some were dropped"
                )
            case AssociationFailed(by_peer=True, reason=reason):
                self._owner.hung_up(f"data channels {reason}")
            case PathAuthenticated(proven=True):
                self._owner.path_found()
            case PathAuthenticated() | PathReleased():
                pass  # the driver's business
            case _:
                self.messenger.handle_channel_event(event)

    def _open_channel(self, state: ConnectionState) -> None:
        """Once."""
        if self._channel is not None and state is ConnectionState.CONNECTED and self.peer.channels is not None:
            label, self._channel = self._channel, None
            self.peer.channels.open(label)

    def _doubt_relay(self, state: ConnectionState) -> None:
        path = self.peer.transport.selected_path
        if self._gathering is not None and state is ConnectionState.DISCONNECTED and path and path.transport == "relay":
            self._gathering.relays.doubt(path.local)

    def _look_up(self, candidate: Candidate) -> None:
        looked_up = "it is looked up" if self._local_names is not None else "such names are not looked up"
        self._owner.notes("ice", f"the far end hides behind {candidate.address}: {looked_up}")
        if self._local_names is not None:
            self._local_names.ask(candidate.address, self, partial(self._found_name, self._drivers[0], candidate))

    def _found_name(self, driver: PeerDriver, candidate: Candidate, host: str) -> None:
        self._owner.notes("ice", f"{candidate.address} is {host}")
        driver.peer.remote_candidates.add_found(candidate, host, driver.now())
        driver.pump_safely()

    def _tell_unmatched(self) -> None:
        """Once: whatever makes one candidate go astray does it to all. It does not count as misbehaviour."""
        logger.debug("session %s: a candidate names no section of the offer", self._session_id)
        if not self._unmatched_is_told:
            self._unmatched_is_told = True
            sentence = "a candidate was ignored: give an sdpMid or sdpMLineIndex of a section of the offer"
            self._owner.says(Error("CANDIDATE_UNMATCHED", sentence))

    def _tell(self, code: str, sentence: str) -> None:
        self._owner.notes("session", sentence)
        logger.info("session %s: %s", self._session_id, sentence)
        self._owner.says(Error(code, sentence))
