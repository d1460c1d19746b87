"""When each packet has come: transport-wide feedback, draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from operator import sub
from typing import Final

import msgspec

from glottis.contracts.errors import Malformed
from glottis.wire.rtcp.framing import framed

TRANSPORT_FORMAT: Final = 15
MAX_STATUSES: Final = 100
"""Packets that one may tell of: two seconds of speech. libwebrtc tells four times a second at least."""
TICK: Final = 0.00025
"""Seconds: the unit of arrival times."""
REFERENCE_TICKS: Final = 256
"""In a unit of the reference time, 64 ms."""

_TRANSPORT_LAYER_FEEDBACK: Final = 205
_HEAD: Final = struct.Struct("!IIHHI")
_CHUNK: Final = struct.Struct("!H")
_NOT_RECEIVED, _SMALL, _LARGE = 0, 1, 2
_VECTOR: Final = 0x8000
_TWO_BITS: Final = 0x4000
_MAX_SMALL: Final = 255
_LARGE_RANGE: Final = range(-(1 << 15), 1 << 15)


class TransportFeedback(msgspec.Struct, frozen=True):
    """What became of the packets from number ``base`` on."""

    sender_ssrc: int
    media_ssrc: int
    base: int
    """Transport-wide sequence number, of 16 bits."""
    count: int
    """Feedback packets before this one, modulo 256."""
    reference_time: int
    """In units of 64 ms, 24 bits, signed; of any clock."""
    arrivals: tuple[int | None, ...]
    """Of each packet when it came, in ticks after the reference time; None: not yet. The first that has come, at most
    63.75 ms after it; the others within 8 seconds of the one before."""


def parse_transport_feedback_untrusted(body: bytes) -> TransportFeedback:
    """Raises ``Malformed``."""
    if len(body) < _HEAD.size:
        raise Malformed("RTCP: expected 16 bytes before the chunks of transport-wide feedback")
    sender_ssrc, media_ssrc, base, status_count, fields = _HEAD.unpack_from(body)
    if not 0 < status_count <= MAX_STATUSES:
        raise Malformed(f"RTCP: expected transport-wide feedback about 1–{MAX_STATUSES} packets")
    symbols, offset = _symbols_untrusted(body, status_count)
    end = offset + status_count
    if symbols.count(_SMALL) == status_count and end <= len(body):  # as nearly always: a byte for each
        arrivals: tuple[int | None, ...] = tuple(accumulate(body[offset:end]))
    else:
        arrivals = tuple(_arrivals_untrusted(symbols, body, offset))
    reference_time = (fields >> 8 ^ 0x800000) - 0x800000
    return TransportFeedback(sender_ssrc, media_ssrc, base, fields & 0xFF, reference_time, arrivals)


def build_transport_feedback(feedback: TransportFeedback) -> bytes:
    """The packet. Raises ``ValueError`` for arrivals too far from each other."""
    symbols, deltas = _symbols_and_deltas(feedback.arrivals)
    fields = (feedback.reference_time & 0xFFFFFF) << 8 | feedback.count
    head = _HEAD.pack(feedback.sender_ssrc, feedback.media_ssrc, feedback.base, len(symbols), fields)
    body = head + b"".join(_chunks(symbols)) + deltas
    return framed(_TRANSPORT_LAYER_FEEDBACK, TRANSPORT_FORMAT, body + bytes(-len(body) % 4))


def _symbols_and_deltas(arrivals: Sequence[int | None]) -> tuple[list[int], bytes]:
    """One symbol for each packet, and the time since the packet before for each that has come."""
    with suppress(TypeError, ValueError):  # as nearly always: all have come, each soon after the one before
        return [_SMALL] * len(arrivals), bytes(map(sub, arrivals, (0, *arrivals)))
    symbols: list[int] = []
    deltas = b""
    before = 0
    for ticks in arrivals:
        if ticks is None:
            symbols.append(_NOT_RECEIVED)
            continue
        delta, before = ticks - before, ticks
        if 0 <= delta <= _MAX_SMALL:
            symbols.append(_SMALL)
            deltas += bytes((delta,))
        elif delta in _LARGE_RANGE:
            symbols.append(_LARGE)
            deltas += delta.to_bytes(2, signed=True)
        else:
            raise ValueError("RTCP: arrivals of one transport-wide feedback are at most 8 seconds apart")
    return symbols, deltas


def _symbols_untrusted(body: bytes, count: int) -> tuple[list[int], int]:
    """A symbol for each packet, and where the deltas begin."""
    symbols: list[int] = []
    offset = _HEAD.size
    while len(symbols) < count:
        if offset + _CHUNK.size > len(body):
            raise Malformed("RTCP: the chunks of transport-wide feedback run past the end")
        (chunk,) = _CHUNK.unpack_from(body, offset)
        offset += _CHUNK.size
        if not chunk & _VECTOR:
            run = min(chunk & 0x1FFF, count - len(symbols))
            if not run:
                raise Malformed("RTCP: expected a run of packets in transport-wide feedback")
            symbols += [chunk >> 13] * run
        elif chunk & _TWO_BITS:
            symbols += [chunk >> shift & 3 for shift in range(12, -1, -2)]
        else:
            symbols += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    del symbols[count:]
    return symbols, offset


def _arrivals_untrusted(symbols: list[int], body: bytes, offset: int) -> Iterator[int | None]:
    ticks = 0
    for symbol in symbols:
        if symbol == _NOT_RECEIVED:
            yield None
            continue
        if symbol > _LARGE or offset + symbol > len(body):
            raise Malformed("RTCP: transport-wide feedback lacks the time of an arrival")
        ticks += int.from_bytes(body[offset : offset + symbol], signed=symbol == _LARGE)
        offset += symbol
        yield ticks


def _chunks(symbols: list[int]) -> Iterator[bytes]:
    """A run where it says more than a vector of seven symbols."""
    place = 0
    if symbols.count(symbols[0]) == len(symbols):  # as nearly always
        yield _CHUNK.pack(symbols[0] << 13 | len(symbols))
        return
    while place < len(symbols):
        symbol = symbols[place]
        run = next((step for step, other in enumerate(symbols[place:]) if other != symbol), len(symbols) - place)
        if run >= 7 or place + run == len(symbols):
            yield _CHUNK.pack(symbol << 13 | run)
            place += run
            continue
        chunk = _VECTOR | _TWO_BITS
        for shift, one in zip(range(12, -1, -2), symbols[place : place + 7], strict=False):
            chunk |= one << shift
        yield _CHUNK.pack(chunk)
        place += 7
