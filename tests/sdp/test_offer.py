"""Offers of our own, and what comes back."""

import re
from collections.abc import Callable

import pytest
from glottis.sdp import (
    AnswerRefused,
    AudioCapability,
    Direction,
    Negotiation,
    SendingTrack,
    SessionDescription,
    TransportParameters,
    accept_answer_untrusted,
    make_offer,
    parse_session_description_untrusted,
)

Answer = Callable[..., Negotiation]


@pytest.fixture
def offer(
    transport: TransportParameters, capabilities: tuple[AudioCapability, ...], sending: SendingTrack
) -> SessionDescription:
    return make_offer(
        session_id=1,
        session_version=1,
        transport=transport,
        audio=capabilities,
        sending=sending,
        max_message_size=262144,
    )


def accepted(offer: SessionDescription, answer: str) -> Negotiation:
    return accept_answer_untrusted(offer, parse_session_description_untrusted(answer))


def test_offer_says_all_that_a_browser_needs(offer: SessionDescription) -> None:
    assert str(offer).split("\r\n") == [
        "v=0",
        "o=- 1 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "a=ice-options:trickle ice2",
        "m=audio 9 UDP/TLS/RTP/SAVPF 96 9 0 8 13 97 98",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=ice-ufrag:gl0ttis+",
        "a=ice-pwd:aVeryGoodPasswordOf24/+A",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:actpass",
        "a=candidate:1 1 udp 2130706431 192.0.2.10 40000 typ host",
        "a=candidate:2 1 udp 2130706175 2001:db8::10 40000 typ host",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=sendrecv",
        "a=msid:agent voice",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtcp-xr:rcvr-rtt=all",
        *[f"a=rtcp-fb:{number} {kind}" for number in (96, 9, 0, 8) for kind in ("nack", "transport-cc", "goog-remb")],
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 minptime=10;useinbandfec=1",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:97 telephone-event/48000",
        "a=fmtp:97 0-15",
        "a=rtpmap:98 telephone-event/8000",
        "a=fmtp:98 0-15",
        "a=ssrc:4276993775 cname:glottis",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=mid:1",
        "a=ice-ufrag:gl0ttis+",
        "a=ice-pwd:aVeryGoodPasswordOf24/+A",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:actpass",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "",
    ]


def test_both_sides_agree(offer: SessionDescription, answer: Answer) -> None:
    answerer = answer(str(offer))
    offerer = accepted(offer, str(answerer.description))
    assert (offerer.dtls_client, answerer.dtls_client) == (False, True)
    assert offerer.remote.ice_ufrag == "gl0ttis+"
    assert len(offerer.remote.candidates) == len(answerer.remote.candidates) == 2
    assert offerer.audio is not None
    assert answerer.audio is not None
    assert offerer.audio.formats == answerer.audio.formats
    assert offerer.audio.remote_ssrcs == (0xFEEDBEEF,)
    assert offerer.data is not None
    assert (offerer.data.mid, offerer.data.max_message_size) == ("1", 262144)


def test_offer_without_data_channels_has_one_section(
    transport: TransportParameters, capabilities: tuple[AudioCapability, ...], sending: SendingTrack, answer: Answer
) -> None:
    offer = make_offer(session_id=1, session_version=1, transport=transport, audio=capabilities, sending=sending)
    assert str(offer).count("m=") == 1
    assert "a=group:BUNDLE 0\r\n" in str(offer)
    negotiation = answer(str(offer))
    assert negotiation.audio is not None
    assert accepted(offer, str(negotiation.description)).data is None


def test_answerers_favourite_codec_comes_first(offer: SessionDescription, answer: Answer) -> None:
    text = str(answer(str(offer)).description).replace("SAVPF 96 9 0 8", "SAVPF 8 96")
    audio = accepted(offer, text).audio
    assert audio is not None
    assert [one.payload_type for one in audio.formats] == [8, 96]


def test_payload_type_that_changed_its_meaning_is_not_used(offer: SessionDescription, answer: Answer) -> None:
    text = str(answer(str(offer)).description).replace("a=rtpmap:96 opus/48000/2", "a=rtpmap:96 speex/8000")
    audio = accepted(offer, text).audio
    assert audio is not None
    assert [one.payload_type for one in audio.formats] == [9, 0, 8]


def test_direction_is_seen_from_our_side(offer: SessionDescription, answer: Answer) -> None:
    text = str(answer(str(offer)).description).replace("a=sendrecv", "a=recvonly")
    audio = accepted(offer, text).audio
    assert audio is not None
    assert audio.direction is Direction.SENDONLY


def test_passive_answerer_makes_us_the_dtls_client(offer: SessionDescription, answer: Answer) -> None:
    assert accepted(offer, str(answer(str(offer)).description).replace("setup:active", "setup:passive")).dtls_client


def test_rejected_data_section_leaves_the_call(offer: SessionDescription, answer: Answer) -> None:
    negotiation = accepted(offer, str(answer(str(offer), max_message_size=None).description))
    assert negotiation.audio is not None
    assert negotiation.data is None


def test_bundle_only_section_of_an_answer_is_accepted_without_a_transport_of_its_own(
    offer: SessionDescription, answer: Answer
) -> None:
    head, data = str(answer(str(offer)).description).split("m=application 9")
    bare = re.sub(r"a=(ice-ufrag|ice-pwd|fingerprint|setup):.*\r\n", "", data)
    assert accepted(offer, f"{head}m=application 0{bare}a=bundle-only\r\n").data is not None
    assert accepted(offer, f"{head}m=application 0{bare}").data is None


@pytest.mark.parametrize(
    ("pattern", "replacement", "code"),
    [
        ("m=audio 9", "m=audio 0", "AUDIO_REJECTED"),
        ("m=application(.|\r|\n)*", "", "ANSWER_MISMATCH"),
        ("a=mid:0", "a=mid:2", "ANSWER_MISMATCH"),
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0", "ANSWER_MISMATCH"),
        ("a=rtpmap:.*\r\n", "", "NO_COMMON_CODEC"),
        ("a=rtcp-mux\r\n", "", "RTCP_MUX_REQUIRED"),
        ("a=setup:active", "a=setup:actpass", "SETUP_UNSUPPORTED"),
        ("a=ice-pwd:.*\r\n", "", "ICE_REQUIRED"),
        ("a=fingerprint:.*\r\n", "", "FINGERPRINT_REQUIRED"),
    ],
)
def test_answer_that_does_not_fit_is_refused_by_code(
    pattern: str, replacement: str, code: str, offer: SessionDescription, answer: Answer
) -> None:
    text = re.sub(pattern, replacement, str(answer(str(offer)).description))
    if code == "NO_COMMON_CODEC":
        text = text.replace("SAVPF 96 9 0 8", "SAVPF 96")
    with pytest.raises(AnswerRefused) as caught:
        accepted(offer, text)
    assert caught.value.code == code
