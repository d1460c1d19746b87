"""The values of SCTP's control chunks: INIT, SACK, FORWARD TSN, RE-CONFIG, error causes."""

import itertools
from enum import IntEnum
from struct import Struct, iter_unpack, pack
from typing import Final

import msgspec

from glottis.contracts.errors import Malformed
from glottis.wire.sctp import Parameter, encode_parameters, parse_parameters_untrusted

DTLS_ERROR_DETECTION: Final = b"\x00\x00\x00\x01"
"""The Error Detection Method Identifier of SCTP over DTLS (RFC 9653 §6)."""

_INIT: Final = Struct("!IIHHI")
_SACK: Final = Struct("!IIHH")
_OUTGOING_RESET: Final = Struct("!III")
_RESET_RESPONSE: Final = Struct("!II")


class ParameterType(IntEnum):
    """Parameters of INIT and INIT ACK, and of RE-CONFIG (RFC 6525 §4)."""

    IPV4_ADDRESS = 5
    IPV6_ADDRESS = 6
    STATE_COOKIE = 7
    UNRECOGNIZED_PARAMETER = 8
    COOKIE_PRESERVATIVE = 9
    HOST_NAME_ADDRESS = 11
    SUPPORTED_ADDRESS_TYPES = 12
    OUTGOING_SSN_RESET = 13
    INCOMING_SSN_RESET = 14
    SSN_TSN_RESET = 15
    RE_CONFIGURATION_RESPONSE = 16
    ADD_OUTGOING_STREAMS = 17
    ADD_INCOMING_STREAMS = 18
    ZERO_CHECKSUM_ACCEPTABLE = 0x8001
    SUPPORTED_EXTENSIONS = 0x8008
    FORWARD_TSN_SUPPORTED = 0xC000


class Cause(IntEnum):
    """Error causes (RFC 9260 §3.3.10)."""

    INVALID_STREAM_IDENTIFIER = 1
    MISSING_MANDATORY_PARAMETER = 2
    STALE_COOKIE = 3
    OUT_OF_RESOURCE = 4
    UNRESOLVABLE_ADDRESS = 5
    UNRECOGNIZED_CHUNK_TYPE = 6
    INVALID_MANDATORY_PARAMETER = 7
    UNRECOGNIZED_PARAMETERS = 8
    NO_USER_DATA = 9
    COOKIE_RECEIVED_WHILE_SHUTTING_DOWN = 10
    RESTART_WITH_NEW_ADDRESSES = 11
    USER_INITIATED_ABORT = 12
    PROTOCOL_VIOLATION = 13


class ResetResult(IntEnum):
    """RFC 6525 §4.4."""

    NOTHING_TO_DO = 0
    PERFORMED = 1
    DENIED = 2
    WRONG_SSN = 3
    REQUEST_IN_PROGRESS = 4
    BAD_SEQUENCE_NUMBER = 5
    IN_PROGRESS = 6


class Init(msgspec.Struct, frozen=True):
    """The value of an INIT or INIT ACK chunk (RFC 9260 §3.3.2)."""

    initiate_tag: int
    advertised_window: int
    outbound_streams: int
    inbound_streams: int
    initial_tsn: int
    parameters: tuple[Parameter, ...] = ()

    def encode(self) -> bytes:
        """The chunk's value."""
        fixed = _INIT.pack(
            self.initiate_tag, self.advertised_window, self.outbound_streams, self.inbound_streams, self.initial_tsn
        )
        return fixed + encode_parameters(self.parameters)


def parse_init_untrusted(value: bytes) -> Init:
    """The value of an INIT or INIT ACK; whether its numbers are acceptable is the association's question."""
    if len(value) < _INIT.size:
        raise Malformed("an INIT chunk is shorter than its fixed fields")
    tag, window, outbound_streams, inbound_streams, tsn = _INIT.unpack_from(value)
    parameters = tuple(parse_parameters_untrusted(value[_INIT.size :]))
    return Init(tag, window, outbound_streams, inbound_streams, tsn, parameters)


class Sack(msgspec.Struct, frozen=True):
    """The value of a SACK chunk (RFC 9260 §3.3.4)."""

    cumulative_tsn: int
    advertised_window: int
    gap_blocks: tuple[tuple[int, int], ...] = ()
    """First and last TSN of each block, as offsets from ``cumulative_tsn``."""
    duplicates: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """The chunk's value."""
        gaps, duplicates = self.gap_blocks, self.duplicates
        fixed = _SACK.pack(self.cumulative_tsn, self.advertised_window, len(gaps), len(duplicates))
        if not gaps and not duplicates:
            return fixed
        offsets = itertools.chain.from_iterable(gaps)
        return fixed + pack(f"!{2 * len(gaps)}H{len(duplicates)}I", *offsets, *duplicates)


def parse_sack_untrusted(value: bytes) -> Sack:
    """The value of a SACK whose lists fill it exactly."""
    if len(value) < _SACK.size:
        raise Malformed("a SACK chunk is shorter than its fixed fields")
    cumulative_tsn, window, gap_count, duplicate_count = _SACK.unpack_from(value)
    if not gap_count and not duplicate_count and len(value) == _SACK.size:
        return Sack(cumulative_tsn, window)
    duplicates_start = _SACK.size + 4 * gap_count
    if len(value) != duplicates_start + 4 * duplicate_count:
        raise Malformed("the lists of a SACK chunk do not fill it")
    gaps = tuple(iter_unpack("!HH", value[_SACK.size : duplicates_start]))
    return Sack(cumulative_tsn, window, gaps, tuple(tsn for (tsn,) in iter_unpack("!I", value[duplicates_start:])))


class ForwardTsn(msgspec.Struct, frozen=True):
    """The value of a FORWARD TSN chunk (RFC 3758 §3.2)."""

    new_cumulative_tsn: int
    skipped: tuple[tuple[int, int], ...] = ()
    """Stream identifier and the largest skipped stream sequence number, for ordered messages."""

    def encode(self) -> bytes:
        """The chunk's value."""
        numbers = itertools.chain.from_iterable(self.skipped)
        return pack(f"!I{2 * len(self.skipped)}H", self.new_cumulative_tsn, *numbers)


def parse_forward_tsn_untrusted(value: bytes) -> ForwardTsn:
    """The value of a FORWARD TSN chunk."""
    if len(value) < 4 or len(value) % 4:
        raise Malformed("a FORWARD TSN chunk has no whole number of fields")
    return ForwardTsn(int.from_bytes(value[:4], "big"), tuple(iter_unpack("!HH", value[4:])))


class OutgoingReset(msgspec.Struct, frozen=True):
    """An Outgoing SSN Reset Request (RFC 6525 §4.1)."""

    request_sequence: int
    response_sequence: int
    last_tsn: int
    stream_ids: tuple[int, ...]
    """Empty: all streams."""

    def to_parameter(self) -> Parameter:
        """The request as a parameter of RE-CONFIG."""
        fixed = _OUTGOING_RESET.pack(self.request_sequence, self.response_sequence, self.last_tsn)
        return Parameter(ParameterType.OUTGOING_SSN_RESET, fixed + pack(f"!{len(self.stream_ids)}H", *self.stream_ids))


def parse_outgoing_reset_untrusted(value: bytes) -> OutgoingReset:
    """The value of an Outgoing SSN Reset Request."""
    if len(value) < _OUTGOING_RESET.size or len(value) % 2:
        raise Malformed("an Outgoing SSN Reset Request has no whole number of fields")
    streams = tuple(stream_id for (stream_id,) in iter_unpack("!H", value[_OUTGOING_RESET.size :]))
    request_sequence, response_sequence, last_tsn = _OUTGOING_RESET.unpack_from(value)
    return OutgoingReset(request_sequence, response_sequence, last_tsn, streams)


class ResetResponse(msgspec.Struct, frozen=True):
    """A Re-configuration Response (RFC 6525 §4.4), without the optional TSNs."""

    response_sequence: int
    result: int

    def to_parameter(self) -> Parameter:
        """The response as a parameter of RE-CONFIG."""
        value = _RESET_RESPONSE.pack(self.response_sequence, self.result)
        return Parameter(ParameterType.RE_CONFIGURATION_RESPONSE, value)


def parse_reset_response_untrusted(value: bytes) -> ResetResponse:
    """The value of a Re-configuration Response."""
    if len(value) < _RESET_RESPONSE.size:
        raise Malformed("a Re-configuration Response is shorter than its fixed fields")
    return ResetResponse(*_RESET_RESPONSE.unpack_from(value))


def parse_sequence_untrusted(value: bytes) -> int:
    """The Request Sequence Number that each RE-CONFIG request starts with."""
    if len(value) < 4:
        raise Malformed("a re-configuration request has no sequence number")
    return int.from_bytes(value[:4], "big")
