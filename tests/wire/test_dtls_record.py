import random
from contextlib import suppress
from pathlib import Path

import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.dtls_record import (
    MAX_FRAGMENTS_PER_RECORD,
    MAX_RECORDS_PER_DATAGRAM,
    DtlsRecord,
    pack_records,
    split_handshake_untrusted,
    split_records_untrusted,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

CORPUS = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "vectors/dtls").glob("*.bin"))]


def record(content_type: int, fragment: bytes, epoch: int = 0, number: int = 0) -> bytes:
    return (
        bytes([content_type, 0xFE, 0xFD])
        + epoch.to_bytes(2)
        + number.to_bytes(6)
        + len(fragment).to_bytes(2)
        + fragment
    )


def fragment(message_type: int, length: int, message_seq: int, offset: int, body: bytes) -> bytes:
    lengths = length.to_bytes(3) + message_seq.to_bytes(2) + offset.to_bytes(3) + len(body).to_bytes(3)
    return bytes([message_type]) + lengths + body


def test_a_datagram_is_split_into_its_records() -> None:
    first, second = record(22, b"hello", number=3), record(23, b"", epoch=1)
    assert split_records_untrusted(first + second) == [DtlsRecord(22, 0, first), DtlsRecord(23, 1, second)]
    assert split_records_untrusted(first)[0].fragment == b"hello"


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        record(22, b"hello")[:-1],
        record(22, b"hello")[:12],
        record(22, b"hello") + b"\x16",
        record(19, b""),
        record(24, b""),
        b"\x16\x03\x03" + record(22, b"hello")[3:],
        record(23, bytes(20_000)),
        record(23, b"") * (MAX_RECORDS_PER_DATAGRAM + 1),
    ],
    ids=["empty", "cut", "cut header", "rest", "type 19", "type 24", "TLS", "too long", "too many"],
)
def test_what_is_no_sequence_of_records_is_refused(datagram: bytes) -> None:
    with pytest.raises(Malformed, match="DTLS"):
        split_records_untrusted(datagram)


def test_an_unprotected_record_can_be_sent_again_under_another_number() -> None:
    [original] = split_records_untrusted(record(22, b"hello", number=3))
    assert original.with_sequence_number(9).data == record(22, b"hello", number=9)


def test_a_record_may_hold_several_handshake_fragments() -> None:
    first, second = split_handshake_untrusted(fragment(2, 5, 0, 0, b"hello") + fragment(11, 300, 1, 100, bytes(50)))
    assert (first.message_type, first.length, first.message_seq, first.offset, first.body) == (2, 5, 0, 0, b"hello")
    assert (second.message_type, second.length, second.message_seq, second.offset) == (11, 300, 1, 100)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        fragment(1, 5, 0, 0, b"hello")[:-1],
        fragment(1, 5, 0, 0, b"hello")[:11],
        fragment(1, 4, 0, 0, b"hello"),
        fragment(1, 5, 0, 1, b"hello"),
        fragment(1, 2**17, 0, 0, b"hello"),
        fragment(1, 5, 0, 0, b"") * (MAX_FRAGMENTS_PER_RECORD + 1),
    ],
    ids=["empty", "cut", "cut header", "too short a message", "beyond the message", "too long a message", "too many"],
)
def test_what_is_no_handshake_fragment_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match="DTLS"):
        split_handshake_untrusted(data)


def test_records_are_packed_in_order_and_never_divided() -> None:
    records = [DtlsRecord(22, 0, bytes([number]) * length) for number, length in enumerate((500, 700, 1, 1300, 40, 40))]
    packed = pack_records(records, mtu=1200)
    assert [len(datagram) for datagram in packed] == [1200, 1, 1300, 80]
    assert b"".join(packed) == b"".join(record.data for record in records)


@settings(max_examples=examples(200), derandomize=True)
@given(st.binary(max_size=200), st.booleans())
def test_fuzz_random_bytes(data: bytes, framed: bool) -> None:
    """split_records_untrusted and split_handshake_untrusted raise exactly Malformed, and lose no byte."""
    check_split(record(22, data) if framed else data)
    check_handshake(data)


@pytest.mark.parametrize("seed", range(5))
def test_fuzz_mutated_corpus(seed: int) -> None:
    """split_records_untrusted and split_handshake_untrusted raise exactly Malformed, and lose no byte."""
    rng = random.Random(seed)
    for original in CORPUS:
        for _ in range(20):
            data = bytearray(original)
            data[rng.randrange(len(data))] = rng.randrange(256)
            check_split(bytes(data))
            check_handshake(bytes(data))
            check_handshake(bytes(data[13:]))


def check_split(data: bytes) -> None:
    with suppress(Malformed):
        assert b"".join(record.data for record in split_records_untrusted(data)) == data


def check_handshake(data: bytes) -> None:
    with suppress(Malformed):
        assert sum(12 + len(piece.body) for piece in split_handshake_untrusted(data)) == len(data)
