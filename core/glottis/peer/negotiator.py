"""The session descriptions of a connection: what is offered and answered, and what came of it (RFC 9429)."""

import random
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from glottis.contracts.audio import FRAME_MS
from glottis.contracts.errors import LocalError
from glottis.contracts.notes import Note
from glottis.dtls import Certificate
from glottis.ice import Credentials, IceTransport, generate_credentials
from glottis.peer.events import LinesSkipped
from glottis.peer.settings import PeerSettings
from glottis.sdp import (
    AUDIO_MID,
    AnswerRefused,
    AudioCapability,
    DescriptionRefused,
    Negotiation,
    OfferRefused,
    RemoteParameters,
    SendingTrack,
    SessionDescription,
    Setup,
    TransportParameters,
    accept_answer_untrusted,
    accept_offer_untrusted,
    make_offer,
    parse_session_description_untrusted,
)

MAX_TOLD_LINES: Final = 20
"""Skipped lines of a description that the owner is told."""


_KEEP_DTLS: Final = (
    "DTLS cannot be restarted: keep a=fingerprint and a=setup, or offer another peer connection, with a=ice-ufrag and"
    " a=ice-pwd of its own"
)


class AnotherPeer(OfferRefused):
    """An offer of another peer connection: with other credentials of ICE, and with another fingerprint. The one that
    there is cannot answer it; ``PeerConnection.another`` can."""


class Negotiator:
    """Knows what this side can do. A negotiation that fails leaves ``current``, the last one, as it was.

    ``ice`` is what is described of the transport, and says which of the peer's candidates are worth to be kept.
    ``tell`` hears what came of a description, and what was skipped in it, be the rest accepted or refused.
    """

    __slots__ = (
        "_agreed",
        "_capabilities",
        "_certificate",
        "_ice",
        "_max_message_size",
        "_offer",
        "_offered",
        "_ptime_ms",
        "_red",
        "_rng",
        "_session_id",
        "_session_version",
        "_tell",
        "_wants_red",
        "current",
        "has_gathered",
        "has_moved",
        "restarting",
        "track",
    )

    def __init__(
        self,
        settings: PeerSettings,
        certificate: Certificate,
        ice: IceTransport,
        rng: random.Random,
        tell: Callable[[LinesSkipped | Note], None],
    ) -> None:
        self.current: Negotiation | None = None
        self.restarting: Credentials | None = None
        """Those of ours in the last description, if it restarts ICE and ``ice`` does not have them yet."""
        self.has_moved = False
        """Whether the peer's last offer has let another section take over the bundle's transport (RFC 9143 §7.5.3)."""
        self.track = SendingTrack(rng.getrandbits(32), *(rng.randbytes(12).hex() for _ in range(3)))
        self.has_gathered = False
        """Whether there will be no other local candidates than those of the agent."""
        self._capabilities = [AudioCapability.of(codec) for codec in settings.codecs]
        self._red = settings.red
        self._wants_red = settings.red == "on"
        self._max_message_size = settings.max_message_size
        self._ptime_ms = settings.frame_ms if settings.frame_ms != FRAME_MS else None
        self._certificate = certificate
        self._ice = ice
        self._rng = rng
        self._tell = tell
        self._session_id = rng.getrandbits(62)  # below 2^63, RFC 9429 §5.2.1
        self._session_version = 0
        self._offer: SessionDescription | None = None
        self._offered = self._agreed = ice.credentials
        """Ours in the last offer, and in the last descriptions that both sides have."""

    def go_on_from(self, before: "Negotiator") -> None:
        """Describe the same stream and candidates to another peer connection."""
        self.track = before.track
        self.has_gathered = before.has_gathered
        self._wants_red = before._wants_red

    @property
    def has_described(self) -> bool:
        """Whether the peer has, or can have, a description of ours."""
        return self._offer is not None or self.current is not None

    @property
    def tagged_section(self) -> tuple[str | None, int]:
        """The mid and index of the section that candidates belong to; before an answer, that of our offer's audio."""
        return (self.current.remote.mid, self.current.remote.media_index) if self.current else (AUDIO_MID, 0)

    def accept_offer_untrusted(self, sdp: str, *, loses_packets: bool = False) -> Negotiation:
        """Answer an offer, the first or a later one.

        Where so much of the peer's audio ``loses_packets`` that copies are of use, they are asked for from then on, if
        the settings leave that open. Raises ``Malformed`` or ``OfferRefused``.
        """
        offer = self._read_untrusted(sdp)
        self._wants_red = self._wants_red or loses_packets
        self.restarting = None
        negotiation = accept_offer_untrusted(
            offer,
            session_id=self._session_id,
            session_version=self._session_version,
            transport=self._transport(self._ice.credentials),
            audio=self._capabilities,
            sending=self.track,
            max_message_size=self._max_message_size,
            red="on" if self._wants_red and self._red != "off" else self._red,
            ptime_ms=self._ptime_ms,
            is_usable=self._ice.can_pair,
            renew=self._renew,
        )
        if self.current is not None:
            _require_same_sections(self.current, negotiation)
            _refuse_other_association(self.current, negotiation, OfferRefused)
        self.has_moved = self.current is not None and self.current.remote.mid != negotiation.remote.mid
        return self._conclude(negotiation, "the far end's offer is answered")

    def make_offer(self, *, ice_restart: bool = False) -> str:
        """Describe what we want. Who offers first is controlling (RFC 8445 §6.1.1), and offers all that follows."""
        if self._offer is None and self.current is not None:
            raise LocalError("this connection has been described already: later offers are the other side's to make")
        if self.current is None:
            if self._offer is not None:
                raise LocalError("this connection has been described already: its offer waits for an answer")
            self._ice.take_control()
        self.restarting = generate_credentials(self._rng) if ice_restart and self.current is not None else None
        self._offered = self.restarting or self._ice.credentials
        self._offer = make_offer(
            session_id=self._session_id,
            session_version=self._session_version,
            transport=self._transport(self._offered),
            audio=self._capabilities,
            sending=self.track,
            max_message_size=self._max_message_size,
            red=self._red,
            ptime_ms=self._ptime_ms,
        )
        return str(self._offer)

    def accept_answer_untrusted(self, sdp: str) -> Negotiation:
        """Take the answer to our offer. Raises ``Malformed`` or ``AnswerRefused``."""
        answer = self._read_untrusted(sdp)
        if self._offer is None:
            raise LocalError("there is no offer to be answered")
        negotiation = accept_answer_untrusted(self._offer, answer, is_usable=self._ice.can_pair)
        if self.current is not None:
            _refuse_other_association(self.current, negotiation, AnswerRefused)
            self._check_restart(self.current, negotiation)
        self._agreed = self._offered
        return self._conclude(negotiation, "our offer was answered")

    def _read_untrusted(self, sdp: str) -> SessionDescription:
        description = parse_session_description_untrusted(sdp)
        if description.skipped:
            self._tell(LinesSkipped(description.skipped[:MAX_TOLD_LINES]))
        return description

    def _check_restart(self, old: Negotiation, new: Negotiation) -> None:
        """An answer restarts ICE as its offer does (RFC 8839 §4.4.1.1.1)."""
        wanted = self._offered != self._agreed
        if _changes_of_credentials(old.remote, new.remote) != (wanted, wanted):
            sentence = "an answer changes a=ice-ufrag and a=ice-pwd if its offer does, both of them"
            raise AnswerRefused("ICE_CREDENTIALS_MIXED", sentence)

    def _transport(self, credentials: Credentials) -> TransportParameters:
        return TransportParameters(
            ice_ufrag=credentials.ufrag,
            ice_pwd=credentials.password,
            fingerprints=(self._certificate.fingerprint,),
            ice_lite=self._ice.lite,
            setup=self._setup,
            candidates=tuple(
                replace(candidate, username_fragment=credentials.ufrag) for candidate in self._ice.local_candidates
            ),
            end_of_candidates=self.has_gathered,
        )

    def _renew(self, remote: RemoteParameters, ours: TransportParameters) -> TransportParameters:
        """Another ufrag and password of the peer restart ICE, and are answered by others of ours (RFC 8839 §4.4.1.1.1).

        RFC 8445 §9 wants both to be changed: an offer that changes one of them has mixed up two generations.
        """
        old = self.current.remote if self.current is not None else remote
        changed = _changes_of_credentials(old, remote)
        if changed == (False, False):
            return ours
        if changed != (True, True):
            raise OfferRefused(
                "ICE_CREDENTIALS_MIXED", "to restart ICE change both a=ice-ufrag and a=ice-pwd, else neither"
            )
        if not set(remote.fingerprints) & set(old.fingerprints):
            raise AnotherPeer("DTLS_RESTART_UNSUPPORTED", _KEEP_DTLS)
        self.restarting = generate_credentials(self._rng)
        return self._transport(self.restarting)

    @property
    def _setup(self) -> Setup:
        """Our DTLS role where we have the choice; a running association keeps its own (RFC 8842 §5.3).

        The server's flight is the handshake's last, and ours can be repeated as it is until the peer has it. As the
        client we would wait for the peer's, and a second Finished, which makes it repeat that, takes a second.
        """
        return Setup.ACTIVE if self.current is not None and self.current.dtls_client else Setup.PASSIVE

    def _conclude(self, negotiation: Negotiation, what: str) -> Negotiation:
        self._tell(Note("sdp", f"{what}: {negotiation}"))
        self.current = negotiation.outlined()
        self._session_version += 1
        return negotiation


def _changes_of_credentials(old: RemoteParameters, new: RemoteParameters) -> tuple[bool, bool]:
    return old.ice_ufrag != new.ice_ufrag, old.ice_pwd != new.ice_pwd


def _require_same_sections(old: Negotiation, new: Negotiation) -> None:
    """Those in use stay where they are, and keep their names (RFC 3264 §8, RFC 8829 §5.2.2); others may follow."""
    mids = new.mids
    for index, mid in enumerate(old.mids):
        if old.description.media[index].port and (index >= len(mids) or mids[index] != mid):
            raise OfferRefused("SECTIONS_CHANGED", f"a=mid:{mid} is section {index}: keep the sections in their order")


def _refuse_other_association(old: Negotiation, new: Negotiation, refused: type[DescriptionRefused]) -> None:
    """RFC 8842 §5.1: another set of fingerprints, or another role, asks for a new association."""
    if set(new.remote.fingerprints) != set(old.remote.fingerprints) or new.dtls_client != old.dtls_client:
        raise refused("DTLS_RESTART_UNSUPPORTED", _KEEP_DTLS)
