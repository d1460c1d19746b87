"""Which sections of an offer are accepted, in which bundle, and whose transport counts."""

import re
from collections.abc import Callable

import pytest
from glottis.sdp import Direction, MediaDescription, Negotiation, OfferRefused

Answer = Callable[..., Negotiation]
Vector = Callable[[str], str]

CHROMIUM = "chromium156_seed_offer.sdp"
CHROMIUM_TWO = "chromium156_widget_offer.sdp"
FIREFOX_TWO = "firefox153_widget_offer.sdp"
NO_DATA = "chromium156_seed_nodc_offer.sdp"
VIDEO = (
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\na=sendrecv\r\na=rtcp-mux\r\n"
    "a=ice-ufrag:vide\r\na=ice-pwd:aPasswordOfTheVideoAlone\r\na=rtpmap:96 VP8/90000\r\n"
)


def parts(offer: str) -> list[str]:
    """The session's lines and those of each section, all with CRLF."""
    return re.split("(?=m=)", re.sub("\r?\n", "\r\n", offer))


def named(media: MediaDescription, name: str) -> list[str | None]:
    return [attribute.value for attribute in media.attributes if attribute.name == name]


@pytest.mark.parametrize("name", [CHROMIUM_TWO, FIREFOX_TWO])
def test_second_audio_section_is_answered_inactive(name: str, vector: Vector, answer: Answer) -> None:
    negotiation = answer(vector(name))
    first, second, _ = negotiation.description.media
    assert (first.port, second.port) == (9, 9)
    assert named(first, "sendrecv")
    assert named(second, "inactive")
    assert not named(second, "msid")
    assert negotiation.audio is not None
    assert (negotiation.audio.media_index, negotiation.audio.direction) == (0, Direction.SENDRECV)


def test_second_audio_section_without_a_common_codec_is_rejected(vector: Vector, answer: Answer) -> None:
    session, first, second, data = parts(vector(CHROMIUM_TWO))
    second = second.replace("111 63 9 0 8 13 110 126", "13")
    assert [media.port for media in answer(session + first + second + data).description.media] == [9, 0, 9]


@pytest.mark.parametrize("name", [CHROMIUM_TWO, FIREFOX_TWO])
def test_only_the_tagged_section_has_candidates(name: str, vector: Vector, answer: Answer) -> None:
    negotiation = answer(vector(name))
    assert [len(named(media, "candidate")) for media in negotiation.description.media] == [2, 0, 0]
    assert negotiation.remote.mid == "0"


def test_plain_port_zero_is_a_rejection_and_is_answered_so(vector: Vector, answer: Answer) -> None:
    negotiation = answer(vector(FIREFOX_TWO).replace("a=bundle-only", "a=x"))
    assert [media.port for media in negotiation.description.media] == [9, 0, 9]
    assert named(negotiation.description.media[1], "mid") == ["1"]
    assert "a=group:BUNDLE 0 2\r\n" in str(negotiation.description)


def test_bundle_only_without_a_bundle_is_a_rejection(vector: Vector, answer: Answer) -> None:
    offer = vector(FIREFOX_TWO).replace("BUNDLE 0 1 2", "BUNDLE 0 2")
    assert [media.port for media in answer(offer).description.media] == [9, 0, 9]


def test_stopped_first_audio_section_leaves_the_second_to_be_used(vector: Vector, answer: Answer) -> None:
    session, first, second, data = parts(vector(CHROMIUM_TWO))
    stopped = first.replace("m=audio 9", "m=audio 0")
    negotiation = answer(session.replace("BUNDLE 0 1 2", "BUNDLE 1 2") + stopped + second + data)
    assert negotiation.audio is not None
    assert (negotiation.audio.mid, negotiation.audio.media_index) == ("1", 1)
    assert (negotiation.remote.mid, negotiation.remote.media_index) == ("1", 1)
    assert [media.port for media in negotiation.description.media] == [0, 9, 9]


@pytest.mark.parametrize(("offered", "answered", "group"), [(9, 0, "0 1"), (39990, 9, "0 v 1")], ids=["shared", "own"])
def test_video_that_would_have_a_transport_of_its_own_is_kept_idle_and_what_else_is_of_no_use_rejected(
    offered: int, answered: int, group: str, vector: Vector, answer: Answer
) -> None:
    session, audio, data = parts(vector(CHROMIUM))
    unknown = "m=image 9 UDP/UNKNOWN t38\r\nc=IN IP4 0.0.0.0\r\na=mid:i\r\n"
    offer = session.replace("BUNDLE 0 1", "BUNDLE 0 v i 1") + VIDEO + audio + unknown + data
    negotiation = answer(offer.replace("m=video 9", f"m=video {offered}"))
    video, voice, image, _ = negotiation.description.media
    assert (video.port, named(video, "mid"), named(video, "inactive"), video.formats) == (
        answered,
        ["v"],
        [""],
        ("96",),
    )
    assert (named(video, "rtpmap"), named(video, "candidate")) == (["96 VP8/90000"], [])
    assert (image.port, named(image, "mid"), image.protocol) == (0, ["i"], "UDP/UNKNOWN")
    assert f"a=group:BUNDLE {group}\r\n" in str(negotiation.description)
    assert named(voice, "candidate")
    assert (negotiation.remote.mid, negotiation.remote.media_index, negotiation.remote.ice_ufrag) == ("0", 1, "s9+9")


def test_unbundled_video_is_rejected_wherever_it_stands(vector: Vector, answer: Answer) -> None:
    session, audio = parts(vector(NO_DATA))
    assert [media.port for media in answer(session + VIDEO + audio).description.media] == [0, 9]


@pytest.mark.parametrize("bundle_only", [False, True])
def test_video_that_has_the_transport_of_the_bundle_is_kept_idle(
    bundle_only: bool, vector: Vector, answer: Answer
) -> None:
    session, audio = parts(vector(NO_DATA))
    fingerprint = next(line for line in audio.split("\r\n") if line.startswith("a=fingerprint"))
    if bundle_only:
        audio = re.sub(r"a=(ice-ufrag|ice-pwd|rtcp-mux|fingerprint).*\r\n", "", audio)
        audio = audio.replace("m=audio 9", "m=audio 0") + "a=bundle-only\r\n"
    video = VIDEO + f"{fingerprint}\r\na=setup:actpass\r\n"
    negotiation = answer(session.replace("BUNDLE 0", "BUNDLE v 0") + video + audio)
    idle, voice = negotiation.description.media
    assert (idle.port, idle.formats, named(idle, "inactive")) == (9, ("96",), [""])
    assert named(idle, "rtpmap") == ["96 VP8/90000"]
    assert (len(named(idle, "candidate")), len(named(voice, "candidate"))) == (2, 0)
    assert "a=group:BUNDLE v 0\r\n" in str(negotiation.description)
    assert (negotiation.remote.mid, negotiation.remote.media_index, negotiation.remote.ice_ufrag) == ("v", 0, "vide")
    assert negotiation.audio is not None
    assert (negotiation.audio.mid, negotiation.audio.direction) == ("0", Direction.SENDRECV)


def test_bundle_only_audio_takes_over_the_transport_of_rejected_data(vector: Vector, answer: Answer) -> None:
    session, audio, data = parts(vector(CHROMIUM))
    audio = re.sub(r"a=(ice-ufrag|ice-pwd|fingerprint|setup).*\r\n", "", audio).replace("m=audio 9", "m=audio 0")
    offer = session.replace("BUNDLE 0 1", "BUNDLE 1 0") + data + audio + "a=bundle-only\r\n"
    negotiation = answer(offer, max_message_size=None)
    assert [media.port for media in negotiation.description.media] == [0, 9]
    assert (negotiation.remote.mid, negotiation.remote.ice_ufrag) == ("0", "s9+9")


def test_data_in_the_first_section_carries_the_transport(vector: Vector, answer: Answer) -> None:
    session, audio, data = parts(vector(CHROMIUM))
    negotiation = answer(session.replace("BUNDLE 0 1", "BUNDLE 1 0") + data + audio)
    first, second = negotiation.description.media
    assert (first.media, second.media) == ("application", "audio")
    assert (len(named(first, "candidate")), len(named(second, "candidate"))) == (2, 0)
    assert "a=group:BUNDLE 1 0\r\n" in str(negotiation.description)
    assert (negotiation.remote.mid, negotiation.remote.media_index) == ("1", 0)
    assert negotiation.audio is not None
    assert (negotiation.audio.mid, negotiation.audio.media_index) == ("0", 1)


def test_rejected_data_in_the_first_section_leaves_the_transport_to_audio(vector: Vector, answer: Answer) -> None:
    session, audio, data = parts(vector(CHROMIUM))
    negotiation = answer(session.replace("BUNDLE 0 1", "BUNDLE 1 0") + data + audio, max_message_size=None)
    assert [media.port for media in negotiation.description.media] == [0, 9]
    assert "a=group:BUNDLE 0\r\n" in str(negotiation.description)
    assert (negotiation.remote.mid, negotiation.data) == ("0", None)


def test_data_alone_is_answered_without_audio(vector: Vector, answer: Answer) -> None:
    session, _, data = parts(vector(CHROMIUM))
    negotiation = answer(session.replace("BUNDLE 0 1", "BUNDLE 1") + data)
    assert negotiation.audio is None
    assert negotiation.data is not None
    assert (negotiation.remote.mid, len(negotiation.description.media)) == ("1", 1)


def test_data_alone_is_refused_where_there_are_no_data_channels(vector: Vector, answer: Answer) -> None:
    session, _, data = parts(vector(CHROMIUM))
    with pytest.raises(OfferRefused, match="an audio section is needed"):
        answer(session.replace("BUNDLE 0 1", "BUNDLE 1") + data, max_message_size=None)


def test_old_style_of_data_channels_is_rejected(vector: Vector, answer: Answer) -> None:
    offer = vector(CHROMIUM).replace("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000")
    assert [media.port for media in answer(offer).description.media] == [9, 0]


def test_offer_without_sections_is_refused(answer: Answer) -> None:
    with pytest.raises(OfferRefused, match="needed"):
        answer("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")


def test_section_without_group_and_mid_is_answered_without_them(vector: Vector, answer: Answer) -> None:
    offer = re.sub(r"a=(group|mid):.*\r?\n", "", vector(NO_DATA))
    negotiation = answer(offer)
    assert "a=group" not in str(negotiation.description)
    assert "a=mid" not in str(negotiation.description)
    assert (negotiation.remote.mid, negotiation.remote.media_index) == (None, 0)
    assert len(named(negotiation.description.media[0], "candidate")) == 2


def test_without_a_group_only_one_transport_is_accepted(vector: Vector, answer: Answer) -> None:
    offer = re.sub(r"a=group:.*\r?\n", "", vector(CHROMIUM_TWO))
    negotiation = answer(offer)
    assert [media.port for media in negotiation.description.media] == [9, 0, 0]
    assert "a=group" not in str(negotiation.description)


def test_sections_of_another_group_are_rejected(vector: Vector, answer: Answer) -> None:
    offer = vector(CHROMIUM_TWO).replace(
        "a=group:BUNDLE 0 1 2", "a=group:BUNDLE 1\r\na=group:LS 0 1\r\na=group:BUNDLE 0 2 9"
    )
    negotiation = answer(offer)
    assert [media.port for media in negotiation.description.media] == [9, 0, 9]
    assert "a=group:BUNDLE 0 2\r\n" in str(negotiation.description)


def test_later_offer_that_gives_transport_in_the_tagged_section_alone_is_answered(
    vector: Vector, answer: Answer
) -> None:
    session, first, second, data = parts(vector(CHROMIUM_TWO))
    bare = re.compile(r"a=(ice-ufrag|ice-pwd|fingerprint|setup|rtcp-mux|ice-options).*\r\n")
    negotiation = answer(session + first + bare.sub("", second) + bare.sub("", data))
    assert [media.port for media in negotiation.description.media] == [9, 9, 9]
    assert negotiation.remote.ice_ufrag == "VWfS"


def test_mid_that_is_there_twice_is_that_of_the_first_section(vector: Vector, answer: Answer) -> None:
    negotiation = answer(vector(CHROMIUM).replace("a=mid:1", "a=mid:0"))
    assert [(media.port, named(media, "mid")) for media in negotiation.description.media] == [(9, ["0"]), (0, [])]


@pytest.mark.parametrize("mid", ["a=mid:", "a=mid:two words", "a=mid:é"])
def test_section_whose_mid_cannot_be_read_has_none(mid: str, vector: Vector, answer: Answer) -> None:
    negotiation = answer(vector(NO_DATA).replace("a=mid:0", mid))
    assert "a=mid" not in str(negotiation.description)
    assert negotiation.remote.mid is None


@pytest.mark.parametrize("group", ["a=group:BUNDLE nobody", "a=group:BUNDLE", "a=group:", "a=group:LS 0"])
def test_group_that_names_no_section_is_as_good_as_none(group: str, vector: Vector, answer: Answer) -> None:
    negotiation = answer(vector(NO_DATA).replace("a=group:BUNDLE 0", group))
    assert "a=group" not in str(negotiation.description)
    assert negotiation.description.media[0].port == 9


@pytest.mark.parametrize("formats", ["x 111", "111 4294967296", "128 111", "9" * 900 + " 111"])
def test_formats_that_are_no_payload_types_are_passed_over(formats: str, vector: Vector, answer: Answer) -> None:
    negotiation = answer(vector(NO_DATA).replace("111 63 9 0 8 13 110 126", formats))
    assert negotiation.description.media[0].formats == ("111",)


@pytest.mark.parametrize("formats", ["x", "4294967296", "128", "9" * 900])
def test_formats_that_are_no_payload_types_are_no_common_codec(formats: str, vector: Vector, answer: Answer) -> None:
    with pytest.raises(OfferRefused) as caught:
        answer(vector(NO_DATA).replace("111 63 9 0 8 13 110 126", formats))
    assert caught.value.code == "NO_COMMON_CODEC"
