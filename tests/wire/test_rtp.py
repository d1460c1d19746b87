import random
from contextlib import suppress
from pathlib import Path

import aiortc.rtp
import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.rtp import RtpPacket, build_rtp, extensions_untrusted, parse_rtp_untrusted
from hypothesis import given, settings
from hypothesis import strategies as st

SEEDS = [file.read_bytes() for file in sorted(Path(__file__).parents[1].joinpath("vectors/rtp").glob("*.bin"))]
FIXED = bytes.fromhex("005f 1234 0000abcd 00000007".replace(" ", ""))
"""The fixed header behind its first byte, which is for each test to choose."""


def with_extension(profile: int, extension: bytes, payload: bytes = b"payload") -> bytes:
    extension += bytes(-len(extension) % 4)
    return b"\x90" + FIXED[:11] + profile.to_bytes(2) + (len(extension) // 4).to_bytes(2) + extension + payload


@given(
    st.integers(0, 127), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_what_is_built_is_read(
    payload_type: int, sequence_number: int, timestamp: int, ssrc: int, payload: bytes, marker: bool
) -> None:
    data = build_rtp(payload_type, sequence_number, timestamp, ssrc, payload, marker)
    assert parse_rtp_untrusted(data) == RtpPacket(payload_type, marker, sequence_number, timestamp, ssrc, payload)


@pytest.mark.parametrize("marker", [False, True])
def test_another_stack_reads_what_is_built(marker: bool) -> None:
    packet = aiortc.rtp.RtpPacket.parse(build_rtp(111, 65535, 2**32 - 1, 2**31, b"payload", marker))
    assert (packet.payload_type, packet.marker, packet.payload) == (111, marker, b"payload")
    assert (packet.sequence_number, packet.timestamp, packet.ssrc) == (65535, 2**32 - 1, 2**31)


def test_dtmf_event_of_another_stack_is_read() -> None:
    packet = parse_rtp_untrusted(Path(__file__).parents[1].joinpath("vectors/rtp/aiortc-rtp_dtmf.bin").read_bytes())
    assert (packet.payload_type, packet.marker, len(packet.payload)) == (101, True, 4)


def test_contributing_sources_extension_and_padding_are_taken_off_the_payload() -> None:
    data = b"\xb2" + FIXED[:11] + bytes(3) + b"\x01" + bytes(3) + b"\x02" + b"\xab\xcd\x00\x01WORD" + b"ab\x00\x00\x03"
    packet = parse_rtp_untrusted(data)
    assert packet.contributing_sources == (1, 2)
    assert (packet.extension_profile, packet.extension) == (0xABCD, b"WORD")
    assert packet.payload == b"ab"


def test_packet_of_padding_alone_has_an_empty_payload() -> None:
    assert parse_rtp_untrusted(b"\xa0" + FIXED[:11] + bytes(9) + b"\x0a").payload == b""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80" + FIXED[:10],
        b"\x40" + FIXED[:11],
        b"\x81" + FIXED[:11],
        b"\x90" + FIXED[:11] + b"\xbe\xde\x00",
        b"\x90" + FIXED[:11] + b"\xbe\xde\x00\x02WORD",
        b"\xa0" + FIXED[:11],
        b"\xa0" + FIXED[:11] + b"ab\x00",
        b"\xa0" + FIXED[:11] + b"ab\x04",
    ],
    ids=[
        "empty",
        "short",
        "version",
        "csrc",
        "extension-header",
        "extension",
        "no-padding",
        "padding-0",
        "padding-all",
    ],
)
def test_packet_that_contradicts_itself_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_rtp_untrusted(data)


def test_t22_one_byte_elements_are_found_among_padding_and_unknown_identifiers() -> None:
    packet = parse_rtp_untrusted(with_extension(0xBEDE, b"\x10\x85\x00\x00\x72abc\x31mm"))
    assert extensions_untrusted(packet) == {1: b"\x85", 7: b"abc", 3: b"mm"}
    assert packet.payload == b"payload"


def test_t22_two_byte_elements_are_found_whatever_the_application_bits() -> None:
    packet = parse_rtp_untrusted(with_extension(0x1007, b"\x01\x01\x85\x00\x10\x00\xf0\x03abc"))
    assert extensions_untrusted(packet) == {1: b"\x85", 16: b"", 240: b"abc"}


def test_t22_extension_of_an_unknown_profile_is_skipped() -> None:
    packet = parse_rtp_untrusted(with_extension(0xABAC, b"anything"))
    assert extensions_untrusted(packet) == {}
    assert packet.payload == b"payload"


def test_identifier_15_ends_a_one_byte_extension() -> None:
    assert extensions_untrusted(parse_rtp_untrusted(with_extension(0xBEDE, b"\x10a\xf0b\x20c"))) == {1: b"a"}


@pytest.mark.parametrize(
    ("profile", "extension"), [(0xBEDE, b"\x00\x00\x00\x11"), (0x1000, b"\x01\x03a"), (0x1000, b"\x00\x00\x00\x01")]
)
def test_element_that_runs_past_its_extension_is_malformed(profile: int, extension: bytes) -> None:
    with pytest.raises(Malformed):
        extensions_untrusted(parse_rtp_untrusted(with_extension(profile, extension)))


def mutated(seed: bytes, rng: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(rng.randint(1, 4)):
        if data:
            data[rng.randrange(min(len(data), 40))] = rng.getrandbits(8)
    return bytes(data[: rng.randint(0, len(data))]) if rng.random() < 0.3 else bytes(data)


def test_fuzz_parse_rtp() -> None:
    """parse_rtp_untrusted and extensions_untrusted raise nothing but Malformed, whatever the bytes."""
    rng = random.Random(1)
    for seed in SEEDS:
        for _ in range(300):
            try:
                packet = parse_rtp_untrusted(mutated(seed, rng))
                extensions_untrusted(packet)
            except Malformed:
                continue
            assert len(packet.payload) <= len(seed)


@given(st.integers(0, 0x7F), st.binary(max_size=80))
@settings(max_examples=150, deadline=None)
def test_fuzz_parse_rtp_of_version_2(first: int, rest: bytes) -> None:
    """parse_rtp_untrusted and extensions_untrusted raise nothing but Malformed for anything of version 2."""
    with suppress(Malformed):
        extensions_untrusted(parse_rtp_untrusted(bytes([first & 0x3F | 0x80]) + rest))
