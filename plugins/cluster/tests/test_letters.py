"""What members write to each other, whatever comes of the others."""

from contextlib import suppress

import msgspec
import pytest
from glottis import Malformed, Principal, RouteResponse, SessionWish
from glottis_cluster.letters import Answer, Taken, Wish, answer_letter, parse_letter_untrusted, wish_letter
from hypothesis import given
from hypothesis import strategies as st

WISH = SessionWish(
    b'{"campaignId": "echo"}',
    "echo",
    Principal("Ada", {"team": "sales"}, 3, 60.0),
    "192.0.2.1",
    "00-trace",
    "request-1",
)


def sent(letter: object) -> bytes:
    return b"1700000000123 " + msgspec.json.encode(letter)


def test_a_wish_comes_as_it_was() -> None:
    void_at, letter = parse_letter_untrusted(sent(wish_letter("1", "a~2", WISH)))
    assert void_at == 1700000000.123
    assert isinstance(letter, Wish)
    assert (letter.id, letter.asker) == ("1", "a~2")
    assert letter.session_wish() == WISH


def test_an_answer_comes_as_it_was() -> None:
    response = RouteResponse(503, b"\xff\x00", "application/problem+json", [("retry-after", "5")])
    _, letter = parse_letter_untrusted(sent(answer_letter("1", response)))
    assert isinstance(letter, Answer)
    assert letter.response() == response


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"17 ",
        b"17 {}",
        b" " + msgspec.json.encode(Taken("1")),
        "١٧ ".encode() + msgspec.json.encode(Taken("1")),
        b"9" * 17 + b" " + msgspec.json.encode(Taken("1")),
        b'17 {"kind": "tomorrow", "id": "1"}',
        b'17 {"kind": "taken", "id": ""}',
        b'17 {"kind": "answer", "id": "1", "status": 700, "body": "", "media_type": ""}',
        b"17 " + b"[" * 100_000,
    ],
)
def test_what_is_no_letter_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_letter_untrusted(data)


@given(st.binary() | st.binary().map(lambda data: b"1700000000123 " + data))
def test_fuzz(data: bytes) -> None:
    """parse_letter_untrusted raises Malformed and nothing else."""
    with suppress(Malformed):
        parse_letter_untrusted(data)
