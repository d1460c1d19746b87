"""Media sections read together with what they inherit: session-level attributes, mids and the BUNDLE group."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar, cast

from glottis.sdp.attributes import Direction, parse_group_untrusted, parse_mid_untrusted, read_attribute_untrusted
from glottis.sdp.description import Attribute, MediaDescription, SessionDescription
from glottis.wire.discreet import Discreet

T = TypeVar("T")

_DIRECTIONS: Final = {direction.value: direction for direction in Direction}

RTP_PROTOCOLS: Final = frozenset(
    {
        "UDP/TLS/RTP/SAVPF",
        "UDP/TLS/RTP/SAVP",
        "TCP/DTLS/RTP/SAVPF",
        "TCP/DTLS/RTP/SAVP",
        "RTP/SAVPF",
        "RTP/SAVP",
        "RTP/AVPF",
        "RTP/AVP",
    }
)
"""All mean DTLS-SRTP with feedback, and are answered with the same words: RFC 9429 §5.1.2."""

DATA_PROTOCOLS: Final = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP"})
"""RFC 8841 §4.2; the older ``DTLS/SCTP`` with ``a=sctpmap`` is not spoken."""

DATA_CHANNEL_FORMAT: Final = "webrtc-datachannel"


class Attributes:
    """Those of the session or of a section, in order. What they say is worked out once, however many inherit it."""

    def __init__(self, attributes: Sequence[Attribute]) -> None:
        self._all = attributes
        self._named = named = defaultdict[str, list[Attribute]](list)
        self._values: dict[tuple[str, object], tuple[object, ...]] = {}
        for attribute in attributes:
            named[attribute.name].append(attribute)

    def __contains__(self, name: object) -> bool:
        return name in self._named

    def read_all_untrusted(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """The values of all that have this name."""
        key = (name, parse)
        if key not in self._values:
            self._values[key] = tuple(_read_untrusted(self._named.get(name, ()), parse))
        return cast(tuple[T, ...], self._values[key])

    def values(self, name: str) -> Sequence[str]:
        """The values of all that have this name, as they are written."""
        return [attribute.value for attribute in self._named.get(name, ())]

    def named(self, names: Collection[str]) -> Sequence[Attribute]:
        """All that have one of these names, in order."""
        found = [self._named[name] for name in names if name in self._named]
        if len(found) < 2:
            return found[0] if found else ()
        return [attribute for attribute in self._all if attribute.name in names]

    def read_untrusted(self, name: str, parse: Callable[[str], T]) -> T | None:
        """The value of the first one, or None. The others are not looked at."""
        return next(_read_untrusted(self._named.get(name, ()), parse), None)


def _read_untrusted(attributes: Iterable[Attribute], parse: Callable[[str], T]) -> Iterator[T]:
    return (read_attribute_untrusted(attribute, parse) for attribute in attributes)


class Section(Discreet, frozen=True, eq=False):
    """One media section of a session description."""

    hidden = frozenset({"own", "session"})

    index: int
    mid: str | None
    media: MediaDescription
    own: Attributes
    session: Attributes

    @property
    def is_audio(self) -> bool:
        """Whether it is audio that DTLS-SRTP can carry."""
        return self.media.media == "audio" and self.is_rtp

    @property
    def is_rtp(self) -> bool:
        """Whether it is media that DTLS-SRTP can carry."""
        return self.media.protocol in RTP_PROTOCOLS

    @property
    def is_data(self) -> bool:
        """Whether it is an SCTP association for data channels."""
        media = self.media
        return (
            media.media == "application"
            and media.protocol in DATA_PROTOCOLS
            and media.formats == (DATA_CHANNEL_FORMAT,)
        )

    @property
    def is_bundle_only(self) -> bool:
        """Whether its port 0 means that it has no transport of its own, not that it is rejected (RFC 9143 §6)."""
        return self.media.port == 0 and self.has_own("bundle-only")

    @property
    def direction(self) -> Direction:
        """The section's direction as its side sees it; sendrecv unless told otherwise (RFC 8866 §6.7)."""
        told = self.own.named(_DIRECTIONS) or self.session.named(_DIRECTIONS)
        return _DIRECTIONS[told[0].name] if told else Direction.SENDRECV

    def has_own(self, name: str) -> bool:
        """Whether the section itself, not the session, has the attribute."""
        return name in self.own

    def has(self, name: str) -> bool:
        """Whether the section has the attribute or inherits it."""
        return name in self._holder_of(name)

    def read_all_untrusted(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """The values of an attribute: the section's own or, where it has none, the session's (RFC 8866 §5.13)."""
        return self._holder_of(name).read_all_untrusted(name, parse)

    def values(self, name: str) -> Sequence[str]:
        """The values of an attribute as they are written, whoever has it."""
        return self._holder_of(name).values(name)

    def read_untrusted(self, name: str, parse: Callable[[str], T]) -> T | None:
        """The first value of an attribute, or None. The others are not looked at."""
        return self._holder_of(name).read_untrusted(name, parse)

    def _holder_of(self, name: str) -> Attributes:
        return self.own if name in self.own else self.session


def sections_untrusted(description: SessionDescription) -> tuple[Section, ...]:
    """All sections, in order. A mid is that of the first section that has it: RFC 5888 §4 wants it to be unique."""
    session = Attributes(description.attributes)
    sections: list[Section] = []
    for index, media in enumerate(description.media):
        own = Attributes(media.attributes)
        mid = own.read_untrusted("mid", parse_mid_untrusted)
        is_taken = any(mid == section.mid for section in sections)
        sections.append(Section(index, None if is_taken else mid, media, own, session))
    return tuple(sections)


def bundle_groups_untrusted(sections: Sequence[Section]) -> tuple[tuple[Section, ...], ...]:
    """The sections of every BUNDLE group, in the group's order; its first is the tagged one (RFC 9143 §7).

    A section belongs to one group at most, so further groups than there are sections are not looked at.
    """
    if not sections:
        return ()
    by_mid: Mapping[str | None, Section] = {section.mid: section for section in sections}
    groups = sections[0].session.read_all_untrusted("group", parse_group_untrusted)
    bundles = [group.mids for group in groups if group.semantics == "BUNDLE"][: len(sections)]
    return tuple(tuple(by_mid[mid] for mid in dict.fromkeys(mids) if mid in by_mid) for mids in bundles)


def is_rejected(section: Section, groups: Sequence[tuple[Section, ...]]) -> bool:
    """Port 0 rejects a section, unless it is bundle-only and there is a bundle (RFC 9143 §6, RFC 3264 §8.2)."""
    bundled = any(section in group for group in groups)
    return section.media.port == 0 and not (section.is_bundle_only and bundled)
