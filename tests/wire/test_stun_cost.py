"""What a STUN message can cost before anybody knows whose it is, in operations of the interpreter."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.demux import MAX_STUN_ATTRIBUTES, stun_local_ufrag_untrusted
from glottis.wire.stun import Attribute, MessageClass, build_stun, parse_stun_untrusted
from support.cost import operations

USERNAME = (Attribute.USERNAME, b"ours:theirs")
LONGEST = 2048 - 20 - 16
"""Bytes of attributes that fit what is read at once, beside a username."""


def cost(function: Callable[[bytes], object], data: bytes) -> int:
    """Whether or not it is refused."""
    return operations(suppressed, function, data)


def suppressed(function: Callable[[bytes], object], data: bytes) -> None:
    with suppress(Malformed):
        function(data)


def message(filler: int, *, unknown: int = 0x8050, value: bytes = b"") -> bytes:
    """A check whose USERNAME comes last."""
    return build_stun(MessageClass.REQUEST, bytes(12), [(unknown, value)] * filler + [USERNAME], key=b"key")


@pytest.mark.parametrize("function", [stun_local_ufrag_untrusted, parse_stun_untrusted])
@pytest.mark.parametrize("unknown", [0x8050, 0x7050, Attribute.SOFTWARE], ids=["optional", "required", "known"])
def test_hundreds_of_empty_attributes_cost_what_a_few_do(function: Callable[[bytes], object], unknown: int) -> None:
    assert cost(function, message(LONGEST // 4, unknown=unknown)) < MAX_STUN_ATTRIBUTES * 100


@pytest.mark.parametrize(("filler", "found"), [(MAX_STUN_ATTRIBUTES - 1, True), (MAX_STUN_ATTRIBUTES, False)])
def test_username_is_looked_for_among_the_first_attributes_only(filler: int, found: bool) -> None:
    if found:
        assert stun_local_ufrag_untrusted(message(filler)) == "ours"
    else:
        with pytest.raises(Malformed):
            stun_local_ufrag_untrusted(message(filler))


def test_message_of_too_many_attributes_is_malformed() -> None:
    assert len(parse_stun_untrusted(message(MAX_STUN_ATTRIBUTES - 3)).attributes) == 3  # with integrity and fingerprint
    with pytest.raises(Malformed, match="at most 32 attributes"):
        parse_stun_untrusted(message(MAX_STUN_ATTRIBUTES - 2))


def test_cost_hardly_grows_with_the_length_of_values() -> None:
    """They are copied and digested, by C."""
    short, long = message(4), message(4, value=bytes(480))
    for function in (stun_local_ufrag_untrusted, parse_stun_untrusted):
        assert cost(function, long) <= cost(function, short) + (len(long) - len(short)) // 10
