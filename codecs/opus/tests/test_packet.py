import random

import pytest
from glottis import Malformed
from glottis_opus import OPUS, payload_duration_untrusted
from glottis_opus._opus import lib
from hypothesis import given, settings
from hypothesis import strategies as st

LAST_FRAME_COUNT = 63


@pytest.mark.parametrize("configuration", range(32))
def test_duration_of_every_toc_agrees_with_libopus(configuration: int) -> None:
    for stereo in (0, 4):
        for code in range(3):
            check_against_libopus(bytes([configuration << 3 | stereo | code, 0, 0]))
        for count in range(LAST_FRAME_COUNT + 1):
            check_against_libopus(bytes([configuration << 3 | stereo | 3, count, 0]))


@pytest.mark.parametrize(
    ("payload", "ticks"),
    [
        (bytes([0 << 3]), 480),  # SILK, narrowband, 10 ms
        (bytes([11 << 3]), 2880),  # SILK, wideband, 60 ms
        (bytes([13 << 3 | 1]), 1920),  # hybrid, two frames of 20 ms
        (bytes([28 << 3]), 120),  # CELT, fullband, 2.5 ms
        (bytes([28 << 3 | 3, 48]), 5760),  # 48 of them: the longest packet there is
    ],
)
def test_duration_follows_table_2_of_rfc_6716(payload: bytes, ticks: int) -> None:
    assert payload_duration_untrusted(payload) == ticks


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (b"", "needs at least the TOC byte"),
        (b"\x03", "frame count byte"),
        (b"\x03\x00", "not 0 ms"),
        (bytes([3 << 3 | 3, 3]), "not 180 ms"),
        (bytes([28 << 3 | 3, 49]), "not 122 ms"),
    ],
)
def test_malformed_packets_are_refused_with_the_reason(payload: bytes, complaint: str) -> None:
    with pytest.raises(Malformed, match=complaint):
        payload_duration_untrusted(payload)


@settings(max_examples=300, derandomize=True)
@given(st.binary(max_size=100))
def test_fuzz_payload_duration_untrusted(payload: bytes) -> None:
    """``payload_duration_untrusted`` raises ``Malformed`` and nothing else, whatever the bytes."""
    check_against_libopus(payload)


def test_fuzz_payload_duration_untrusted_with_random_toc_bytes() -> None:
    """``payload_duration_untrusted`` raises ``Malformed`` and nothing else, whatever the bytes."""
    rng = random.Random(6716)
    for _ in range(20_000):
        check_against_libopus(rng.randbytes(rng.randrange(4)))


def check_against_libopus(payload: bytes) -> None:
    expected = lib.opus_packet_get_nb_samples(payload, len(payload), 48000)
    try:
        assert payload_duration_untrusted(payload) == expected
    except Malformed:
        assert expected <= 0


@given(st.binary(max_size=12))
def test_whether_there_is_redundancy_can_be_asked_of_anything(payload: bytes) -> None:
    assert OPUS.has_redundancy(payload) in (True, False)
