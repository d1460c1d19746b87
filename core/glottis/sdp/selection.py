"""Which sections of an offer are accepted, and which of them carries the transport: RFC 9143 §7.3, RFC 9429 §5.3.1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glottis.sdp.codecs import (
    AudioCapability,
    DescribedFormat,
    NegotiatedFormat,
    common_formats,
    described_formats_untrusted,
    offered_names_untrusted,
)
from glottis.sdp.description import SessionDescription
from glottis.sdp.errors import NoCommonCodec, OfferRefused
from glottis.sdp.section import Section, bundle_groups_untrusted, is_rejected, sections_untrusted

Formats = tuple[NegotiatedFormat, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """The sections of an offer, and what becomes of them. All that is accepted shares one transport."""

    sections: tuple[Section, ...]
    bundle: tuple[Section, ...]
    """The offered group, the offerer's tagged section first; a section alone where there is no group."""
    is_grouped: bool
    audio: Mapping[int, Formats]
    """The common formats of the accepted audio sections by their index; the first is the one that is used."""
    described: tuple[DescribedFormat, ...]
    """All that was offered in that first one."""
    data: Section | None
    tagged: Section
    """The section that has the transport. It may be of a media that is of no use here, and is then kept idle."""

    @property
    def accepted(self) -> tuple[Section, ...]:
        """The tagged section first, the others in the order of the bundle."""
        others = (section for section in self.bundle if section.index in self.audio or section == self.data)
        return (self.tagged, *(section for section in others if section != self.tagged))


def select_sections_untrusted(
    offer: SessionDescription, capabilities: Sequence[AudioCapability], *, with_data: bool
) -> Selection:
    """The first audio section is used, others with it are kept inactive; data if wanted; the rest is rejected.

    Raises ``OfferRefused`` if nothing remains, and ``Malformed``.
    """
    sections = sections_untrusted(offer)
    groups = bundle_groups_untrusted(sections)
    usable = [section for section in sections if not is_rejected(section, groups)]
    audio = [section for section in usable if section.is_audio]
    data = [section for section in usable if section.is_data and with_data]
    if not audio and not data:
        raise OfferRefused("NO_USABLE_SECTION", _what_is_needed(sections, with_data=with_data))
    primary = (audio or data)[0]
    group = next((group for group in groups if primary in group), ())
    bundle = group or (primary,)
    formats, described = _audio_formats_untrusted([section for section in audio if section in bundle], capabilities)
    channel = next((section for section in data if section in bundle), None)
    accepted = [section for section in bundle if section.index in formats or section == channel]
    return Selection(sections, bundle, bool(group), formats, described, channel, _tagged(bundle, accepted))


def _what_is_needed(sections: Sequence[Section], *, with_data: bool) -> str:
    """What to change in an offer of which no section can be used."""
    media = {section.media.media for section in sections if not (section.is_audio or section.is_data)}
    if "audio" in media:
        return "the audio section needs the protocol UDP/TLS/RTP/SAVPF"
    if "application" in media and with_data:
        return "the data channel section needs to be of UDP/DTLS/SCTP webrtc-datachannel"
    wanted = "an audio or data channel section" if with_data else "an audio section"
    return f"{wanted} is needed that is not rejected by port 0"


def _audio_formats_untrusted(
    sections: Sequence[Section], capabilities: Sequence[AudioCapability]
) -> tuple[dict[int, Formats], tuple[DescribedFormat, ...]]:
    """The first section must have a common codec; of the others those that have none are rejected."""
    accepted: dict[int, Formats] = {}
    first: tuple[DescribedFormat, ...] = ()
    for section in sections:
        offered = described_formats_untrusted(section)
        first = first or offered
        formats = common_formats(offered, capabilities)
        if formats:
            accepted[section.index] = formats
        elif not accepted:
            raise NoCommonCodec(offered_names_untrusted(section), list(map(str, capabilities)))
    return accepted, first


def _tagged(bundle: Sequence[Section], accepted: Sequence[Section]) -> Section:
    """The section that has the transport: the offerer's choice if that is possible (RFC 9143 §7.3.1).

    Media of no use here, such as video, is kept for it, since Chromium with ``bundlePolicy: "max-bundle"`` cannot move
    a bundle to another section, and its offer does not show that policy. What is not RTP cannot be kept idle: then it
    is the first accepted section that has a transport of its own, or takes over the offered one.
    """
    offered = bundle[0]
    if offered in accepted or (offered.is_rtp and offered.media.port):
        return offered
    return next((section for section in accepted if not section.is_bundle_only), accepted[0])
