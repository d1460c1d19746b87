"""What the answers to browsers' offers say, and what is learned from the offers."""

import json
import re
from collections.abc import Callable

import pytest
from glottis.contracts.errors import Malformed
from glottis.sdp import (
    AudioCapability,
    Direction,
    Fingerprint,
    Negotiation,
    NoCommonCodec,
    OfferRefused,
    SendingTrack,
    Setup,
    TransportParameters,
    parse_candidate_untrusted,
    parse_session_description_untrusted,
)
from glottis.sdp.transport import MAX_CANDIDATES

Answer = Callable[..., Negotiation]
Vector = Callable[[str], str]

CHROMIUM = "chromium156_seed_offer.sdp"
FIREFOX = "firefox153_seed_offer.sdp"
NO_DATA = "chromium156_seed_nodc_offer.sdp"
FIXTURES = [
    f"{browser}_{page}_offer.sdp"
    for browser in ("chromium156", "firefox153")
    for page in ("seed", "seed_nodc", "widget")
]


@pytest.mark.parametrize("name", FIXTURES)
def test_answer_has_each_detail_that_a_browser_insists_on(name: str, vector: Vector, answer: Answer) -> None:
    offer = parse_session_description_untrusted(vector(name))
    text = str(answer(vector(name)).description)
    session, *sections = text.split("m=")
    assert text.endswith("\r\n")
    assert [section.split()[0] for section in sections] == [media.media for media in offer.media]
    mids = [str(index) for index in range(len(sections))]
    assert f"a=group:BUNDLE {' '.join(mids)}\r\n" in session
    for mid, section in zip(mids, sections, strict=True):
        lines = section.split("\r\n")
        assert lines.count(f"a=mid:{mid}") == 1
        assert lines.count("a=setup:active") == 1
        assert re.search(r"a=fingerprint:sha-256 (AB:){31}AB\r\n", section)
        assert "a=ice-ufrag:gl0ttis+" in lines
        assert lines[0].split()[1] == "9"
        assert lines.count("a=rtcp-mux") == section.startswith("audio")
        assert "a=bundle-only" not in lines
        offered = vector(name).splitlines()
        assert all(line in offered for line in lines if line.startswith(("a=extmap:", "a=rtcp-fb:", "a=rtcp-xr:")))


@pytest.mark.parametrize("name", FIXTURES)
def test_answer_reads_back_as_the_same_value(name: str, vector: Vector, answer: Answer) -> None:
    description = answer(vector(name)).description
    assert parse_session_description_untrusted(str(description)) == description


@pytest.mark.parametrize(("name", "opus", "events"), [(CHROMIUM, 111, ("13", "110", "126")), (FIREFOX, 109, ("101",))])
def test_codecs_are_answered_in_our_order_under_the_offerers_numbers(
    name: str, opus: int, events: tuple[str, ...], vector: Vector, answer: Answer
) -> None:
    negotiation = answer(vector(name))
    assert negotiation.description.media[0].formats == (str(opus), "9", "0", "8", *events)
    text = str(negotiation.description)
    assert f"a=rtpmap:{opus} opus/48000/2\r\na=fmtp:{opus} minptime=10;useinbandfec=1\r\n" in text
    assert "a=rtpmap:9 G722/8000\r\n" in text
    assert negotiation.audio is not None
    assert [(one.payload_type, one.encoding_name, one.clock_rate) for one in negotiation.audio.formats] == [
        (opus, "opus", 48000),
        (9, "G722", 8000),
        (0, "PCMU", 8000),
        (8, "PCMA", 8000),
    ]


def test_other_preference_changes_which_codec_is_sent(
    vector: Vector, answer: Answer, capabilities: tuple[AudioCapability, ...]
) -> None:
    assert answer(vector(CHROMIUM), audio=capabilities[::-1]).description.media[0].formats[:4] == ("8", "0", "9", "111")


def test_offered_parameters_of_the_codec_are_reported(vector: Vector, answer: Answer) -> None:
    audio = answer(vector(FIREFOX)).audio
    assert audio is not None
    assert audio.formats[0].remote_parameters == {"maxplaybackrate": "48000", "stereo": "1", "useinbandfec": "1"}


def test_format_whose_parameters_do_not_fit_is_not_answered(vector: Vector, answer: Answer) -> None:
    picky = AudioCapability("opus", 48000, 2, answer_format_parameters=lambda offered: None)
    pcmu = AudioCapability("PCMU", 8000, static_payload_type=0)
    assert answer(vector(CHROMIUM), audio=[picky, pcmu]).description.media[0].formats == ("0", "13", "126")


def test_redundancy_is_answered_only_if_there_is_a_capability(
    vector: Vector, answer: Answer, capabilities: tuple[AudioCapability, ...]
) -> None:
    assert "red/48000" not in str(answer(vector(CHROMIUM)).description)
    red = AudioCapability("red", 48000, 2, answer_format_parameters=lambda offered: offered)
    assert "a=fmtp:63 111/111\r\n" in str(answer(vector(CHROMIUM), audio=[*capabilities, red]).description)


def test_static_payload_types_need_no_rtpmap(vector: Vector, answer: Answer) -> None:
    offer = re.sub(r"a=rtpmap:[089] .*\r?\n", "", vector(CHROMIUM))
    assert answer(offer).description.media[0].formats[:4] == ("111", "9", "0", "8")


def test_payload_types_that_look_like_rtcp_are_not_used(vector: Vector, answer: Answer) -> None:
    offer = vector(CHROMIUM).replace("SAVPF 111", "SAVPF 72").replace(":111 ", ":72 ")
    assert answer(offer).description.media[0].formats == ("9", "0", "8", "13", "126")


def test_of_two_lines_for_one_payload_type_the_first_counts(vector: Vector, answer: Answer) -> None:
    offer = vector(CHROMIUM).replace("a=rtpmap:63", "a=rtpmap:111 speex/8000\r\na=rtpmap:63")
    assert "111" in answer(offer).description.media[0].formats


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("opus/48000/2/1", "payload type 96"),
        ("opus/16000/2", "opus/16000/2"),
        ("G722/16000", "G722/16000"),
    ],
)
def test_no_common_codec_is_refused_by_name(wrong: str, named: str, vector: Vector, answer: Answer) -> None:
    offer = re.sub(r"a=(rtpmap|fmtp|rtcp-fb):.*\r?\n", "", vector(NO_DATA)).replace(
        "111 63 9 0 8 13 110 126", "96 13 97"
    )
    with pytest.raises(NoCommonCodec, match=named) as caught:
        answer(f"{offer}a=rtpmap:96 {wrong}\r\n")
    assert caught.value.code == "NO_COMMON_CODEC"
    assert caught.value.offered == (named, "CN/8000", "payload type 97")
    assert str(caught.value) == (
        f"none of the offered codecs can be used: {named}, CN/8000, payload type 97; "
        "offer one of opus/48000/2, G722/8000, PCMU/8000, PCMA/8000"
    )


@pytest.mark.parametrize(
    ("old", "new", "advice"),
    [
        ("UDP/TLS/RTP/SAVPF", "UDP/UNKNOWN", "the audio section needs the protocol UDP/TLS/RTP/SAVPF"),
        ("m=audio 9", "m=audio 0", "an audio or data channel section is needed that is not rejected by port 0"),
        (
            "m=audio 9 UDP/TLS/RTP/SAVPF",
            "m=application 9 DTLS/SCTP",
            "the data channel section needs to be of UDP/DTLS/SCTP webrtc-datachannel",
        ),
    ],
)
def test_offer_without_a_usable_section_is_told_what_to_change(
    old: str, new: str, advice: str, vector: Vector, answer: Answer
) -> None:
    with pytest.raises(OfferRefused) as caught:
        answer(vector(NO_DATA).replace(old, new))
    assert (caught.value.code, str(caught.value)) == ("NO_USABLE_SECTION", advice)


@pytest.mark.parametrize(
    ("offered", "answered"),
    [("sendrecv", "sendrecv"), ("recvonly", "sendonly"), ("sendonly", "recvonly"), ("inactive", "inactive")],
)
def test_direction_is_the_mirror_of_the_offered_one(
    offered: str, answered: str, vector: Vector, answer: Answer
) -> None:
    negotiation = answer(vector(NO_DATA).replace("a=sendrecv", f"a={offered}"))
    attributes = [str(attribute) for attribute in negotiation.description.media[0].attributes]
    assert f"a={answered}" in attributes
    assert negotiation.audio is not None
    assert negotiation.audio.direction is Direction(answered)
    sends = answered in ("sendrecv", "sendonly")
    assert ("a=msid:agent voice" in attributes) == sends
    assert ("a=ssrc:4276993775 cname:glottis" in attributes) == sends


def test_the_first_of_several_directions_holds(vector: Vector, answer: Answer) -> None:
    audio = answer(vector(NO_DATA).replace("a=sendrecv", "a=recvonly\r\na=sendrecv")).audio
    assert audio is not None
    assert audio.direction is Direction.SENDONLY


def test_direction_is_inherited_from_the_session(vector: Vector, answer: Answer) -> None:
    offer = vector(NO_DATA).replace("a=sendrecv\n", "").replace("a=sendrecv\r\n", "")
    audio = answer(offer.replace("a=group", "a=recvonly\r\na=group")).audio
    assert audio is not None
    assert audio.direction is Direction.SENDONLY


@pytest.mark.parametrize(
    ("offered", "preferred", "answered"),
    [
        ("a=setup:actpass", Setup.ACTIVE, "active"),
        ("a=setup:actpass", Setup.PASSIVE, "passive"),
        ("a=setup:active", Setup.ACTIVE, "passive"),
        ("a=setup:passive", Setup.PASSIVE, "active"),
        ("a=x", Setup.ACTIVE, "passive"),
    ],
)
def test_dtls_role_is_the_one_left_by_the_offer(
    offered: str, preferred: Setup, answered: str, vector: Vector, answer: Answer, transport: TransportParameters
) -> None:
    ours = TransportParameters(transport.ice_ufrag, transport.ice_pwd, transport.fingerprints, setup=preferred)
    negotiation = answer(vector(NO_DATA).replace("a=setup:actpass", offered), transport=ours)
    assert f"a=setup:{answered}\r\n" in str(negotiation.description)
    assert negotiation.dtls_client == (answered == "active")


def test_remote_transport_is_reported_with_what_the_session_says_for_all(vector: Vector, answer: Answer) -> None:
    remote = answer(vector(FIREFOX)).remote
    assert (remote.mid, remote.media_index) == ("0", 0)
    assert (remote.ice_ufrag, remote.ice_pwd) == ("090869d5", "614f264cf57dcd9ed5f3e60f268505bd")
    assert remote.ice_options == {"trickle"}
    assert not remote.ice_lite
    assert remote.fingerprints[0].value.startswith("1E:CA:E4:62")
    assert remote.ice_pwd not in repr(remote)


@pytest.mark.parametrize("name", FIXTURES)
def test_trickled_candidates_are_recognised_by_section_and_ufrag(name: str, vector: Vector, answer: Answer) -> None:
    remote = answer(vector(name)).remote
    trickled = [one for one in json.loads(vector(name.replace("offer.sdp", "candidates.json"))) if one is not None]
    ours = [one for one in trickled if one["candidate"] and one["sdpMid"] == remote.mid]
    assert len(ours) >= 4
    for one in ours:
        assert (one["sdpMLineIndex"], one["usernameFragment"]) == (remote.media_index, remote.ice_ufrag)
        assert parse_candidate_untrusted(one["candidate"]).component in (1, 2)


def test_candidates_and_their_end_are_reported(vector: Vector, answer: Answer) -> None:
    candidates = (
        "a=candidate:1 1 udp 2122194687 192.0.2.2 59787 typ host\r\n"
        "a=candidate:2 1 tcp 1518214911 192.0.2.2 9 typ host tcptype active\r\n"
        "a=candidate:3 2 UDP 2122187006 6dbde438.local 49507 typ host\r\na=end-of-candidates\r\n"
    )
    remote = answer(vector(NO_DATA) + candidates).remote
    assert [candidate.port for candidate in remote.candidates] == [59787, 9, 49507]
    assert remote.end_of_candidates


def test_ice_lite_peer_is_recognised(vector: Vector, answer: Answer) -> None:
    assert answer(vector(NO_DATA).replace("a=group", "a=ice-lite\r\na=group")).remote.ice_lite


def test_lite_agent_says_so_once_for_the_session(
    vector: Vector, answer: Answer, transport: TransportParameters
) -> None:
    lite = TransportParameters(transport.ice_ufrag, transport.ice_pwd, transport.fingerprints, ice_lite=True)
    text = str(answer(vector(CHROMIUM), transport=lite).description)
    assert text.index("a=ice-lite\r\n") < text.index("m=audio")
    assert text.count("a=ice-lite") == 1


def test_candidates_beyond_any_use_are_not_looked_at(vector: Vector, answer: Answer) -> None:
    line = "a=candidate:1 1 udp 2122260223 192.0.2.1 {} typ host\r\n"
    candidates = "".join(line.format(40000 + index) for index in range(300)) + "a=candidate:nonsense\r\n"
    ports = [candidate.port for candidate in answer(vector(NO_DATA) + candidates).remote.candidates]
    assert ports == list(range(40000, 40000 + MAX_CANDIDATES))


def test_complete_answer_ends_its_candidates(vector: Vector, answer: Answer, transport: TransportParameters) -> None:
    complete = TransportParameters(
        transport.ice_ufrag,
        transport.ice_pwd,
        transport.fingerprints,
        candidates=transport.candidates,
        end_of_candidates=True,
    )
    text = str(answer(vector(CHROMIUM), transport=complete).description)
    assert (text.count("a=candidate:"), text.count("a=end-of-candidates")) == (2, 1)
    assert "a=candidate:1 1 udp 2130706431 192.0.2.10 40000 typ host\r\n" in text


@pytest.mark.parametrize(
    ("lines", "wishes"),
    [
        ("", (None, None)),
        ("a=ptime:40\r\n", (40, None)),
        ("a=maxptime:10\r\n", (None, 10)),
        ("a=ptime:60\r\na=maxptime:40\r\n", (60, 40)),
    ],
)
def test_packet_times_that_the_peer_wishes_are_reported(
    lines: str, wishes: tuple[int | None, int | None], vector: Vector, answer: Answer
) -> None:
    audio = answer(vector(NO_DATA) + lines).audio
    assert audio is not None
    assert (audio.ptime_ms, audio.maxptime_ms) == wishes


def test_announced_source_is_reported(vector: Vector, answer: Answer) -> None:
    audio = answer(vector(CHROMIUM)).audio
    assert audio is not None
    assert (audio.remote_ssrcs, audio.remote_cname) == ((2541250527,), "yYuepoRyAXSy3aX4")


@pytest.mark.parametrize("attribute", ["extmap-allow-mixed", "rtcp-rsize"])
def test_offered_property_is_echoed_and_no_other(attribute: str, vector: Vector, answer: Answer) -> None:
    assert f"a={attribute}\r\n" in str(answer(vector(CHROMIUM)).description)
    assert attribute not in str(answer(vector(CHROMIUM).replace(f"a={attribute}", "a=x")).description)


@pytest.mark.parametrize(
    ("lines", "size"), [("a=max-message-size:1000", 1000), ("a=max-message-size:0", None), ("a=x", 65536)]
)
def test_data_association_of_the_peer_is_reported(lines: str, size: int | None, vector: Vector, answer: Answer) -> None:
    negotiation = answer(vector(CHROMIUM).replace("a=max-message-size:262144", lines))
    assert negotiation.data is not None
    assert (negotiation.data.mid, negotiation.data.sctp_port, negotiation.data.max_message_size) == ("1", 5000, size)
    assert "a=sctp-port:5000\r\na=max-message-size:262144\r\n" in str(negotiation.description)


def test_profile_of_the_offer_is_repeated(vector: Vector, answer: Answer) -> None:
    assert (
        answer(vector(NO_DATA).replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF")).description.media[0].protocol == "RTP/SAVPF"
    )


def test_legacy_lines_change_nothing(vector: Vector, answer: Answer) -> None:
    legacy = (
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
        "a=ssrc:1 mslabel:x\r\na=ssrc:1 label:y\r\na=ssrc-group:FID 1 2\r\na=silenceSupp:off - - - -\r\n"
    )
    offer = vector(NO_DATA).replace("c=IN IP4 0.0.0.0", "c=IN IP4 192.0.2.1\r\nb=AS:50\r\nb=TIAS:50000")
    offer = offer.replace("t=0 0", "c=IN IP4 192.0.2.1\r\nt=0 0")
    assert answer(offer + legacy).description == answer(vector(NO_DATA)).description


def test_second_offer_is_answered_by_the_same_function(vector: Vector, answer: Answer) -> None:
    first, second = answer(vector(NO_DATA)), answer(vector(NO_DATA), session_version=2)
    assert str(second.description) == str(first.description).replace("o=- 7 1", "o=- 7 2")
    restarted = answer(vector(NO_DATA).replace("rhft", "RHFT"), session_version=2)
    assert restarted.remote.ice_ufrag != first.remote.ice_ufrag


@pytest.mark.parametrize(
    ("pattern", "replacement", "code"),
    [
        ("a=rtcp-mux", "a=x", "RTCP_MUX_REQUIRED"),
        ("a=ice-ufrag:.*", "a=x", "ICE_REQUIRED"),
        ("a=ice-pwd:.*", "a=x", "ICE_REQUIRED"),
        ("a=fingerprint:.*", "a=x", "FINGERPRINT_REQUIRED"),
        ("a=fingerprint:.*", "a=fingerprint:sha-1 " + ":".join(["AB"] * 20), "FINGERPRINT_REQUIRED"),
        ("a=fingerprint:.*", "a=fingerprint:sha3-256 " + ":".join(["AB"] * 32), "FINGERPRINT_REQUIRED"),
        ("a=setup:actpass", "a=setup:holdconn", "SETUP_UNSUPPORTED"),
        ("m=audio 9", "m=audio 0", "NO_USABLE_SECTION"),
        ("m=audio", "m=video", "NO_USABLE_SECTION"),
        ("UDP/TLS/RTP/SAVPF", "UDP/UNKNOWN", "NO_USABLE_SECTION"),
    ],
)
def test_offer_that_cannot_work_is_refused_by_code(
    pattern: str, replacement: str, code: str, vector: Vector, answer: Answer
) -> None:
    with pytest.raises(OfferRefused) as caught:
        answer(re.sub(pattern + r"(?=\r?\n|\s)", replacement, vector(NO_DATA)))
    assert caught.value.code == code


def test_weak_fingerprint_beside_a_good_one_does_not_count(vector: Vector, answer: Answer) -> None:
    weak, strong = "a=fingerprint:sha-1 " + ":".join(["AB"] * 20), ":".join(["CD"] * 64)
    offer = re.sub("a=fingerprint:.*", f"{weak}\na=fingerprint:sha-512 {strong}", vector(NO_DATA)).replace("\r", "")
    assert answer(offer).remote.fingerprints == (Fingerprint("sha-512", strong),)


def test_malformed_attribute_is_named_with_its_line(vector: Vector, answer: Answer) -> None:
    text = vector(NO_DATA).replace("a=ice-ufrag:rhft", "a=ice-ufrag:?")
    with pytest.raises(Malformed, match=r"^line 11: after a=ice-ufrag: expected 4–256 letters"):
        answer(text)


def test_message_of_a_refusal_is_short_whatever_was_offered(vector: Vector, answer: Answer) -> None:
    numbers = [str(number) for number in range(96, 128)]
    rtpmaps = "".join(f"a=rtpmap:{number} {'x' * 500}/8000\r\n" for number in numbers)
    offer = re.sub(r"a=(rtpmap|fmtp):.*\r?\n", "", vector(NO_DATA)) + rtpmaps
    with pytest.raises(NoCommonCodec) as caught:
        answer(offer.replace("111 63 9 0 8 13 110 126", " ".join(numbers)))
    assert len(str(caught.value)) < 1000


def test_stream_name_with_a_line_end_cannot_reach_the_peer(vector: Vector, answer: Answer) -> None:
    made = answer(vector(NO_DATA), sending=SendingTrack(1, "a", "b\r\na=sendonly", "c"))
    with pytest.raises(ValueError, match="no line ends"):
        str(made.description)
