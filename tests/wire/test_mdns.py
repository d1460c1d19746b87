import random
from contextlib import suppress

import dns.message
import dns.rrset
import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.mdns import (
    MAX_RECORDS,
    NamedAddress,
    build_mdns_query,
    is_hidden_name,
    parse_mdns_answer_untrusted,
)

NAME = "9b36eaac-bb2e-49bb-bb78-21c41c499900.local"


def answer(*records: tuple[str, str, str], questions: bytes = b"") -> bytes:
    """Written by another implementation: name, type and value of each record."""
    message = dns.message.from_wire(questions) if questions else dns.message.Message(id=0)
    message.flags = dns.flags.QR | dns.flags.AA
    message.answer = [dns.rrset.from_text(name, 120, "IN", kind, value) for name, kind, value in records]
    return message.to_wire()


@pytest.mark.parametrize("name", [NAME, NAME.upper()])
def test_names_that_browsers_make_up_are_known(name: str) -> None:
    assert is_hidden_name(name)


@pytest.mark.parametrize(
    "name", ["printer.local", f"{NAME}.", f"a.{NAME}", NAME.removesuffix(".local"), "192.0.2.1", ""]
)
def test_other_names_are_left_alone(name: str) -> None:
    assert not is_hidden_name(name)


def test_a_query_asks_for_both_kinds_of_addresses() -> None:
    message = dns.message.from_wire(build_mdns_query(NAME))
    assert [question.to_text() for question in message.question] == [f"{NAME}. IN A", f"{NAME}. IN AAAA"]
    assert (message.id, message.flags) == (0, 0)


def test_addresses_of_an_answer_are_read() -> None:
    data = answer((f"{NAME}.", "A", "192.168.1.7"), (f"{NAME}.", "AAAA", "fd00::7"), ("printer.local.", "TXT", '"x"'))
    assert parse_mdns_answer_untrusted(data) == [NamedAddress(NAME, "192.168.1.7"), NamedAddress(NAME, "fd00::7")]


def test_an_answer_may_repeat_its_question_and_flush_caches() -> None:
    data = bytearray(answer((f"{NAME.upper()}.", "A", "192.168.1.7"), questions=build_mdns_query(NAME)))
    data[-12] |= 0x80  # the class of the record, RFC 6762 §10.2
    assert parse_mdns_answer_untrusted(bytes(data)) == [NamedAddress(NAME, "192.168.1.7")]


def test_a_query_of_another_host_has_no_addresses() -> None:
    assert parse_mdns_answer_untrusted(build_mdns_query(NAME)) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        b"\0\0\x84\0\0\0\0\1\0\0\0\0",
        b"\0\0\x84\0\0\0\0\1\0\0\0\0\xc0\x0c" + bytes(10),  # a pointer to itself
        b"\0\0\x84\0\0\0\0\1\0\0\0\0\1a\xc0\x0e" + bytes(10),
        b"\0\0\x84\0\0\0\0\1\0\0\0\0\0\0\1\0\1\0\0\0\x78\0\4\xc0\xa8",
        b"\0\0\x84\0\0\0\0\1\0\0\0\0" + b"\1a" * 17 + bytes(15),
        b"\0\0\x84\0\0\0\0\1\0\0\0\0" + b"\x3f\0" + b"".join((0xC00C + 2 * n).to_bytes(2) for n in range(40)),
        b"\0\0\x84\0" + bytes([0, 0, 0, MAX_RECORDS + 1]) + bytes(4) + bytes(11) * (MAX_RECORDS + 1),
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match=r"^mDNS: "):
        parse_mdns_answer_untrusted(data)


def test_mutated_answers_are_read_or_malformed() -> None:
    """Fuzz: ``parse_mdns_answer_untrusted`` raises nothing but ``Malformed``."""
    rng = random.Random(6762)
    whole = answer((f"{NAME}.", "A", "192.168.1.7"), (f"{NAME}.", "AAAA", "fd00::7"), questions=build_mdns_query(NAME))
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with suppress(Malformed):
            parse_mdns_answer_untrusted(bytes(data[: rng.randint(0, len(data))]))
