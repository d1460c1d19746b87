import random

import pytest
from aiortc import rtp as aiortc_rtp
from glottis.contracts.errors import Malformed
from glottis.wire.rtp import build_rtp, parse_rtp_untrusted
from glottis.wire.rtp_extensions import build_extensions, find_extensions_untrusted


def elements_of(extension: bytes) -> dict[int, bytes]:
    return {number: extension[place] for number, place in find_extensions_untrusted(extension).items()}


@pytest.mark.parametrize(
    "elements",
    [
        [(1, b"a")],
        [(1, b"a"), (14, b"b" * 16), (2, b"cde")],
        [(1, b"a"), (16, b"b")],
        [(1, b"")],
        [(3, b"b" * 17), (255, b"c" * 255)],
    ],
)
def test_what_is_built_is_read_here_and_by_another_stack(elements: list[tuple[int, bytes]]) -> None:
    data = build_rtp(111, 1, 2, 3, b"payload", extension=build_extensions(elements))
    packet = parse_rtp_untrusted(data)
    assert packet.payload == b"payload"
    assert elements_of(packet.extension) == dict(elements)
    profile, extension = int.from_bytes(packet.extension[:2]), packet.extension[4:]
    assert aiortc_rtp.unpack_header_extensions(profile, extension) == elements


def test_nothing_is_built_of_no_elements() -> None:
    assert build_extensions([]) == b""


@pytest.mark.parametrize(
    ("extension", "elements"),
    [
        ("bede0002 1085 0000 72616263", {1: b"\x85", 7: b"abc"}),
        ("10070001 01018500", {1: b"\x85"}),
        ("bede0001 10ff f000", {1: b"\xff"}),
        ("bede0001 10aa 10bb", {1: b"\xaa"}),
        ("abac0001 616e7920", {}),
        ("", {}),
    ],
    ids=["one-byte", "two-byte", "stop", "repeated", "other", "none"],
)
def test_t22_elements_are_read_whatever_is_around_them(extension: str, elements: dict[int, bytes]) -> None:
    assert elements_of(bytes.fromhex(extension.replace(" ", ""))) == elements


@pytest.mark.parametrize("extension", ["bede0001 0000 0012", "10000001 00 01 02 ff", "10000001 00 00 00 05"])
def test_element_that_runs_past_the_end_is_malformed(extension: str) -> None:
    with pytest.raises(Malformed):
        find_extensions_untrusted(bytes.fromhex(extension.replace(" ", "")))


def test_fuzz_find_extensions() -> None:
    """find_extensions_untrusted raises nothing but Malformed, whatever the bytes."""
    rng = random.Random(3)
    for _ in range(3000):
        data = rng.choice((b"\xbe\xde", b"\x10\x03", rng.randbytes(2))) + rng.randbytes(rng.randint(0, 40))
        try:
            elements = elements_of(data)
        except Malformed:
            continue
        assert sum(map(len, elements.values())) < len(data)
