from contextlib import suppress
from pathlib import Path

import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.rtp import parse_rtp_untrusted
from glottis.wire.telephone_event import (
    DIGITS,
    TelephoneEvent,
    build_telephone_event,
    parse_telephone_event_untrusted,
)
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(0, 15), st.booleans(), st.integers(0, 0xFFFF), st.integers(0, 63))
def test_what_is_built_is_read(event: int, is_end: bool, duration: int, volume: int) -> None:
    written = TelephoneEvent(event, is_end, duration, volume)
    assert parse_telephone_event_untrusted(build_telephone_event(written)) == written
    assert written.digit == DIGITS[event]


def test_event_of_another_stack_is_read() -> None:
    data = Path(__file__).parents[1].joinpath("vectors/rtp/aiortc-rtp_dtmf.bin").read_bytes()
    event = parse_telephone_event_untrusted(parse_rtp_untrusted(data).payload)
    assert (event.digit, event.is_end, event.volume) == ("1", True, 10)


def test_reserved_bit_and_further_events_are_not_looked_at() -> None:
    assert parse_telephone_event_untrusted(b"\x0b\xca\x03\x20" + bytes(9)) == TelephoneEvent(11, True, 800, 10)


@pytest.mark.parametrize("payload", [b"", b"\1\2\3", b"\x10\0\0\0", b"\xff\0\0\0"])
def test_what_is_cut_off_or_no_key_is_malformed(payload: bytes) -> None:
    with pytest.raises(Malformed, match="telephone-event"):
        parse_telephone_event_untrusted(payload)


@given(st.binary(max_size=40))
def test_fuzz_parse_telephone_event_untrusted_raises_only_malformed(payload: bytes) -> None:
    """Fuzz test of ``parse_telephone_event_untrusted``: it raises ``Malformed`` and nothing else."""
    with suppress(Malformed):
        assert 0 <= parse_telephone_event_untrusted(payload).event < 16
