"""Telephone events in offers and answers (RFC 4733 §2.4.1, CONTRACT T20)."""

import re
from collections.abc import Callable

import pytest
from glottis.sdp import (
    AudioCapability,
    Negotiation,
    NoCommonCodec,
    SendingTrack,
    TransportParameters,
    accept_answer_untrusted,
    make_offer,
    parse_session_description_untrusted,
)

Answer = Callable[..., Negotiation]
Vector = Callable[[str], str]

CHROMIUM = "chromium156_seed_offer.sdp"
FIREFOX = "firefox153_seed_offer.sdp"
OPUS = AudioCapability("opus", 48000, 2)
PCMU = AudioCapability("PCMU", 8000, static_payload_type=0)


def events_of(negotiation: Negotiation) -> list[tuple[int, int]]:
    """Payload types and clocks."""
    assert negotiation.audio is not None
    return [(one.payload_type, one.clock_rate) for one in negotiation.audio.events]


@pytest.mark.parametrize(
    ("name", "codecs", "events"),
    [
        (CHROMIUM, [OPUS, PCMU], [(110, 48000), (126, 8000)]),
        (CHROMIUM, [OPUS], [(110, 48000)]),
        (CHROMIUM, [PCMU], [(126, 8000)]),
        (FIREFOX, [OPUS, PCMU], [(101, 8000)]),
        (FIREFOX, [OPUS], [(101, 8000)]),
    ],
)
def test_t20_events_are_answered_at_the_clocks_of_the_codecs_else_at_8000(
    name: str, codecs: list[AudioCapability], events: list[tuple[int, int]], vector: Vector, answer: Answer
) -> None:
    negotiation = answer(vector(name), audio=codecs)
    assert events_of(negotiation) == events
    text = str(negotiation.description)
    for payload_type, clock_rate in events:
        assert f"a=rtpmap:{payload_type} telephone-event/{clock_rate}\r\na=fmtp:{payload_type} 0-15\r\n" in text
    assert text.count("telephone-event") == len(events)


def test_who_offers_no_events_is_answered_none(vector: Vector, answer: Answer) -> None:
    negotiation = answer(re.sub(r"a=rtpmap:1(10|26) .*\r?\n", "", vector(CHROMIUM)))
    assert events_of(negotiation) == []
    assert "telephone-event" not in str(negotiation.description)


def test_events_alone_are_no_codec_in_common(vector: Vector, answer: Answer) -> None:
    with pytest.raises(NoCommonCodec):
        answer(vector(CHROMIUM), audio=[AudioCapability("speex", 8000)])


def test_both_sides_agree_on_events(
    answer: Answer,
    capabilities: tuple[AudioCapability, ...],
    transport: TransportParameters,
    sending: SendingTrack,
) -> None:
    offer = make_offer(session_id=1, session_version=1, transport=transport, audio=capabilities, sending=sending)
    answerer = answer(str(offer))
    offerer = accept_answer_untrusted(offer, parse_session_description_untrusted(str(answerer.description)))
    assert events_of(offerer) == events_of(answerer) == [(97, 48000), (98, 8000)]
    assert offerer.audio is not None
    assert [one.encoding_name for one in offerer.audio.formats] == ["opus", "G722", "PCMU", "PCMA"]


def test_an_answer_of_events_alone_is_refused(
    answer: Answer,
    capabilities: tuple[AudioCapability, ...],
    transport: TransportParameters,
    sending: SendingTrack,
) -> None:
    offer = make_offer(session_id=1, session_version=1, transport=transport, audio=capabilities, sending=sending)
    text = re.sub(r"SAVPF [\d ]+", "SAVPF 97", str(answer(str(offer)).description))
    with pytest.raises(Exception, match="none of the offered payload types"):
        accept_answer_untrusted(offer, parse_session_description_untrusted(text))
