import contextlib
from collections.abc import Callable

import pytest
from glottis.contracts.errors import Malformed
from glottis.sdp import Direction, Fingerprint, RtpMap, Setup
from glottis.sdp import attributes as readers
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

SHA_256 = ":".join(["AB"] * 32)


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [
        (readers.parse_rtpmap_untrusted, "111 opus/48000/2", RtpMap(111, "opus", 48000, 2)),
        (readers.parse_rtpmap_untrusted, "9 G722/8000", RtpMap(9, "G722", 8000)),
        (readers.parse_rtpmap_untrusted, "9 G722/8000/1", RtpMap(9, "G722", 8000, 1)),
        (readers.parse_rtpmap_untrusted, "111 \t opus/48000/2", RtpMap(111, "opus", 48000, 2)),
        (
            readers.parse_fmtp_untrusted,
            "111 minptime=10;useinbandfec=1",
            (111, {"minptime": "10", "useinbandfec": "1"}),
        ),
        (readers.parse_fmtp_untrusted, "111 UseInbandFEC = 1 ; x=a=b;", (111, {"useinbandfec": "1", "x": "a=b"})),
        (readers.parse_fmtp_untrusted, "111 stereo=1;stereo=0", (111, {"stereo": "1"})),
        (readers.parse_fmtp_untrusted, "63 111/111", (63, {"111/111": ""})),
        (readers.parse_fmtp_untrusted, "101 0-15", (101, {"0-15": ""})),
        (readers.parse_fmtp_untrusted, "111  ;; stereo=1 ;;", (111, {"stereo": "1"})),
        (readers.parse_fingerprint_untrusted, f"sha-256  {SHA_256}", Fingerprint("sha-256", SHA_256)),
        (readers.parse_fingerprint_untrusted, f"SHA-256 {SHA_256.lower()}", Fingerprint("sha-256", SHA_256)),
        (readers.parse_fingerprint_untrusted, "sha-1 01:02", Fingerprint("sha-1", "01:02")),
        (readers.parse_setup_untrusted, "actpass", Setup.ACTPASS),
        (readers.parse_setup_untrusted, "ACTIVE", Setup.ACTIVE),
        (readers.parse_source_attribute_untrusted, "4294967295 cname:a b", (4294967295, "cname", "a b")),
        (readers.parse_source_attribute_untrusted, "1 flag", (1, "flag", "")),
        (readers.parse_source_attribute_untrusted, "1", (1, "", "")),
        (readers.parse_group_untrusted, "BUNDLE 0 audio", ("BUNDLE", ("0", "audio"))),
        (readers.parse_group_untrusted, "BUNDLE", ("BUNDLE", ())),
        (readers.parse_group_untrusted, "BUNDLE  0  1", ("BUNDLE", ("0", "1"))),
        (readers.parse_mid_untrusted, "audio-1", "audio-1"),
        (readers.parse_ice_ufrag_untrusted, "s9+/", "s9+/"),
        (readers.parse_ice_ufrag_untrusted, "a-b_c=d#", "a-b_c=d#"),
        (readers.parse_ice_pwd_untrusted, "a" * 22, "a" * 22),
        (readers.parse_ice_options_untrusted, "trickle ice2", frozenset({"trickle", "ice2"})),
        (readers.parse_ice_options_untrusted, "ice2,trickle", frozenset({"trickle", "ice2"})),
        (readers.parse_ice_options_untrusted, "ice2,  trickle,", frozenset({"trickle", "ice2"})),
        (readers.parse_ice_options_untrusted, "trickle é", frozenset({"trickle"})),
        (readers.parse_ice_options_untrusted, "", frozenset()),
        (readers.parse_packet_time_untrusted, "20", 20.0),
        (readers.parse_packet_time_untrusted, "2.5", 2.5),
        (readers.parse_sctp_port_untrusted, "5000", 5000),
        (readers.parse_max_message_size_untrusted, "262144", 262144),
        (readers.parse_max_message_size_untrusted, "0", None),
    ],
)
def test_value_is_read(reader: Callable[[str], object], text: str, value: object) -> None:
    assert reader(text) == value


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (readers.parse_rtpmap_untrusted, "128 opus/48000/2"),
        (readers.parse_rtpmap_untrusted, "4294967296 opus/48000/2"),
        (readers.parse_rtpmap_untrusted, "111 opus"),
        (readers.parse_rtpmap_untrusted, "\u0661 opus/48000"),
        (readers.parse_rtpmap_untrusted, "111 opus/48000\n"),
        (readers.parse_fmtp_untrusted, ":101 0-16"),
        (readers.parse_fmtp_untrusted, "101"),
        (readers.parse_fingerprint_untrusted, f"sha-256 {SHA_256[:-3]}"),
        (readers.parse_fingerprint_untrusted, f"sha-512 {SHA_256}"),
        (readers.parse_fingerprint_untrusted, "sha-256 " + "AB" * 32),
        (readers.parse_setup_untrusted, "both"),
        (readers.parse_source_attribute_untrusted, "4294967296 cname:a"),
        (readers.parse_mid_untrusted, "two words"),
        (readers.parse_ice_ufrag_untrusted, "abc"),
        (readers.parse_ice_ufrag_untrusted, "a" * 257),
        (readers.parse_ice_ufrag_untrusted, "abc:def"),
        (readers.parse_ice_pwd_untrusted, "a" * 21),
        (readers.parse_packet_time_untrusted, "0"),
        (readers.parse_packet_time_untrusted, "1e9"),
        (readers.parse_sctp_port_untrusted, "0"),
        (readers.parse_sctp_port_untrusted, "65536"),
        (readers.parse_max_message_size_untrusted, "9" * 5000),
        (readers.parse_max_message_size_untrusted, "-1"),
    ],
)
def test_value_outside_the_grammar_is_malformed(reader: Callable[[str], object], text: str) -> None:
    with pytest.raises(Malformed, match=r"^expected "):
        reader(text)


@pytest.mark.parametrize("mirrored", [(Direction.SENDONLY, Direction.RECVONLY), (Direction.INACTIVE,) * 2])
def test_direction_is_reversed_for_the_other_side(mirrored: tuple[Direction, Direction]) -> None:
    assert (mirrored[0].reversed, mirrored[1].reversed) == mirrored[::-1]


@pytest.mark.parametrize(
    "text", ["111 opus/48000/2", "9 G722/8000"], ids=["channels are written", "one channel is not written"]
)
def test_rtpmap_is_written_as_it_was_read(text: str) -> None:
    assert str(readers.parse_rtpmap_untrusted(text)) == text


READERS = [reader for name, reader in vars(readers).items() if name.startswith("parse_")]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_fuzz_attribute_readers_raise_nothing_but_malformed(reader: Callable[[str], object]) -> None:
    """Whatever text comes, every parse_…_untrusted of glottis.sdp.attributes raises Malformed or gives a value."""

    @settings(max_examples=examples(60), derandomize=True)
    @given(st.text() | st.text("0123456789 /:;=-aABsh.٣\n", max_size=40))
    def read(text: str) -> None:
        with contextlib.suppress(Malformed):
            reader(text)

    read()
