import random

import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.channel_data import ChannelData, build_channel_data, parse_channel_data_untrusted
from hypothesis import given, settings
from hypothesis import strategies as st


@given(channel=st.integers(0x4000, 0x4FFF), data=st.binary(max_size=100), padding=st.integers(0, 3))
@settings(max_examples=60, derandomize=True)
def test_what_is_written_can_be_read_with_any_padding(channel: int, data: bytes, padding: int) -> None:
    assert parse_channel_data_untrusted(build_channel_data(channel, data) + bytes(padding)) == ChannelData(
        channel, data
    )


def test_bytes_are_those_of_the_rfc() -> None:
    assert build_channel_data(0x4001, b"hello") == bytes.fromhex("40010005") + b"hello"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x40\0\0", id="cut header"),
        pytest.param(b"\x40\0\0\5four", id="cut data"),
        pytest.param(b"\x50\0\0\0", id="reserved number"),
        pytest.param(b"\x3f\xff\0\0", id="no number of a channel"),
    ],
)
def test_what_is_no_channel_data_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_channel_data_untrusted(data)


def test_any_bytes_are_channel_data_or_malformed() -> None:
    """Fuzz: ``parse_channel_data_untrusted`` raises nothing but ``Malformed``."""
    rng = random.Random(8656)
    parsed = 0
    for _ in range(5000):
        data = bytes((rng.randrange(60, 90), rng.randrange(256), 0, rng.randrange(12))) + rng.randbytes(10)
        try:
            channel, payload = parse_channel_data_untrusted(data[: rng.randrange(15)])
        except Malformed:
            continue
        parsed += 1
        assert channel in range(0x4000, 0x5000)
        assert payload in data
    assert parsed > 500
