"""Header extensions, RTCP feedback and extended reports in offers and answers."""

from collections.abc import Callable

import pytest
from glottis.sdp import NegotiatedAudio, Negotiation
from glottis.wire.rtp_extensions import ExtensionIds

CHROMIUM = "chromium156_seed_offer.sdp"
FIREFOX = "firefox153_seed_offer.sdp"

Answer = Callable[..., Negotiation]
Vector = Callable[[str], str]


def audio_of(negotiation: Negotiation) -> NegotiatedAudio:
    assert negotiation.audio is not None
    return negotiation.audio


@pytest.mark.parametrize(("name", "level", "mid", "sequence"), [(CHROMIUM, 1, 4, 3), (FIREFOX, 1, 3, 7)])
def test_t22_extensions_are_answered_by_the_numbers_of_the_offer(
    name: str, level: int, mid: int, sequence: int, vector: Vector, answer: Answer
) -> None:
    audio = audio_of(answer(vector(name)))
    assert audio.extensions == ExtensionIds(mid=mid, audio_level=level, transport_sequence=sequence)
    assert audio.has_feedback("transport-cc")
    assert not audio.has_feedback("nack")


def test_absolute_send_time_is_for_those_without_transport_wide_feedback(vector: Vector, answer: Answer) -> None:
    audio = audio_of(answer(vector(CHROMIUM).replace("transport-cc", "goog-remb")))
    assert audio.extensions == ExtensionIds(mid=4, audio_level=1, absolute_send_time=2)
    assert [str(one) for one in audio.feedback] == ["111 goog-remb"]


@pytest.mark.parametrize(
    ("line", "agreed"), [("111 nack", True), ("* nack", True), ("111 nack pli", False), ("0 x", False)]
)
def test_packets_are_sent_again_only_for_those_who_offer_it(
    line: str, agreed: bool, vector: Vector, answer: Answer
) -> None:
    negotiation = answer(vector(CHROMIUM).replace("a=rtcp-fb:111 transport-cc", f"a=rtcp-fb:{line}"))
    assert audio_of(negotiation).has_feedback("nack") == agreed
    assert ("a=rtcp-fb:111 nack\r\n" in str(negotiation.description)) == agreed


@pytest.mark.parametrize(
    "line",
    [
        "0 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "15 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "256 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "1/recvonly urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "² urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "1 urn:ietf:params:rtp-hdrext:of-somebody",
        "1",
        "",
    ],
)
def test_extension_that_cannot_be_used_is_left_out(line: str, vector: Vector, answer: Answer) -> None:
    offered = vector(CHROMIUM).replace("1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", line)
    assert audio_of(answer(offered)).extensions == ExtensionIds(mid=4, transport_sequence=3)


@pytest.mark.parametrize(("length", "number"), [(1, 4), (16, 4), (17, None), (300, None)])
def test_mid_that_packets_have_no_room_for_is_no_extension(
    length: int, number: int | None, vector: Vector, answer: Answer
) -> None:
    """Only the description has it then, whatever its length."""
    mid = length * "m"
    offered = vector(CHROMIUM).replace("a=mid:0", f"a=mid:{mid}").replace("BUNDLE 0 1", f"BUNDLE {mid} 1")
    negotiation = answer(offered)
    assert audio_of(negotiation).extensions == ExtensionIds(mid=number, audio_level=1, transport_sequence=3)
    assert f"a=mid:{mid}\r\n" in str(negotiation.description)


def test_identifier_that_is_there_twice_has_its_first_meaning(vector: Vector, answer: Answer) -> None:
    offered = vector(CHROMIUM).replace("a=extmap:4 urn", "a=extmap:1 urn")
    assert audio_of(answer(offered)).extensions == ExtensionIds(audio_level=1, transport_sequence=3)


@pytest.mark.parametrize("line", ["a=rtcp-xr:rcvr-rtt=all", "a=rtcp-xr:rcvr-rtt=all:10000"])
def test_receiver_reference_times_are_agreed_on_where_they_are_offered(
    line: str, vector: Vector, answer: Answer
) -> None:
    with_line = vector(CHROMIUM).replace("a=rtcp-xr:rcvr-rtt=all", line)
    assert "a=rtcp-xr:rcvr-rtt=all\r\n" in str(answer(with_line).description)
    assert "rtcp-xr" not in str(answer(with_line.replace(line, "a=rtcp-xr:voip-metrics")).description)
