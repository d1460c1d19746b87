"""What each side says of its ICE agent and its DTLS endpoint: RFC 8839, RFC 8842."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

from glottis.contracts.errors import Malformed
from glottis.sdp.attributes import (
    USABLE_HASH_FUNCTIONS,
    Fingerprint,
    Setup,
    parse_fingerprint_untrusted,
    parse_ice_options_untrusted,
    parse_ice_pwd_untrusted,
    parse_ice_ufrag_untrusted,
    parse_setup_untrusted,
)
from glottis.sdp.candidate import Candidate, parse_candidate_untrusted
from glottis.sdp.description import Attribute
from glottis.sdp.errors import DescriptionRefused
from glottis.sdp.section import Section
from glottis.wire.discreet import Discreet

ICE_OPTIONS: Final = "trickle ice2"
"""Candidates may follow (RFC 8840 §4.1.1), and nomination is regular (RFC 8445 §10)."""

MAX_CANDIDATES: Final = 16
"""Kept of a description: so many that can be used, as ICE uses no more, and so many others. Browsers gather ten."""
MAX_CANDIDATES_READ: Final = 20
"""Twice as many as browsers gather. Further ones are ignored unread."""


class TransportParameters(Discreet, frozen=True):
    """This side's transport. ``setup`` is its DTLS role where the choice is ours: active (the client) or passive.

    In a renegotiation, give the role that the running association has (RFC 8842 §5.3).
    """

    hidden = frozenset({"ice_pwd"})

    ice_ufrag: str
    ice_pwd: str
    fingerprints: tuple[Fingerprint, ...]
    ice_lite: bool = False
    setup: Setup = Setup.ACTIVE
    candidates: tuple[Candidate, ...] = ()
    end_of_candidates: bool = False

    def credentials(self, setup: Setup) -> Iterator[Attribute]:
        """The attributes that name the two endpoints."""
        yield Attribute("ice-ufrag", self.ice_ufrag)
        yield Attribute("ice-pwd", self.ice_pwd)
        for fingerprint in self.fingerprints:
            yield Attribute("fingerprint", f"{fingerprint.hash_function} {fingerprint.value.upper()}")
        yield Attribute("setup", setup.value)

    def gathered(self) -> Iterator[Attribute]:
        """The candidates known by now, and whether there will be more."""
        for candidate in self.candidates:
            yield Attribute("candidate", candidate.to_sdp().removeprefix("candidate:"))
        if self.end_of_candidates:
            yield Attribute("end-of-candidates")

    def session_attributes(self) -> Iterator[Attribute]:
        """What holds for the whole session."""
        if self.ice_lite:
            yield Attribute("ice-lite")
        yield Attribute("ice-options", ICE_OPTIONS)


class RemoteParameters(Discreet, frozen=True):
    """The peer's transport: that of the tagged section of the bundle, on which all accepted sections travel.

    Trickled candidates count if they are for ``mid`` or ``media_index``. Another ``ice_ufrag`` or ``ice_pwd`` than in
    the description before is an ICE restart (RFC 8839 §4.4.1.1.1).
    """

    hidden = frozenset({"ice_pwd"})

    mid: str | None
    media_index: int
    ice_ufrag: str
    ice_pwd: str
    ice_lite: bool
    ice_options: frozenset[str]
    fingerprints: tuple[Fingerprint, ...]
    """At least one; only of hash functions that prove something."""
    setup: Setup
    candidates: tuple[Candidate, ...]
    ignored_candidates: int
    """How many others there were, too many or not to be read: no reason to refuse a description (RFC 8839 §5.1)."""
    end_of_candidates: bool


def read_remote_parameters_untrusted(
    section: Section,
    tagged: Section,
    default_setup: Setup,
    refused: type[DescriptionRefused],
    is_usable: Callable[[Candidate], bool],
) -> RemoteParameters:
    """The transport of ``section``; if it has none of its own, that of ``tagged``, with which it is bundled.

    Raises ``refused`` where what must be there is missing, and ``Malformed``.
    """
    holder = next((one for one in (section, tagged) if one.has_own("ice-ufrag")), section)
    ice_ufrag = holder.read_untrusted("ice-ufrag", parse_ice_ufrag_untrusted)
    ice_pwd = holder.read_untrusted("ice-pwd", parse_ice_pwd_untrusted)
    if ice_ufrag is None or ice_pwd is None:
        raise refused("ICE_REQUIRED", "a=ice-ufrag and a=ice-pwd are needed: media travels by ICE only")
    described = holder.values("candidate")
    candidates = _candidates_untrusted(described, is_usable)
    return RemoteParameters(
        mid=section.mid,
        media_index=section.index,
        ice_ufrag=ice_ufrag,
        ice_pwd=ice_pwd,
        ice_lite=holder.has("ice-lite"),
        ice_options=holder.read_untrusted("ice-options", parse_ice_options_untrusted) or frozenset(),
        fingerprints=_fingerprints_untrusted(holder, refused),
        setup=holder.read_untrusted("setup", parse_setup_untrusted) or default_setup,
        candidates=candidates,
        ignored_candidates=len(described) - len(candidates),
        end_of_candidates=holder.has("end-of-candidates"),
    )


def _candidates_untrusted(described: Iterable[str], is_usable: Callable[[Candidate], bool]) -> tuple[Candidate, ...]:
    """Those that can be read, in order; what is of no use takes no place of what is."""
    candidates: list[Candidate] = []
    places = {True: MAX_CANDIDATES, False: MAX_CANDIDATES}
    for text in islice(described, MAX_CANDIDATES_READ):
        if not places[True]:
            break
        with suppress(Malformed):
            candidate = parse_candidate_untrusted(text)
            usable = is_usable(candidate)
            if places[usable]:
                places[usable] -= 1
                candidates.append(candidate)
    return tuple(candidates)


def _fingerprints_untrusted(section: Section, refused: type[DescriptionRefused]) -> tuple[Fingerprint, ...]:
    """Weak and unknown hash functions do not count, so that one of them alone is as good as none (RFC 8122 §5.1)."""
    offered = section.read_all_untrusted("fingerprint", parse_fingerprint_untrusted)
    usable = tuple(fingerprint for fingerprint in offered if fingerprint.hash_function in USABLE_HASH_FUNCTIONS)
    if not usable:
        names = ", ".join(USABLE_HASH_FUNCTIONS)
        raise refused("FINGERPRINT_REQUIRED", f"an a=fingerprint is needed, of one of {names}: media travels by DTLS")
    return usable
