"""Answers to offers: RFC 9429 §5.3 with RFC 3264 (offer/answer), 9143 (BUNDLE), 8839 (ICE) and 8842 (DTLS)."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from glottis.contracts.codec import RedPolicy
from glottis.sdp.attributes import Direction, Setup
from glottis.sdp.audio import NegotiatedAudio, SendingTrack, audio_body, negotiated_audio_untrusted
from glottis.sdp.candidate import Candidate
from glottis.sdp.codecs import AudioCapability, formats_beside_codecs
from glottis.sdp.comfort_noise import common_comfort_noise
from glottis.sdp.data import NegotiatedData, data_body, negotiated_data_untrusted
from glottis.sdp.description import Body, Origin, SessionDescription
from glottis.sdp.errors import OfferRefused
from glottis.sdp.negotiation import Negotiation, bundle_attribute, idle_body, rejected_media, transport_media
from glottis.sdp.redundancy import answered_red_untrusted
from glottis.sdp.section import Section
from glottis.sdp.selection import Selection, select_sections_untrusted
from glottis.sdp.telephone_events import common_events
from glottis.sdp.transport import RemoteParameters, TransportParameters, read_remote_parameters_untrusted


def accept_offer_untrusted(
    offer: SessionDescription,
    *,
    session_id: int,
    session_version: int,
    transport: TransportParameters,
    audio: Sequence[AudioCapability],
    sending: SendingTrack,
    max_message_size: int | None = None,
    red: RedPolicy = "off",
    ptime_ms: float | None = None,
    is_usable: Callable[[Candidate], bool] = lambda candidate: True,
    renew: Callable[[RemoteParameters, TransportParameters], TransportParameters] = lambda remote, ours: ours,
) -> Negotiation:
    """Answer ``offer``; raises ``OfferRefused`` with a stable code, or ``Malformed``.

    ``audio`` is what this side can do in order of preference; ``max_message_size`` in bytes is what it takes on data
    channels, None: it has none; ``ptime_ms`` is how long it wants packets to be; ``is_usable`` says which of the peer's
    candidates are kept in the first place. The function is pure: for a renegotiation, call it again with the next
    ``session_version`` and with the transport as it is then; ``renew`` gives it other credentials if the peer's ask for
    that.
    """
    selection = select_sections_untrusted(offer, audio, with_data=max_message_size is not None)
    _require_rtcp_mux(selection)
    remote = read_remote_parameters_untrusted(
        selection.tagged, selection.bundle[0], Setup.ACTIVE, OfferRefused, is_usable
    )
    transport = renew(remote, transport)
    setup = _answered_setup(remote.setup, transport.setup)
    audios = _negotiated_audios_untrusted(selection, red)
    data = None if selection.data is None else negotiated_data_untrusted(selection.data)
    bodies = dict(_bodies(selection.accepted, audios, data, sending, max_message_size or 0, ptime_ms))
    return Negotiation(
        description=_answer(Origin(session_id, session_version), selection, bodies, transport, setup),
        remote=remote,
        dtls_client=setup is Setup.ACTIVE,
        audio=next(iter(audios), None),
        data=data,
    )


def _require_rtcp_mux(selection: Selection) -> None:
    """RTCP has no port of its own here. In a bundle it is enough that the tagged section says so (RFC 8859 §4.3)."""
    for section in selection.accepted:
        if section.index in selection.audio and not (section.has("rtcp-mux") or selection.bundle[0].has("rtcp-mux")):
            raise OfferRefused("RTCP_MUX_REQUIRED", "a=rtcp-mux is needed: RTP and RTCP share one port here")


def _answered_setup(offered: Setup, preferred: Setup) -> Setup:
    """The role that is left to this side, RFC 8842 §5.3."""
    match offered:
        case Setup.ACTPASS:
            return preferred
        case Setup.ACTIVE:
            return Setup.PASSIVE
        case Setup.PASSIVE:
            return Setup.ACTIVE
        case _:
            raise OfferRefused("SETUP_UNSUPPORTED", "a=setup:actpass, active or passive is needed")


def _negotiated_audios_untrusted(selection: Selection, policy: RedPolicy) -> list[NegotiatedAudio]:
    """The first section mirrors the offered direction (RFC 3264 §6.1); a second stream has no use here: inactive."""
    audios: list[NegotiatedAudio] = []
    for index, formats in selection.audio.items():
        section = selection.sections[index]
        direction = Direction.INACTIVE if audios else section.direction.reversed
        beside = [] if audios else formats_beside_codecs(selection.described)
        red = answered_red_untrusted(beside, formats, policy) if beside else None
        events = common_events(beside, formats) if beside else ()
        noise = common_comfort_noise(beside, formats) if beside else None
        audios.append(negotiated_audio_untrusted(section, direction, formats, red, events, noise))
    return audios


def _bodies(
    accepted: Sequence[Section],
    audios: Sequence[NegotiatedAudio],
    data: NegotiatedData | None,
    sending: SendingTrack,
    max_message_size: int,
    ptime_ms: float | None,
) -> Iterator[tuple[int, Body]]:
    """What the accepted sections say beside their transport, by index."""
    for audio in audios:
        yield audio.media_index, audio_body(audio, sending, ptime_ms)
    if data is not None:
        yield data.media_index, data_body(max_message_size)
    used = {data.media_index if data else None, *(audio.media_index for audio in audios)}
    for section in accepted:
        if section.index not in used:
            yield section.index, idle_body(section)


def _answer(
    origin: Origin, selection: Selection, bodies: Mapping[int, Body], transport: TransportParameters, setup: Setup
) -> SessionDescription:
    """A section for every offered one, in the same order (RFC 3264 §6)."""
    tagged = selection.tagged
    mids = [section.mid for section in selection.accepted if section.mid is not None]
    group = (bundle_attribute(*mids),) if selection.is_grouped else ()
    media = (
        transport_media(section.media, section.mid, body, transport, setup, tagged=section == tagged)
        if (body := bodies.get(section.index))
        else rejected_media(section)
        for section in selection.sections
    )
    return SessionDescription(origin, (*group, *transport.session_attributes()), tuple(media))
