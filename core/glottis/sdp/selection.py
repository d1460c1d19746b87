"""Which sections of an offer are accepted, and which of them carries the transport: RFC 9143 §7.3, RFC 9429 §5.3.1."""

from collections.abc import Mapping, Sequence

import msgspec

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


class Selection(msgspec.Struct, frozen=True):
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
    accepted: tuple[Section, ...]
    """The tagged section first, the others in the order of the bundle. Media of no use here, such as video, may be
    among them, and is kept idle."""

    @property
    def tagged(self) -> Section:
        """The section that has the transport."""
        return self.accepted[0]


def select_sections_untrusted(
    offer: SessionDescription, capabilities: Sequence[AudioCapability], *, with_data: bool
) -> Selection:
    """The first audio section is used, others with it are kept inactive; data if wanted; the rest is rejected or idle.

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
    kept = [
        section for section in bundle if section.index in formats or section == channel or _may_idle(section, bundle)
    ]
    return Selection(sections, bundle, bool(group), formats, described, channel, _tagged_first(kept, bundle[0]))


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


def _may_idle(section: Section, bundle: Sequence[Section]) -> bool:
    """Whether a section of no use is kept, inactive, for its offerer would not connect without it.

    Chromium with ``bundlePolicy: "max-bundle"`` cannot move the transport to another section, and its offer does not
    show that policy. aiortc makes a transport for each section, and waits for that of one that leaves the bundle. What
    has no port but the bundle's can do without: libdatachannel would send the picture.
    """
    port = section.media.port
    return section.is_rtp and port != 0 and (section == bundle[0] or port != bundle[0].media.port)


def _tagged_first(accepted: Sequence[Section], offered: Section) -> tuple[Section, ...]:
    """The offerer's choice has the transport if that is possible (RFC 9143 §7.3.1), otherwise the first section that
    has one of its own, or takes over the offered one.
    """
    tagged = offered if offered in accepted else next((one for one in accepted if not one.is_bundle_only), accepted[0])
    return (tagged, *(section for section in accepted if section != tagged))
