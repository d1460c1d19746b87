import random

import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.stream_frames import MAX_FRAME, StreamFrames, framed

DATAGRAMS = [b"\x80hello", b"x", bytes(MAX_FRAME), b"\0\1"]


@pytest.mark.parametrize("size", [1, 3, 7, 8192])
def test_datagrams_are_cut_apart_however_they_come(size: int) -> None:
    stream, written = StreamFrames(), b"\0\0".join(map(framed, DATAGRAMS))
    read = [
        datagram
        for position in range(0, len(written), size)
        for datagram in stream.feed_untrusted(written[position : position + size])
    ]
    assert read == DATAGRAMS


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(framed(bytes(MAX_FRAME + 1)), id="a frame that is too long"),
        pytest.param(b"\xff\xff", id="a lie about a length"),
        pytest.param(b"GET / HTTP/1.1\r\n", id="another protocol"),
        pytest.param(b"\x16\3\1\2\0", id="TLS"),
    ],
)
def test_what_is_longer_than_a_datagram_makes_the_stream_useless(data: bytes) -> None:
    with pytest.raises(Malformed):
        StreamFrames().feed_untrusted(data)


def test_any_bytes_are_datagrams_or_malformed() -> None:
    """Fuzz: ``StreamFrames.feed_untrusted`` raises nothing but ``Malformed``, and holds no more than a datagram."""
    rng = random.Random(4571)
    cut = 0
    for _ in range(500):
        stream, written = StreamFrames(), bytearray(b"".join(map(framed, rng.choices(DATAGRAMS, k=3))))
        for _ in range(rng.randrange(3)):
            written[rng.randrange(len(written))] = rng.choice((0, 1, 8, rng.randrange(256)))
        try:
            datagrams = stream.feed_untrusted(bytes(written))
        except Malformed:
            continue
        cut += len(datagrams)
        assert all(1 <= len(datagram) <= MAX_FRAME for datagram in datagrams)
    assert cut > 500
