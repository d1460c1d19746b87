import random
from contextlib import suppress
from pathlib import Path

import aiortc.rtp
import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.rtp import RtpPacket, build_rtp, parse_rtp_untrusted
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

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
@settings(max_examples=examples(50))
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
    assert parse_rtp_untrusted(data).payload == b"ab"


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


@pytest.mark.parametrize(
    ("profile", "extension"), [(0xBEDE, b"\x10\x85\x00\x00\x72abc"), (0x1007, b"\x01\x01\x85\x00"), (0xABAC, b"any")]
)
def test_t22_extensions_of_every_profile_are_skipped(profile: int, extension: bytes) -> None:
    assert parse_rtp_untrusted(with_extension(profile, extension)).payload == b"payload"


def mutated(seed: bytes, rng: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(rng.randint(1, 4)):
        if data:
            data[rng.randrange(min(len(data), 40))] = rng.getrandbits(8)
    return bytes(data[: rng.randint(0, len(data))]) if rng.random() < 0.3 else bytes(data)


def test_fuzz_parse_rtp() -> None:
    """parse_rtp_untrusted raises nothing but Malformed, whatever the bytes."""
    rng = random.Random(1)
    for seed in SEEDS:
        for _ in range(300):
            try:
                packet = parse_rtp_untrusted(mutated(seed, rng))
            except Malformed:
                continue
            assert len(packet.payload) <= len(seed)


@given(st.integers(0, 0x7F), st.binary(max_size=80))
@settings(max_examples=examples(150))
def test_fuzz_parse_rtp_of_version_2(first: int, rest: bytes) -> None:
    """parse_rtp_untrusted raises nothing but Malformed for anything of version 2."""
    with suppress(Malformed):
        parse_rtp_untrusted(bytes([first & 0x3F | 0x80]) + rest)
