import random

import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.channel_data import build_channel_data, parse_channel_data_untrusted
from glottis.wire.stun import Attribute, MessageClass, build_stun
from glottis.wire.stun_stream import MAX_MESSAGE, StunStream, for_stream

STUN = build_stun(MessageClass.SUCCESS, bytes(range(12)), [(Attribute.SOFTWARE, b"x")])
MESSAGES = [STUN, build_channel_data(0x4000, b"hello"), build_channel_data(0x4FFF, b""), STUN]


@pytest.mark.parametrize("size", [1, 3, 7, 4096])
def test_messages_are_cut_apart_however_they_come(size: int) -> None:
    stream, written = StunStream(), b"".join(map(for_stream, MESSAGES))
    read = [
        message
        for position in range(0, len(written), size)
        for message in stream.feed_untrusted(written[position : position + size])
    ]
    assert read == [for_stream(message) for message in MESSAGES]
    assert parse_channel_data_untrusted(read[1]).data == b"hello"


@pytest.mark.parametrize("size", [100, 4096])
def test_message_that_is_too_long_is_skipped(size: int) -> None:
    """Any peer can make the server relay one."""
    stream = StunStream()
    written = (
        for_stream(build_channel_data(0x4000, bytes(65535)))
        + STUN
        + for_stream(build_channel_data(0x4000, bytes(MAX_MESSAGE - 3)))
        + STUN
    )
    read = [
        message
        for position in range(0, len(written), size)
        for message in stream.feed_untrusted(written[position : position + size])
    ]
    assert read == [STUN, STUN]
    assert stream.skipped == 2


def test_longest_message_is_kept() -> None:
    message = build_channel_data(0x4000, bytes(MAX_MESSAGE - 4))
    assert StunStream().feed_untrusted(message) == [message]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80\0\0\0", id="media"),
        pytest.param(b"SSH-2.0", id="another protocol"),
        pytest.param(b"\x16\3\1\0", id="TLS where there is none"),
        pytest.param(STUN[:3] + b"\1" + STUN[4:], id="a length that is not in words"),
        pytest.param(STUN[:4] + bytes(4) + STUN[8:], id="no magic cookie"),
        pytest.param(STUN[:2] + b"\0\4" + STUN[4:], id="a lie about a length"),
    ],
)
def test_what_is_no_stun_makes_the_stream_useless(data: bytes) -> None:
    with pytest.raises(Malformed):
        StunStream().feed_untrusted(data + STUN + STUN)


def test_any_bytes_are_messages_or_malformed() -> None:
    """Fuzz: ``StunStream.feed_untrusted`` raises nothing but ``Malformed``, and holds no more than a message."""
    rng = random.Random(8489)
    cut = 0
    for _ in range(2000):
        stream, written = StunStream(), bytearray(b"".join(map(for_stream, rng.choices(MESSAGES, k=4))))
        for _ in range(rng.randrange(3)):
            written[rng.randrange(len(written))] = rng.randrange(256)
        try:
            messages = stream.feed_untrusted(bytes(written))
        except Malformed:
            continue
        cut += len(messages)
        assert all(4 <= len(message) <= MAX_MESSAGE for message in messages)
    assert cut > 1000
