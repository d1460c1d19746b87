"""What an offer and its answer agree on, seen from this side."""

import msgspec
from msgspec.structs import replace

from glottis.sdp.attributes import Setup
from glottis.sdp.audio import NegotiatedAudio
from glottis.sdp.data import NegotiatedData
from glottis.sdp.description import (
    DISCARD_PORT,
    UNSPECIFIED_CONNECTION,
    Attribute,
    Body,
    MediaDescription,
    SessionDescription,
)
from glottis.sdp.section import Section
from glottis.sdp.transport import RemoteParameters, TransportParameters


class Negotiation(msgspec.Struct, frozen=True):
    """The result of ``accept_offer_untrusted`` and ``accept_answer_untrusted``."""

    description: SessionDescription
    """The answer, whichever side gave it."""
    remote: RemoteParameters
    dtls_client: bool
    """Whether this side begins the DTLS handshake."""
    audio: NegotiatedAudio | None
    data: NegotiatedData | None

    def __str__(self) -> str:
        """For people."""
        audio = "no audio" if self.audio is None else f"audio {self.audio}"
        parts = [audio, *(["data channels"] if self.data is not None else []), f"{len(self.mids)} sections"]
        return f"{', '.join(parts)}; {len(self.remote.candidates)} candidates in it"

    def outlined(self) -> "Negotiation":
        """What is worth to be kept: of the description its sections and their mids, which candidates refer to."""
        media = tuple(
            MediaDescription(section.media, section.port, section.protocol, (), _mid(_mid_of(section)))
            for section in self.description.media
        )
        description = SessionDescription(self.description.origin, media=media)
        return replace(self, description=description, remote=replace(self.remote, candidates=()))

    @property
    def mids(self) -> list[str | None]:
        """Of all sections, in order."""
        return [_mid_of(media) for media in self.description.media]

    def section_of(self, mid: str | None, media_index: int | None) -> int | None:
        """The index of the section that a trickled candidate is for; None if it names none that there is.

        The mid decides, as RFC 9429 §3.5.2.1 has it. Some peers leave it empty, or name one that is not described: then
        the index counts. Who says neither means the transport.
        """
        mids = self.mids
        if mid and mid in mids:
            return mids.index(mid)
        if media_index is not None:
            return media_index if 0 <= media_index < len(mids) else None
        return None if mid else self.remote.media_index


def bundle_attribute(*mids: str) -> Attribute:
    """The sections that share one transport, the tagged one first (RFC 9143 §5)."""
    return Attribute("group", " ".join(("BUNDLE", *mids)))


def transport_media(
    like: MediaDescription, mid: str | None, body: Body, transport: TransportParameters, setup: Setup, *, tagged: bool
) -> MediaDescription:
    """A section with a transport, of the same media and protocol as ``like``.

    Only the tagged section has the candidates. Credentials, fingerprint and setup are in every section, which
    RFC 9143 §7.1.3 does not ask for, because many peers look for them there.
    """
    return MediaDescription(
        media=like.media,
        port=DISCARD_PORT,
        protocol=like.protocol,
        formats=body.formats,
        attributes=(
            *_mid(mid),
            *transport.credentials(setup),
            *(transport.gathered() if tagged else ()),
            *body.attributes,
        ),
        connection=UNSPECIFIED_CONNECTION,
    )


def idle_body(section: Section) -> Body:
    """A section that nothing is sent in: inactive, with the first of the offered formats."""
    return _first_format(section, Attribute("inactive"), Attribute("rtcp-mux"))


def rejected_media(section: Section) -> MediaDescription:
    """The section that says no: port 0, RFC 3264 §6, still with its mid and at least one format.

    What the format is makes no difference, but aiortc takes no answer in which it finds none that it knows.
    """
    body = _first_format(section, *_mid(section.mid), Attribute("inactive"))
    return MediaDescription(
        media=section.media.media,
        port=0,
        protocol=section.media.protocol,
        formats=body.formats,
        attributes=body.attributes,
        connection=UNSPECIFIED_CONNECTION,
    )


def _first_format(section: Section, *attributes: Attribute) -> Body:
    """The first of the offered formats, and these attributes with those that say what it is."""
    kept = section.media.formats[0]
    start = f"{kept} "
    described = (one for one in section.own.named(("rtpmap", "fmtp")) if f"{one.value} ".startswith(start))
    return Body((kept,), (*attributes, *described))


def _mid_of(section: MediaDescription) -> str | None:
    return next((attribute.value for attribute in section.attributes if attribute.name == "mid"), None)


def _mid(mid: str | None) -> tuple[Attribute, ...]:
    return () if mid is None else (Attribute("mid", mid),)
