import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.crc32c import crc32c, crc32c_by_table
from glottis.wire.sctp import (
    FIRST_FRAGMENT,
    MAX_PACKET_LENGTH,
    ChunkType,
    Parameter,
    encode_chunk,
    encode_data,
    encode_packet,
    encode_parameters,
    parse_data_untrusted,
    parse_packet_untrusted,
    parse_parameters_untrusted,
)
from glottis.wire.sctp_chunks import (
    ForwardTsn,
    Init,
    OutgoingReset,
    ParameterType,
    ResetResponse,
    Sack,
    parse_forward_tsn_untrusted,
    parse_init_untrusted,
    parse_outgoing_reset_untrusted,
    parse_reset_response_untrusted,
    parse_sack_untrusted,
    parse_sequence_untrusted,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

CORPUS = sorted((Path(__file__).parents[1] / "vectors" / "sctp").iterdir())
HEADER = (5000, 5001, 0xDEADBEEF)
TSN = st.integers(0, 2**32 - 1)
SHORT = st.integers(0, 2**16 - 1)


def corpus(name: str) -> bytes:
    return next(file for file in CORPUS if file.name == name).read_bytes()


def raises_only_malformed(parse: Callable[[bytes], object], data: bytes) -> None:
    with contextlib.suppress(Malformed):
        parse(data)


@pytest.mark.parametrize("checksum", [crc32c, crc32c_by_table])
def test_crc32c_of_the_digits_is_the_published_check_value(checksum: Callable[[bytes], int]) -> None:
    assert checksum(b"123456789") == 0xE3069283


@given(st.binary(max_size=40))
def test_crc32c_is_the_same_with_and_without_the_library_in_c(data: bytes) -> None:
    assert crc32c_by_table(data) == crc32c(data)


def test_packet_of_another_implementation_is_read() -> None:
    header, spans = parse_packet_untrusted(corpus("aiortc-sack.bin"))
    assert header[2] != 0
    [(chunk_type, _, start, end)] = spans
    assert chunk_type == ChunkType.SACK
    parse_sack_untrusted(corpus("aiortc-sack.bin")[start:end])


def test_packet_with_a_wrong_checksum_is_malformed() -> None:
    packet = bytearray(encode_packet(HEADER, [encode_chunk(ChunkType.COOKIE_ACK)]))
    packet[-1] ^= 1
    with pytest.raises(Malformed, match="CRC32c"):
        parse_packet_untrusted(bytes(packet), zero_checksum_accepted=True)


def test_packet_longer_than_an_ethernet_frame_is_malformed() -> None:
    parse_packet_untrusted(encode_packet(HEADER, [encode_chunk(ChunkType.HEARTBEAT, bytes(MAX_PACKET_LENGTH - 16))]))
    with pytest.raises(Malformed, match="longer than 1436 bytes"):
        parse_packet_untrusted(encode_packet(HEADER, [encode_chunk(ChunkType.HEARTBEAT, bytes(MAX_PACKET_LENGTH))]))


def test_zero_checksum_is_read_only_where_it_is_accepted() -> None:
    packet = encode_packet(HEADER, [encode_chunk(ChunkType.COOKIE_ACK)], zero_checksum=True)
    assert parse_packet_untrusted(packet, zero_checksum_accepted=True)[0] == HEADER
    with pytest.raises(Malformed, match="CRC32c"):
        parse_packet_untrusted(packet)


@pytest.mark.parametrize("length", [0, 3, 9, 0xFFFF])
def test_chunk_that_lies_about_its_length_is_malformed(length: int) -> None:
    lying = bytes([ChunkType.COOKIE_ACK, 0, *length.to_bytes(2, "big")])
    with pytest.raises(Malformed, match="length"):
        parse_packet_untrusted(encode_packet(HEADER, [lying]))


def test_packet_without_a_chunk_is_malformed() -> None:
    with pytest.raises(Malformed):
        parse_packet_untrusted(encode_packet(HEADER, []))


@given(payload=st.binary(min_size=1, max_size=9), tsn=TSN, stream=SHORT, sequence=SHORT, protocol=TSN)
@settings(max_examples=examples(50), derandomize=True)
def test_data_chunks_come_back_from_a_packet(
    payload: bytes, tsn: int, stream: int, sequence: int, protocol: int
) -> None:
    fields = (tsn, stream, sequence, protocol)
    chunk = encode_data(FIRST_FRAGMENT, fields, payload)
    assert len(chunk) % 4 == 0
    packet = encode_packet(HEADER, [chunk, chunk])
    _, spans = parse_packet_untrusted(packet)
    assert [span[:2] for span in spans] == [(ChunkType.DATA, FIRST_FRAGMENT)] * 2
    assert {parse_data_untrusted(packet, start, end) for _, _, start, end in spans} == {(fields, payload)}


@given(st.lists(st.builds(Parameter, SHORT, st.binary(max_size=9)), max_size=5))
@settings(max_examples=examples(50), derandomize=True)
def test_parameters_come_back(parameters: list[Parameter]) -> None:
    assert parse_parameters_untrusted(encode_parameters(parameters)) == parameters


@given(
    st.one_of(
        st.builds(Init, TSN, TSN, SHORT, SHORT, TSN, st.just((Parameter(ParameterType.STATE_COOKIE, b"12345"),))),
        st.builds(
            Sack,
            TSN,
            TSN,
            st.lists(st.tuples(SHORT, SHORT), max_size=4).map(tuple),
            st.lists(TSN, max_size=4).map(tuple),
        ),
        st.builds(ForwardTsn, TSN, st.lists(st.tuples(SHORT, SHORT), max_size=4).map(tuple)),
    )
)
@settings(max_examples=examples(100), derandomize=True)
def test_control_chunks_come_back(chunk: Init | Sack | ForwardTsn) -> None:
    parsers = {Init: parse_init_untrusted, Sack: parse_sack_untrusted, ForwardTsn: parse_forward_tsn_untrusted}
    parse: Callable[[bytes], object] = parsers[type(chunk)]
    assert parse(chunk.encode()) == chunk


def test_reset_requests_and_responses_come_back() -> None:
    request, response = OutgoingReset(1, 2, 3, (4, 5)), ResetResponse(6, 1)
    assert parse_outgoing_reset_untrusted(request.to_parameter().value) == request
    assert parse_sequence_untrusted(request.to_parameter().value) == 1
    assert parse_reset_response_untrusted(response.to_parameter().value) == response


def mutations(seed: int) -> list[bytes]:
    """Each file of the corpus as it is, and damaged a few times."""
    rng = random.Random(seed)
    inputs = []
    for file in CORPUS:
        data = file.read_bytes()
        inputs.append(data)
        for _ in range(20):
            damaged = bytearray(data)
            for _ in range(rng.randint(1, 4)):
                damaged[rng.randrange(len(damaged))] = rng.getrandbits(8)
            inputs.append(bytes(damaged[: rng.randint(1, len(damaged))]))
    return inputs


def test_fuzz_parse_packet_untrusted() -> None:
    """``parse_packet_untrusted`` raises exactly ``Malformed``."""
    for data in mutations(1):
        raises_only_malformed(parse_packet_untrusted, data)
        checked = data[:8] + b"\0\0\0\0" + data[12:]
        raises_only_malformed(lambda packet: parse_packet_untrusted(packet, zero_checksum_accepted=True), checked)


def test_fuzz_parse_data_untrusted() -> None:
    """``parse_data_untrusted`` raises exactly ``Malformed``."""
    for data in mutations(2):
        raises_only_malformed(lambda packet: parse_data_untrusted(packet, 0, len(packet)), data)


@pytest.mark.parametrize(
    "parse",
    [
        parse_parameters_untrusted,
        parse_init_untrusted,
        parse_sack_untrusted,
        parse_forward_tsn_untrusted,
        parse_outgoing_reset_untrusted,
        parse_reset_response_untrusted,
        parse_sequence_untrusted,
    ],
)
def test_fuzz_parsers_of_chunk_values(parse: Callable[[bytes], object]) -> None:
    """The parsers of chunk values raise exactly ``Malformed``.

    They are ``parse_parameters_untrusted``, ``parse_init_untrusted``, ``parse_sack_untrusted``,
    ``parse_forward_tsn_untrusted``, ``parse_outgoing_reset_untrusted``, ``parse_reset_response_untrusted`` and
    ``parse_sequence_untrusted``.
    """
    for data in mutations(3):
        raises_only_malformed(parse, data[16:])
        raises_only_malformed(parse, data[:7])
