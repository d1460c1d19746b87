"""Comfort noise in offers and answers (RFC 3389 §5): beside codecs of its clock alone."""

from collections.abc import Callable

import pytest
from glottis.sdp import (
    AudioCapability,
    NegotiatedAudio,
    Negotiation,
    NoCommonCodec,
    SendingTrack,
    TransportParameters,
    accept_answer_untrusted,
    make_offer,
)

Answer = Callable[..., Negotiation]
Vector = Callable[[str], str]

CHROMIUM = "chromium156_seed_offer.sdp"
FIREFOX = "firefox153_seed_offer.sdp"
OPUS = AudioCapability("opus", 48000, 2)
G722 = AudioCapability("G722", 8000, static_payload_type=9)


def noise_of(audio: NegotiatedAudio | None) -> int | None:
    """Its payload type."""
    assert audio is not None
    return None if audio.comfort_noise is None else audio.comfort_noise.payload_type


@pytest.mark.parametrize(
    ("name", "codecs", "agreed"),
    [(CHROMIUM, [OPUS, G722], 13), (CHROMIUM, [G722], 13), (CHROMIUM, [OPUS], None), (FIREFOX, [OPUS, G722], None)],
)
def test_what_is_offered_is_answered_if_a_codec_has_its_clock(
    name: str, codecs: list[AudioCapability], agreed: int | None, vector: Vector, answer: Answer
) -> None:
    negotiation = answer(vector(name), audio=codecs)
    assert noise_of(negotiation.audio) == agreed
    assert ("a=rtpmap:13 CN/8000\r\n" in str(negotiation.description)) == (agreed is not None)


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [([OPUS, G722], [OPUS, G722], 13), ([OPUS], [OPUS, G722], None), ([OPUS, G722], [OPUS], None)],
)
def test_our_own_is_in_force_if_it_is_answered(
    transport: TransportParameters,
    sending: SendingTrack,
    answer: Answer,
    ours: list[AudioCapability],
    theirs: list[AudioCapability],
    agreed: int | None,
) -> None:
    offer = make_offer(session_id=1, session_version=1, transport=transport, audio=ours, sending=sending)
    audio = accept_answer_untrusted(offer, answer(str(offer), audio=theirs).description).audio
    assert noise_of(audio) == agreed
    assert audio is not None
    assert {one.encoding_name for one in audio.formats} <= {"opus", "G722"}


def test_it_is_no_codec(vector: Vector, answer: Answer) -> None:
    with pytest.raises(NoCommonCodec):
        answer(vector(CHROMIUM).replace("111 63 9 0 8 13 110 126", "13"))
