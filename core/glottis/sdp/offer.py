"""Offers of our own and the answers to them: RFC 9429 §5.2, RFC 3264 §5 and §7."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from glottis.contracts.codec import RedPolicy
from glottis.sdp.attributes import Direction, Setup
from glottis.sdp.audio import NegotiatedAudio, SendingTrack, audio_body, negotiated_audio_untrusted
from glottis.sdp.candidate import Candidate
from glottis.sdp.codecs import (
    AudioCapability,
    NegotiatedFormat,
    described_formats_untrusted,
)
from glottis.sdp.comfort_noise import is_comfort_noise, offered_comfort_noise
from glottis.sdp.data import data_body, negotiated_data_untrusted
from glottis.sdp.description import DISCARD_PORT, MediaDescription, Origin, SessionDescription
from glottis.sdp.errors import AnswerRefused
from glottis.sdp.feedback import offered_feedback
from glottis.sdp.header_extensions import OFFERED_EXTENSIONS
from glottis.sdp.negotiation import Negotiation, bundle_attribute, transport_media
from glottis.sdp.redundancy import answered_red_untrusted, is_red, offered_red
from glottis.sdp.section import Section, bundle_groups_untrusted, is_rejected, sections_untrusted
from glottis.sdp.telephone_events import is_event, with_events
from glottis.sdp.transport import TransportParameters, read_remote_parameters_untrusted

AUDIO_MID: Final = "0"
DATA_MID: Final = "1"
"""Short, since every packet may carry them (RFC 9143 §15.1)."""

_AUDIO: Final = MediaDescription("audio", DISCARD_PORT, "UDP/TLS/RTP/SAVPF", ())
_DATA: Final = MediaDescription("application", DISCARD_PORT, "UDP/DTLS/SCTP", ())


def make_offer(
    *,
    session_id: int,
    session_version: int,
    transport: TransportParameters,
    audio: Sequence[AudioCapability],
    sending: SendingTrack,
    max_message_size: int | None = None,
    red: RedPolicy = "off",
    ptime_ms: float | None = None,
) -> SessionDescription:
    """Offer to send and receive audio and keys, and data channels if ``max_message_size`` (bytes we take) is given.

    ``audio`` is what this side can do in order of preference; it wants packets of ``ptime_ms``. Static payload types
    are used where there are such, the others are numbered from 96.
    """
    formats = with_events(audio)
    offered = NegotiatedAudio(
        mid=AUDIO_MID,
        media_index=0,
        direction=Direction.SENDRECV,
        formats=formats[: len(audio)],
        events=formats[len(audio) :],
        red=offered_red(formats, red),
        comfort_noise=offered_comfort_noise(formats[: len(audio)]),
        rtcp_rsize=True,
        extensions=OFFERED_EXTENSIONS,
        feedback=offered_feedback(formats[: len(audio)]),
        receiver_rtt=True,
    )
    bodies = [(_AUDIO, AUDIO_MID, audio_body(offered, sending, ptime_ms))]
    if max_message_size is not None:
        bodies.append((_DATA, DATA_MID, data_body(max_message_size)))
    media = tuple(
        transport_media(like, mid, body, transport, Setup.ACTPASS, tagged=mid == AUDIO_MID)
        for like, mid, body in bodies
    )
    group = bundle_attribute(*(mid for _, mid, _ in bodies))
    return SessionDescription(Origin(session_id, session_version), (group, *transport.session_attributes()), media)


def accept_answer_untrusted(
    offer: SessionDescription,
    answer: SessionDescription,
    *,
    is_usable: Callable[[Candidate], bool] = lambda candidate: True,
) -> Negotiation:
    """What ``answer`` makes of our ``offer``; raises ``AnswerRefused`` with a stable code, or ``Malformed``.

    ``is_usable`` says which of the peer's candidates are kept in the first place.
    """
    accepted = _accepted_untrusted(sections_untrusted(offer), sections_untrusted(answer))
    audio = next(((ours, theirs) for ours, theirs in accepted if ours.is_audio), None)
    if audio is None:
        raise AnswerRefused("AUDIO_REJECTED", "the answer rejects the audio section")
    tagged = _tagged_untrusted([theirs for _, theirs in accepted])
    remote = read_remote_parameters_untrusted(tagged, tagged, Setup.PASSIVE, AnswerRefused, is_usable)
    return Negotiation(
        description=answer,
        remote=remote,
        dtls_client=_dtls_client(remote.setup),
        audio=_audio_untrusted(*audio, tagged),
        data=next((negotiated_data_untrusted(theirs) for ours, theirs in accepted if ours.is_data), None),
    )


def _accepted_untrusted(ours: Sequence[Section], theirs: Sequence[Section]) -> list[tuple[Section, Section]]:
    """Our sections that were accepted, with the answers to them: one to each, in the same order (RFC 3264 §6)."""
    if [_identity(section) for section in ours] != [_identity(section) for section in theirs]:
        raise AnswerRefused("ANSWER_MISMATCH", "the answer needs the sections of the offer, in order, with their mids")
    groups = bundle_groups_untrusted(theirs)
    return [pair for pair in zip(ours, theirs, strict=True) if not is_rejected(pair[1], groups)]


def _identity(section: Section) -> tuple[str, str, str | None]:
    return section.media.media, section.media.protocol, section.mid


def _tagged_untrusted(accepted: Sequence[Section]) -> Section:
    """The answerer's tagged section, on whose transport everything accepted must travel (RFC 9143 §7.4)."""
    groups = bundle_groups_untrusted(accepted)
    bundle = next((group for group in groups if accepted[0] in group), (accepted[0],))
    if any(section not in bundle for section in accepted):
        raise AnswerRefused("ANSWER_MISMATCH", "the answer must keep the BUNDLE group of the offer")
    return bundle[0]


def _dtls_client(answered: Setup) -> bool:
    if answered not in (Setup.ACTIVE, Setup.PASSIVE):
        raise AnswerRefused("SETUP_UNSUPPORTED", "a=setup:active or passive is needed in an answer")
    return answered is Setup.PASSIVE


def _audio_untrusted(ours: Section, theirs: Section, tagged: Section) -> NegotiatedAudio:
    if not (theirs.has("rtcp-mux") or tagged.has("rtcp-mux")):
        raise AnswerRefused("RTCP_MUX_REQUIRED", "a=rtcp-mux is needed: RTP and RTCP share one port here")
    answered = tuple(_answered_formats_untrusted(ours, theirs))
    formats = tuple(one for one in answered if not is_event(one) and not is_comfort_noise(one))
    if not formats:
        raise AnswerRefused("NO_COMMON_CODEC", "the answer has none of the offered payload types")
    offered = any(is_red(described.rtpmap) for described in described_formats_untrusted(ours))
    described = described_formats_untrusted(theirs)
    red = answered_red_untrusted(described, formats, "auto" if offered else "off")
    noise = next(filter(is_comfort_noise, answered), None)
    events = tuple(filter(is_event, answered))
    return negotiated_audio_untrusted(theirs, theirs.direction.reversed, formats, red, events, noise)


def _answered_formats_untrusted(ours: Section, theirs: Section) -> Iterator[NegotiatedFormat]:
    """The offered formats that came back, the answerer's favourite first (RFC 3264 §7)."""
    formats = (described for described in described_formats_untrusted(ours) if not is_red(described.rtpmap))
    offered = {described.rtpmap.payload_type: described for described in formats}
    for answered in described_formats_untrusted(theirs):
        described = offered.get(answered.rtpmap.payload_type)
        if described is not None and described.rtpmap.encoding == answered.rtpmap.encoding:
            yield NegotiatedFormat(described.rtpmap, answered.parameters, described.parameters)
