import contextlib

import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.dcep import MAX_OPEN_SIZE, OPEN_ACK, ChannelOpen, parse_dcep_untrusted
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

CHROMIUM_OPEN = bytes.fromhex("03 00 0000 00000000 0004 0000".replace(" ", "")) + b"chat"


def test_open_as_browsers_send_it() -> None:
    assert parse_dcep_untrusted(CHROMIUM_OPEN) == ChannelOpen("chat", priority=0)


def test_acknowledgement_is_not_an_open() -> None:
    assert parse_dcep_untrusted(OPEN_ACK) is None


@given(
    st.builds(
        ChannelOpen,
        label=st.text(max_size=9),
        protocol=st.text(max_size=9),
        ordered=st.booleans(),
        max_retransmits=st.none() | st.integers(0, 2**32 - 1),
        priority=st.integers(0, 65535),
    )
)
@settings(max_examples=examples(50), derandomize=True)
def test_open_comes_back(message: ChannelOpen) -> None:
    assert parse_dcep_untrusted(message.encode()) == message


def test_life_time_comes_back() -> None:
    message = ChannelOpen("x", ordered=False, max_packet_life_time_ms=1500)
    assert parse_dcep_untrusted(message.encode()) == message


@pytest.mark.parametrize("message", [b"", b"\x07" + CHROMIUM_OPEN[1:], CHROMIUM_OPEN[:-1], CHROMIUM_OPEN[:11]])
def test_what_is_neither_open_nor_ack_is_malformed(message: bytes) -> None:
    with pytest.raises(Malformed):
        parse_dcep_untrusted(message)


def test_open_beyond_its_bound_is_malformed() -> None:
    with pytest.raises(Malformed, match="too long"):
        parse_dcep_untrusted(CHROMIUM_OPEN + bytes(MAX_OPEN_SIZE))


@pytest.mark.parametrize(
    ("message", "understood"),
    [
        (CHROMIUM_OPEN + b"\0\0", ChannelOpen("chat", priority=0)),
        (b"\x03\x03" + CHROMIUM_OPEN[2:], ChannelOpen("chat", priority=0)),
        (b"\x03\xff" + CHROMIUM_OPEN[2:], ChannelOpen("chat", ordered=False, priority=0)),
        (b"\x03\x00\0\0\0\0\0\x09" + CHROMIUM_OPEN[8:], ChannelOpen("chat", priority=0)),
        (CHROMIUM_OPEN[:-1] + b"\xff", ChannelOpen("cha\ufffd", priority=0)),
        (OPEN_ACK + b"\0\0\0", None),
    ],
    ids=["padded", "unknown type", "unknown unordered type", "needless parameter", "latin-1 label", "padded ack"],
)
def test_what_is_odd_but_harmless_is_understood(message: bytes, understood: ChannelOpen | None) -> None:
    assert parse_dcep_untrusted(message) == understood


@given(st.binary(max_size=40) | st.binary(max_size=30).map(lambda rest: b"\x03\x00" + rest))
@settings(max_examples=examples(300), derandomize=True)
def test_fuzz_parse_dcep_untrusted(data: bytes) -> None:
    """``parse_dcep_untrusted`` raises exactly ``Malformed``."""
    with contextlib.suppress(Malformed):
        parse_dcep_untrusted(data)
