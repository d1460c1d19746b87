"""Media sections read together with what they inherit: session-level attributes, mids and the BUNDLE group."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from glottis.sdp.attributes import Direction, parse_group_untrusted, parse_mid_untrusted, read_attribute_untrusted
from glottis.sdp.description import Attribute, MediaDescription, SessionDescription

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


@dataclass(frozen=True, slots=True)
class Section:
    """One media section of a session description."""

    index: int
    mid: str | None
    media: MediaDescription
    session: SessionDescription

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
        attributes = (*self.media.attributes, *self.session.attributes)
        return next((_DIRECTIONS[a.name] for a in attributes if a.name in _DIRECTIONS), Direction.SENDRECV)

    def has_own(self, name: str) -> bool:
        """Whether the section itself, not the session, has the attribute."""
        return any(attribute.name == name for attribute in self.media.attributes)

    def has(self, name: str) -> bool:
        """Whether the section has the attribute or inherits it."""
        return bool(self._named(name))

    def read_all_untrusted(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """The values of an attribute: the section's own or, where it has none, the session's (RFC 8866 §5.13)."""
        return tuple(read_attribute_untrusted(attribute, parse) for attribute in self._named(name))

    def read_untrusted(self, name: str, parse: Callable[[str], T]) -> T | None:
        """The first value of an attribute, or None. The others are not looked at."""
        return next((read_attribute_untrusted(attribute, parse) for attribute in self._named(name)), None)

    def _named(self, name: str) -> tuple[Attribute, ...]:
        return _named(self.media, name) or _named(self.session, name)


def sections_untrusted(description: SessionDescription) -> tuple[Section, ...]:
    """All sections, in order. A mid is that of the first section that has it: RFC 5888 §4 wants it to be unique."""
    sections: list[Section] = []
    for index, media in enumerate(description.media):
        mid = next((read_attribute_untrusted(a, parse_mid_untrusted) for a in _named(media, "mid")), None)
        is_taken = any(mid == section.mid for section in sections)
        sections.append(Section(index, None if is_taken else mid, media, description))
    return tuple(sections)


def bundle_groups_untrusted(sections: Sequence[Section]) -> tuple[tuple[Section, ...], ...]:
    """The sections of every BUNDLE group, in the group's order; its first is the tagged one (RFC 9143 §7)."""
    if not sections:
        return ()
    by_mid: Mapping[str | None, Section] = {section.mid: section for section in sections}
    groups = [read_attribute_untrusted(a, parse_group_untrusted) for a in _named(sections[0].session, "group")]
    bundles = (group.mids for group in groups if group.semantics == "BUNDLE")
    return tuple(tuple(by_mid[mid] for mid in dict.fromkeys(mids) if mid in by_mid) for mids in bundles)


def is_rejected(section: Section, groups: Sequence[tuple[Section, ...]]) -> bool:
    """Port 0 rejects a section, unless it is bundle-only and there is a bundle (RFC 9143 §6, RFC 3264 §8.2)."""
    bundled = any(section in group for group in groups)
    return section.media.port == 0 and not (section.is_bundle_only and bundled)


def _named(holder: SessionDescription | MediaDescription, name: str) -> tuple[Attribute, ...]:
    return tuple(attribute for attribute in holder.attributes if attribute.name == name)
