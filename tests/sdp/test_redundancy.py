from collections.abc import Callable

import pytest
from glottis.contracts.codec import RedPolicy
from glottis.sdp import (
    AudioCapability,
    Negotiation,
    SendingTrack,
    TransportParameters,
    accept_answer_untrusted,
    make_offer,
)

POLICIES: tuple[RedPolicy, ...] = ("auto", "on")
OFFER = "chromium156_seed_offer.sdp"

Answer = Callable[..., Negotiation]
Vector = Callable[[str], str]


def audio_lines(negotiation: Negotiation) -> list[str]:
    text = str(negotiation.description)
    return text[text.index("m=audio") : text.index("m=application")].splitlines()


def test_red_is_answered_after_all_codecs_so_that_browsers_do_not_send_it(vector: Vector, answer: Answer) -> None:
    negotiation = answer(vector(OFFER), red="auto")
    lines = audio_lines(negotiation)
    assert lines[0] == "m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8 63 13 110 126"
    assert {"a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111"} <= set(lines)
    assert negotiation.audio is not None
    assert negotiation.audio.red is not None
    assert negotiation.audio.red.primary == negotiation.audio.formats[0]


def test_red_is_answered_first_where_browsers_are_to_send_it(vector: Vector, answer: Answer) -> None:
    assert audio_lines(answer(vector(OFFER), red="on"))[0] == "m=audio 9 UDP/TLS/RTP/SAVPF 63 111 9 0 8 13 110 126"


def test_red_is_not_answered_where_it_is_switched_off(vector: Vector, answer: Answer) -> None:
    negotiation = answer(vector(OFFER), red="off")
    assert not [line for line in audio_lines(negotiation) if "63" in line.split(" ") or "red" in line]
    assert negotiation.audio is not None
    assert negotiation.audio.red is None


@pytest.mark.parametrize(
    "fmtp",
    [
        "",
        "a=fmtp:63 111/0",
        "a=fmtp:63 63/63",
        "a=fmtp:63 112/112",
        "a=fmtp:63 111/x",
        "a=fmtp:63 /",
    ],
)
def test_red_of_blocks_that_are_not_all_of_one_agreed_codec_is_not_answered(
    vector: Vector, answer: Answer, fmtp: str
) -> None:
    negotiation = answer(vector(OFFER).replace("a=fmtp:63 111/111", fmtp or "a=unknown"), red="on")
    assert negotiation.audio is not None
    assert negotiation.audio.red is None


@pytest.mark.parametrize("encoding", ["red/8000/2", "red/48000", "ulpfec/48000/2"])
def test_red_of_another_clock_or_of_other_channels_is_not_answered(
    vector: Vector, answer: Answer, encoding: str
) -> None:
    negotiation = answer(vector(OFFER).replace("red/48000/2", encoding), red="on")
    assert negotiation.audio is not None
    assert negotiation.audio.red is None


def test_any_number_of_copies_may_be_offered(vector: Vector, answer: Answer) -> None:
    negotiation = answer(vector(OFFER).replace("63 111/111", "63 111/111/111"), red="auto")
    assert negotiation.audio is not None
    assert negotiation.audio.red is not None


@pytest.mark.parametrize(("ours", "theirs", "agreed"), [("auto", "on", 99), ("on", "off", None), ("off", "on", None)])
def test_our_offer_of_red_is_in_force_if_it_is_answered(
    capabilities: tuple[AudioCapability, ...],
    transport: TransportParameters,
    sending: SendingTrack,
    answer: Answer,
    ours: RedPolicy,
    theirs: RedPolicy,
    agreed: int | None,
) -> None:
    offer = make_offer(
        session_id=1, session_version=1, transport=transport, audio=capabilities, sending=sending, red=ours
    )
    answered = answer(str(offer), red=theirs)
    audio = accept_answer_untrusted(offer, answered.description).audio
    assert audio is not None
    assert [negotiated.encoding_name for negotiated in audio.formats] == ["opus", "G722", "PCMU", "PCMA"]
    assert (audio.red.rtpmap.payload_type if audio.red is not None else None) == agreed


def test_of_a_codec_with_a_static_payload_type_red_is_offered_where_it_is_wanted_under_a_dynamic_one(
    capabilities: tuple[AudioCapability, ...], transport: TransportParameters, sending: SendingTrack, answer: Answer
) -> None:
    pcmu = [capability for capability in capabilities if capability.encoding_name == "PCMU"]
    auto, offer = (
        make_offer(session_id=1, session_version=1, transport=transport, audio=pcmu, sending=sending, red=policy)
        for policy in POLICIES
    )
    assert "red/" not in str(auto)
    assert {"a=rtpmap:97 red/8000", "a=fmtp:97 0/0"} <= set(str(offer).splitlines())
    audio = accept_answer_untrusted(offer, answer(str(offer), red="auto").description).audio
    assert audio is not None
    assert audio.red is not None
    assert audio.red.primary.encoding_name == "PCMU"
