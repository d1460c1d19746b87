"""An offer is refused for what its answer needs, and for nothing else."""

import re
from collections.abc import Callable

import pytest
from glottis.contracts.errors import Malformed
from glottis.sdp import (
    AudioCapability,
    Candidate,
    Fingerprint,
    Negotiation,
    NoCommonCodec,
    OfferRefused,
    accept_answer_untrusted,
    make_offer,
    parse_session_description_untrusted,
)
from glottis.sdp.transport import MAX_CANDIDATES, MAX_CANDIDATES_READ

Answer = Callable[..., Negotiation]

FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)
OFFER = f"""v=0
o=- 4000000001 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111 0
c=IN IP4 0.0.0.0
a=mid:0
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
{FINGERPRINT}
a=setup:actpass
a=rtcp-mux
a=sendrecv
a=rtpmap:111 opus/48000/2
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:1
a=sctp-port:5000
"""
HOST = "a=candidate:1 1 udp 2130706431 192.0.2.10 50000 typ host"


def with_audio_line(line: str) -> str:
    return OFFER.replace("a=sendrecv\n", f"a=sendrecv\n{line}\n")


@pytest.mark.parametrize(
    "line",
    [
        "a=ice-options:ice2,trickle",
        "a=ice-options:",
        "a=ice-options:é",
        "a=fmtp:111",
        "a=fmtp:200 x=1",
        "a=fmtp:x",
        "a=fmtp:111 ,,,",
        "a=ssrc:1",
        "a=ssrc:1 cname",
        "a=ssrc:-1 cname:x",
        "a=ssrc:4294967296 cname:x",
        "a=ssrc-group:FID",
        "a=ptime:0",
        "a=ptime:20ms",
        "a=ptime:-20",
        "a=maxptime:0",
        "a=maxptime",
        "a=rtpmap:96",
        "a=rtpmap:96 telephone-event",
        "a=rtpmap:111 opus",
        "a=rtpmap:999 opus/48000/2",
        "a=rtpmap:0 PCMU",
        "a=rtpmap:0 PCMU/8000/1",
        "a=extmap:",
        "a=extmap:1/both urn:x",
        "a=extmap:x urn:x",
        "a=rtcp-fb:",
        "a=rtcp-fb:* é",
        "a=rtcp:IN IP7 X",
        "a=msid:",
        "a=msid-semantic:WMS",
        "a=group:BUNDLE",
        "a=mid:second mid",
        "a=sideways",
        "a=setup:active",
        "a=ice-ufrag:?",
        "a=fingerprint:sha-256",
        "a=fingerprint:sha-256 AB:CD",
        "a=fingerprint:md5 " + ":".join(["AB"] * 16),
        "a=crypto:1",
        "a=",
        "a=é",
        "b=",
        "b=AS:-1",
        "b=TIAS:64000:1",
        "c=",
        "c=IN IP4 192.0.2.1",
        "i=",
        "k=",
        "f=x",
        "nonsense",
        "=",
        "é",
        "\0",
    ],
)
def test_line_that_is_not_needed_changes_nothing(line: str, answer: Answer) -> None:
    first, second = answer(with_audio_line(line)), answer(OFFER)
    assert first.description == second.description
    assert (first.remote.ice_ufrag, first.remote.setup) == (second.remote.ice_ufrag, second.remote.setup)
    assert first.remote.fingerprints == second.remote.fingerprints


@pytest.mark.parametrize("line", ["i=", "u=x", "e=", "p=", "c=", "c=x", "b=x", "z=", "k=", "r=", "f=x", "a=x y"])
@pytest.mark.parametrize("place", ["t=0 0\n", "a=group:BUNDLE 0 1\n"])
def test_line_of_the_session_that_is_not_needed_changes_nothing(line: str, place: str, answer: Answer) -> None:
    assert answer(OFFER.replace(place, f"{line}\n{place}")).description == answer(OFFER).description
    assert answer(OFFER.replace(place, f"{place}{line}\n")).description == answer(OFFER).description


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("s=-", "s="),
        ("o=- 4000000001 2", "o=- -4000000001 -2"),
        ("o=- 4000000001 2 IN IP4 127.0.0.1", "o="),
        ("t=0 0", "t=0 0 0"),
        ("\n", "\r\n"),
        ("\n", " \r\n"),
        ("\n", "\n\n"),
        ("sctp-port:5000\n", "sctp-port:5000"),
        ("sctp-port:5000\n", "sctp-port:5000\n\n"),
        ("\na=", "\n a="),
        ("c=IN IP4 0.0.0.0", "c=IN IP4 0.0.0.0\nc=IN IP6 ::"),
        ("c=IN IP4 0.0.0.0\n", ""),
        ("BUNDLE 0 1", "BUNDLE 0 1 2 nobody"),
        ("a=group:BUNDLE 0 1", "a=group:LS\na=group:BUNDLE 0 1"),
        ("a=group:", "a=group: "),
        ("a=setup:", "a=setup: "),
        ("111 0", "111 0 x 128 111"),
        ("actpass", "ACTPASS"),
        (FINGERPRINT, FINGERPRINT.lower()),
        (FINGERPRINT, f"a=fingerprint:sha-1 AB\n{FINGERPRINT}"),
        (FINGERPRINT, f"a=fingerprint:sha-256 AB\n{FINGERPRINT}"),
        ("sctp-port:5000", "sctp-port:0"),
        ("sctp-port:5000", "sctp-port:five thousand"),
        ("sctp-port:5000", "max-message-size:-1"),
    ],
)
def test_deviation_that_is_understood_changes_nothing(old: str, new: str, answer: Answer) -> None:
    assert old in OFFER
    changed = answer(OFFER.replace(old, new))
    assert changed.description == answer(OFFER).description
    assert changed.remote == answer(OFFER).remote
    assert changed.data == answer(OFFER).data


@pytest.mark.parametrize("first", ["a=ptime:0", "a=ptime:", "a=ptime:20ms"])
def test_of_two_values_the_first_that_can_be_read_counts(first: str, answer: Answer) -> None:
    audio = answer(with_audio_line(f"{first}\na=ptime:40")).audio
    assert audio is not None
    assert audio.ptime_ms == 40


def test_source_without_an_attribute_is_known(answer: Answer) -> None:
    audio = answer(with_audio_line("a=ssrc:7")).audio
    assert audio is not None
    assert (audio.remote_ssrcs, audio.remote_cname) == ((7,), None)


def test_credentials_with_the_characters_that_libwebrtc_lets_pass_are_taken(answer: Answer) -> None:
    remote = answer(OFFER.replace("abcd\n", "ab-_\n").replace("ice-pwd:abcd", "ice-pwd:ab=#")).remote
    assert (remote.ice_ufrag, remote.ice_pwd) == ("ab-_", "ab=#efghijklmnopqrstuv")


def test_what_is_said_for_the_session_counts_for_its_sections(answer: Answer) -> None:
    lines = re.findall(r"a=(?:ice-|fingerprint|setup).*\n", OFFER)
    bare = re.sub(r"a=(?:ice-|fingerprint|setup).*\n", "", OFFER)
    assert answer(bare.replace("a=group", f"{''.join(lines)}a=group")).remote == answer(OFFER).remote


# What is needed


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (FINGERPRINT, "a=x", "FINGERPRINT_REQUIRED"),
        (FINGERPRINT, FINGERPRINT[:-3], "FINGERPRINT_REQUIRED"),
        (FINGERPRINT, "a=fingerprint:sha-1 " + ":".join(["AB"] * 20), "FINGERPRINT_REQUIRED"),
        (FINGERPRINT, "a=fingerprint:md5 " + ":".join(["AB"] * 16), "FINGERPRINT_REQUIRED"),
        ("a=ice-ufrag", "a=x", "ICE_REQUIRED"),
        ("a=ice-pwd", "a=x", "ICE_REQUIRED"),
        ("a=rtcp-mux", "a=x", "RTCP_MUX_REQUIRED"),
        ("a=setup:actpass", "a=setup:holdconn", "SETUP_UNSUPPORTED"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 111 0", "m=audio 9 UDP/TLS/RTP/SAVPF 96", "NO_COMMON_CODEC"),
    ],
)
def test_offer_that_lacks_what_is_needed_is_refused_by_name(old: str, new: str, code: str, answer: Answer) -> None:
    with pytest.raises(OfferRefused) as caught:
        answer(OFFER.replace(old, new))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ice-ufrag:abcd", "ice-ufrag:abc", "line 9: after a=ice-ufrag: expected 4–256"),
        ("ice-ufrag:abcd", "ice-ufrag:ab:cd", "line 9: after a=ice-ufrag: expected 4–256"),
        ("ice-pwd:abcd", "ice-pwd:", "line 10: after a=ice-pwd: expected 22–256"),
        ("setup:actpass", "setup:either", "line 12: after a=setup: expected active, passive, actpass or holdconn"),
    ],
)
def test_needed_value_that_cannot_be_read_is_named_with_its_line(
    old: str, new: str, message: str, answer: Answer
) -> None:
    with pytest.raises(Malformed) as caught:
        answer(OFFER.replace(old, new))
    assert str(caught.value).startswith(message)


# Candidates


@pytest.mark.parametrize(
    "candidate",
    [
        "2441 1 udp 659136 fe80::1234:5678:9abc:def0%21 60720 typ host generation 0",
        "1 1 udp -1 192.0.2.2 50000 typ host",
        "1 1 udp 12345678901 192.0.2.2 50000 typ host",
        "é 1 udp 1 192.0.2.2 50000 typ host",
        f"{'1' * 65} 1 udp 1 192.0.2.2 50000 typ host",
        "1 0 udp 1 192.0.2.2 50000 typ host",
        "1 1 udp 1 192.0.2.2 65536 typ host",
        "1 1 udp 1 192.0.2.2 typ host",
        "1 1 udp 1 192.0.2 50000 typ host",
        "1 1 udp 1 a..b 50000 typ host",
        "1 1 udp 1 192.0.2.2 50000 type host",
        "1 1 udp 1 192.0.2.2 50000 typ host " + "x" * 1024,
        "",
    ],
)
def test_candidate_that_cannot_be_read_is_ignored_and_counted(candidate: str, answer: Answer) -> None:
    remote = answer(with_audio_line(f"a=candidate:{candidate}\n{HOST}")).remote
    assert [one.address for one in remote.candidates] == ["192.0.2.10"]
    assert remote.ignored_candidates == 1


@pytest.mark.parametrize(
    "ending", [" ", "\t \r", " generation", " ufrag", " raddr nowhere rport none", "  network-id 1"]
)
def test_candidate_with_an_odd_ending_is_read(ending: str, answer: Answer) -> None:
    remote = answer(with_audio_line(HOST + ending)).remote
    assert [one.address for one in remote.candidates] == ["192.0.2.10"]


@pytest.mark.parametrize(
    "useless", ["1 1 udp 1 2001:db8::{0:x} 50000 typ host", "1 1 udp 0 192.0.2.10 {0} typ host", "nonsense"]
)
def test_useless_candidates_take_no_place_of_a_usable_one(useless: str, answer: Answer) -> None:
    lines = "\n".join(f"a=candidate:{useless.format(index)}" for index in range(1, MAX_CANDIDATES_READ))
    remote = answer(with_audio_line(f"{lines}\n{HOST}"), is_usable=is_ipv4).remote
    assert remote.candidates[-1].address == "192.0.2.10"
    assert len(remote.candidates) <= MAX_CANDIDATES + 1
    assert len(remote.candidates) + remote.ignored_candidates == MAX_CANDIDATES_READ


def is_ipv4(candidate: Candidate) -> bool:
    return ":" not in candidate.address


@pytest.mark.parametrize(
    ("mid", "media_index", "section"),
    [
        ("0", None, 0),
        ("1", None, 1),
        ("1", 0, 1),
        (None, 1, 1),
        ("", 1, 1),
        ("audio", 1, 1),
        ("audio", 2, None),
        ("audio", None, None),
        (None, 2, None),
        (None, -1, None),
        ("", None, 0),
        (None, None, 0),
    ],
)
def test_trickled_candidate_is_for_the_section_of_its_mid_or_else_of_its_index(
    mid: str | None, media_index: int | None, section: int | None, answer: Answer
) -> None:
    assert answer(OFFER).section_of(mid, media_index) == section


def test_index_counts_where_no_section_has_a_mid(answer: Answer) -> None:
    negotiation = answer(re.sub("a=(mid|group):.*\n", "", OFFER))
    assert [negotiation.section_of("0", index) for index in (0, 1, 2, None)] == [0, 1, None, None]


# Shorthands for codecs


@pytest.mark.parametrize("written", ["opus/48000", "OPUS/48000", "opus/48000/1", "Opus/48000/6", "OPUS/48000/2"])
def test_opus_has_two_channels_whatever_is_written(written: str, answer: Answer) -> None:
    negotiation = answer(OFFER.replace("opus/48000/2", written))
    assert negotiation.description == answer(OFFER).description
    assert "a=rtpmap:111 opus/48000/2\r\n" in str(negotiation.description)


def test_opus_of_an_answer_has_two_channels_whatever_is_written(
    answer: Answer, transport: object, capabilities: tuple[AudioCapability, ...], sending: object
) -> None:
    ours = {"session_id": 1, "session_version": 1, "transport": transport, "audio": capabilities, "sending": sending}
    offer = make_offer(**ours)  # type: ignore[arg-type]
    text = str(answer(str(offer), max_message_size=None).description).replace("opus/48000/2", "OPUS/48000")
    audio = accept_answer_untrusted(offer, parse_session_description_untrusted(text)).audio
    assert audio is not None
    assert str(audio.formats[0].rtpmap) == "96 opus/48000/2"


@pytest.mark.parametrize(
    ("rtpmap", "number"),
    [("pcmu/8000", 96), ("PCMU/8000/1", 96), ("pcma/8000/1", 8), ("g722/8000/1", 96), ("G722/8000", 9)],
)
def test_other_codecs_are_known_with_and_without_their_one_channel(rtpmap: str, number: int, answer: Answer) -> None:
    offer = OFFER.replace("SAVPF 111 0", f"SAVPF {number}").replace("111 opus/48000/2", f"{number} {rtpmap}")
    assert answer(offer).description.media[0].formats == (str(number),)


@pytest.mark.parametrize("rtpmap", ["", "a=rtpmap:{} X\n", "a=rtpmap:{} PCMU/8000/x\n"])
@pytest.mark.parametrize("number", [0, 8, 9])
def test_static_number_needs_no_rtpmap_that_can_be_read(number: int, rtpmap: str, answer: Answer) -> None:
    offer = OFFER.replace("SAVPF 111 0", f"SAVPF {number}").replace(
        "a=rtpmap:111 opus/48000/2\n", rtpmap.format(number)
    )
    assert answer(offer).description.media[0].formats == (str(number),)


@pytest.mark.parametrize("rtpmap", ["opus/16000/2", "G722/16000", "PCMU/16000", "PCMU/8000/2", "CN/8000", "opus"])
def test_codec_that_would_be_another_one_is_refused(rtpmap: str, answer: Answer) -> None:
    """A wrong clock shifts all timestamps, and a wrong number of channels all samples (CONTRACT T1)."""
    with pytest.raises(NoCommonCodec):
        answer(OFFER.replace("SAVPF 111 0", "SAVPF 111").replace("opus/48000/2", rtpmap))


def test_fingerprints_that_cannot_be_read_do_not_hide_those_of_the_session(answer: Answer) -> None:
    offer = OFFER.replace(FINGERPRINT, "a=fingerprint:sha-256 AB").replace("a=group", f"{FINGERPRINT}\na=group")
    assert answer(offer).remote.fingerprints == (Fingerprint("sha-256", FINGERPRINT.split()[1]),)
