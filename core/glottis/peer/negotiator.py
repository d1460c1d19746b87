"""The session descriptions of a connection: what is offered and answered, and what came of it (RFC 9429)."""

import random

from glottis.contracts.errors import LocalError
from glottis.dtls import Certificate
from glottis.ice import IceAgent
from glottis.peer.settings import PeerSettings
from glottis.sdp import (
    AUDIO_MID,
    AudioCapability,
    NegotiatedFormat,
    Negotiation,
    OfferRefused,
    SendingTrack,
    SessionDescription,
    Setup,
    TransportParameters,
    accept_answer_untrusted,
    accept_offer_untrusted,
    make_offer,
)


class Negotiator:
    """Knows what this side can do. A negotiation that fails leaves ``current``, the last one, as it was.

    ``agent`` is what is described of the transport, and says which of the peer's candidates are worth to be kept.
    """

    def __init__(self, settings: PeerSettings, certificate: Certificate, agent: IceAgent, rng: random.Random) -> None:
        self.current: Negotiation | None = None
        self.track = SendingTrack(rng.getrandbits(32), *(rng.randbytes(12).hex() for _ in range(3)))
        self.has_gathered = False
        """Whether there will be no other local candidates than those of the agent."""
        self._capabilities = [AudioCapability.of(codec) for codec in settings.codecs]
        self._red = settings.red
        self._max_message_size = settings.max_message_size
        self._certificate = certificate
        self._agent = agent
        self._session_id = rng.getrandbits(62)  # below 2^63, RFC 9429 §5.2.1
        self._session_version = 0
        self._offer: SessionDescription | None = None

    @property
    def has_described(self) -> bool:
        """Whether the peer has, or can have, a description of ours."""
        return self._offer is not None or self.current is not None

    @property
    def tagged_section(self) -> tuple[str | None, int]:
        """The mid and index of the section that candidates belong to; before an answer, that of our offer's audio."""
        return (self.current.remote.mid, self.current.remote.media_index) if self.current else (AUDIO_MID, 0)

    def accept_offer_untrusted(self, offer: SessionDescription, in_use: NegotiatedFormat | None) -> Negotiation:
        """Answer an offer, the first or a later one; ``in_use`` is what is being sent, if anything.

        Raises ``Malformed`` or ``OfferRefused``.
        """
        negotiation = accept_offer_untrusted(
            offer,
            session_id=self._session_id,
            session_version=self._session_version,
            transport=self._transport,
            audio=self._capabilities,
            sending=self.track,
            max_message_size=self._max_message_size,
            red=self._red,
            is_usable=self._agent.can_pair,
        )
        self._refuse_restart(negotiation)
        _refuse_codec_change(negotiation, in_use)
        return self._conclude(negotiation)

    def make_offer(self) -> str:
        """Describe what we want, once. Who offers is controlling (RFC 8445 §6.1.1)."""
        if self.has_described:
            raise LocalError("this connection has been described already")
        self._agent.take_control()
        self._offer = make_offer(
            session_id=self._session_id,
            session_version=self._session_version,
            transport=self._transport,
            audio=self._capabilities,
            sending=self.track,
            max_message_size=self._max_message_size,
            red=self._red,
        )
        return str(self._offer)

    def accept_answer_untrusted(self, answer: SessionDescription) -> Negotiation:
        """Take the answer to our offer. Raises ``Malformed`` or ``AnswerRefused``."""
        if self._offer is None:
            raise LocalError("there is no offer to be answered")
        return self._conclude(accept_answer_untrusted(self._offer, answer, is_usable=self._agent.can_pair))

    @property
    def _transport(self) -> TransportParameters:
        return TransportParameters(
            ice_ufrag=self._agent.local_ufrag,
            ice_pwd=self._agent.local_pwd,
            fingerprints=(self._certificate.fingerprint,),
            ice_lite=self._agent.lite,
            setup=self._setup,
            candidates=self._agent.local_candidates,
            end_of_candidates=self.has_gathered,
        )

    @property
    def _setup(self) -> Setup:
        """Our DTLS role where we have the choice; a running association keeps its own (RFC 8842 §5.3).

        The server's flight is the handshake's last, and ours can be repeated as it is until the peer has it. As the
        client we would wait for the peer's, and a second Finished, which makes it repeat that, takes a second.
        """
        return Setup.ACTIVE if self.current is not None and self.current.dtls_client else Setup.PASSIVE

    def _refuse_restart(self, new: Negotiation) -> None:
        """The transport that the first offer described is there to stay."""
        old = self.current if self.current is not None else new
        if new.remote.mid != old.remote.mid:
            # RFC 9143 §7.5.3 lets another section take over; browsers give it a new transport, and close the old one.
            raise OfferRefused(
                "TRANSPORT_SECTION_STOPPED", f"a=mid:{old.remote.mid} holds the transport: let it be inactive instead"
            )
        if (new.remote.ice_ufrag, new.remote.ice_pwd) != (old.remote.ice_ufrag, old.remote.ice_pwd):
            raise OfferRefused("ICE_RESTART_UNSUPPORTED", "ICE cannot be restarted: keep a=ice-ufrag, or call again")
        # RFC 8842 §5.1: another set of fingerprints, or another role, asks for a new association.
        if set(new.remote.fingerprints) != set(old.remote.fingerprints) or new.dtls_client != old.dtls_client:
            raise OfferRefused(
                "DTLS_RESTART_UNSUPPORTED", "DTLS cannot be restarted: keep a=fingerprint and a=setup, or call again"
            )

    def _conclude(self, negotiation: Negotiation) -> Negotiation:
        self.current = negotiation.outlined()
        self._session_version += 1
        return negotiation


def _refuse_codec_change(new: Negotiation, in_use: NegotiatedFormat | None) -> None:
    """A running encoder cannot become another one, and the peer would drop what it has not agreed to."""
    if in_use is None or new.audio is None:
        return
    if all(agreed.rtpmap != in_use.rtpmap for agreed in new.audio.formats):
        raise OfferRefused("CODEC_CHANGE_UNSUPPORTED", f"keep a=rtpmap:{in_use.rtpmap}, which is in use, or call again")
