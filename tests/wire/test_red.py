from contextlib import suppress

import pytest
from glottis import Malformed
from glottis.wire.red import MAX_BLOCK_LENGTH, MAX_TIMESTAMP_OFFSET, RedBlock, build_red, parse_red_untrusted
from hypothesis import given
from hypothesis import strategies as st

BLOCKS = st.lists(
    st.builds(
        RedBlock, st.integers(0, 127), st.integers(0, MAX_TIMESTAMP_OFFSET), st.binary(max_size=MAX_BLOCK_LENGTH)
    ),
    max_size=4,
)


def test_the_example_of_rfc_2198_section_4_is_laid_out_as_there() -> None:
    """A packet of DVI4 (payload type 5), with LPC (7) of the packet before as redundancy."""
    payload = build_red([RedBlock(7, 160, bytes(14))], 5, b"\1" * 84)
    assert payload == b"\x87" + (160 << 10 | 14).to_bytes(3) + b"\5" + bytes(14) + b"\1" * 84
    assert parse_red_untrusted(payload) == (RedBlock(7, 160, bytes(14)), RedBlock(5, 0, b"\1" * 84))


@given(BLOCKS, st.integers(0, 127), st.binary(max_size=1200))
def test_what_is_built_is_read_as_the_same(older: list[RedBlock], payload_type: int, payload: bytes) -> None:
    assert parse_red_untrusted(build_red(older, payload_type, payload)) == (*older, RedBlock(payload_type, 0, payload))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xef",
        b"\xef\0\4\1",
        b"\xef\0\4\2\x6fa",
        b"\xef\xff\xff\xff\x6f" + bytes(1022),
        b"\xef\0\0",
    ],
)
def test_blocks_that_lie_about_their_length_are_malformed(payload: bytes) -> None:
    with pytest.raises(Malformed):
        parse_red_untrusted(payload)


@given(st.binary(max_size=300))
def test_fuzz_parse_red_untrusted_raises_only_malformed(data: bytes) -> None:
    """parse_red_untrusted raises Malformed and nothing else."""
    with suppress(Malformed):
        assert parse_red_untrusted(data)
