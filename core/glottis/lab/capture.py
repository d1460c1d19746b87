"""Packet captures: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), as far as UDP is in them.

A capture may be anybody's, and cut off anywhere: what it says of itself is checked, and costs no more than its bytes.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from glottis.contracts.errors import Malformed

MAX_BYTES: Final = 2**30
MAX_PACKETS: Final = 2_000_000
MAX_INTERFACES: Final = 256

_MICROSECONDS, _NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
_SECTION, _INTERFACE, _ENHANCED = 0x0A0D0D0A, 1, 6
_BYTE_ORDER: Final = 0x1A2B3C4D
_TIME_RESOLUTION: Final = 9
"""The option ``if_tsresol``."""
_IPV4, _IPV6, _VLANS = 0x0800, 0x86DD, (0x8100, 0x88A8)
_UDP: Final = 17


class Captured(NamedTuple):
    """The payload of a UDP datagram, and when it was seen, in seconds of the clock of who captured it."""

    at: float
    payload: bytes


def parse_capture_untrusted(data: bytes) -> list[Captured]:
    """All UDP datagrams in the order of the file; raises ``Malformed`` for what is no capture.

    What is not UDP over IP, or is cut off or a fragment, is passed over.
    """
    if len(data) > MAX_BYTES:
        raise Malformed(f"capture: expected {MAX_BYTES >> 20} MiB at most")
    is_of_blocks = data[:4] == struct.pack(">I", _SECTION)
    frames = _blocks_untrusted(data) if is_of_blocks else _records_untrusted(data)
    captured = []
    for number, (at, link, frame) in enumerate(frames):
        if number == MAX_PACKETS:
            raise Malformed(f"capture: expected {MAX_PACKETS} packets at most")
        payload = _udp_payload(link, frame)
        if payload is not None:
            captured.append(Captured(at, payload))
    return captured


Frame = tuple[float, int, bytes]
"""When, of what link type, and its bytes."""


def _records_untrusted(data: bytes) -> Iterator[Frame]:
    """Of a classic file."""
    if len(data) < 24:
        raise Malformed("capture: expected a header of 24 bytes")
    for order in "<>":
        (magic,) = struct.unpack_from(f"{order}I", data)
        if magic in (_MICROSECONDS, _NANOSECONDS):
            break
    else:
        raise Malformed("capture: expected pcap or pcapng")
    unit = 1e-6 if magic == _MICROSECONDS else 1e-9
    link = struct.unpack_from(f"{order}I", data, 20)[0] & 0xFFFF
    head = struct.Struct(f"{order}IIII")
    start = 24
    while start + head.size <= len(data):
        seconds, fraction, size, _ = head.unpack_from(data, start)
        start += head.size
        yield seconds + fraction * unit, link, data[start : start + size]
        start += size


def _blocks_untrusted(data: bytes) -> Iterator[Frame]:
    """Of a file of blocks. Each section has its own byte order and interfaces."""
    order, start = "<", 0
    interfaces: list[tuple[int, float]] = []
    while start + 12 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, start)
        if data[start : start + 4] == struct.pack(">I", _SECTION):
            order = _order_untrusted(data[start + 8 : start + 12])
            (size,) = struct.unpack_from(f"{order}I", data, start + 4)
            interfaces = []
        if size < 12 or size % 4:
            raise Malformed("capture: expected a block of 12 bytes or more, in words")
        body = data[start + 8 : start + size - 4]
        if kind == _INTERFACE and len(interfaces) < MAX_INTERFACES and len(body) >= 8:
            interfaces.append((struct.unpack_from(f"{order}H", body)[0], _unit(body[8:], order)))
        elif kind == _ENHANCED and len(body) >= 20:
            number, high, low, length, _ = struct.unpack_from(f"{order}IIIII", body)
            if number < len(interfaces):
                link, unit = interfaces[number]
                yield (high << 32 | low) * unit, link, body[20 : 20 + length]
        start += size


def _order_untrusted(magic: bytes) -> str:
    for order in "<>":
        if magic == struct.pack(f"{order}I", _BYTE_ORDER):
            return order
    raise Malformed("capture: expected a section's byte order")


def _unit(options: bytes, order: str) -> float:
    """Seconds of a timestamp's unit."""
    start = 0
    while start + 4 <= len(options):
        code, size = struct.unpack_from(f"{order}HH", options, start)
        if code == 0:
            break
        if code == _TIME_RESOLUTION and size >= 1 and start + 4 < len(options):
            resolution = options[start + 4]
            return float(2.0 ** -(resolution & 0x7F) if resolution & 0x80 else 10.0 ** -(resolution & 0x7F))
        start += 4 + size + -size % 4
    return 1e-6


def _udp_payload(link: int, frame: bytes) -> bytes | None:
    """None where there is none, whole."""
    packet = _ip_packet(link, frame)
    if len(packet) < 20:
        return None
    if packet[0] >> 4 == 4:
        head, protocol = 4 * (packet[0] & 0x0F), packet[9]
        is_fragment = (packet[6] & 0x3F) << 8 | packet[7]
        if is_fragment or head < 20:
            return None
    elif packet[0] >> 4 == 6:
        head, protocol = 40, packet[6]
    else:
        return None
    datagram = packet[head:]
    if protocol != _UDP or len(datagram) < 8:
        return None
    size = int.from_bytes(datagram[4:6], "big")
    return datagram[8:size] if 8 <= size <= len(datagram) else None


_ETHERNET, _NULL, _LINUX, _LINUX_2 = 1, 0, 113, 276
_RAW: Final = (12, 14, 101, 228, 229)


def _ip_packet(link: int, frame: bytes) -> bytes:
    """Empty where it is something else."""
    if link in _RAW:
        return frame
    if link == _NULL:
        return frame[4:]
    if link in (_LINUX, _LINUX_2):
        start, at = (16, 14) if link == _LINUX else (20, 0)
        return frame[start:] if int.from_bytes(frame[at : at + 2], "big") in (_IPV4, _IPV6) else b""
    if link != _ETHERNET:
        return b""
    start = 12
    while int.from_bytes(frame[start : start + 2], "big") in _VLANS and start < 20:
        start += 4
    return frame[start + 2 :] if int.from_bytes(frame[start : start + 2], "big") in (_IPV4, _IPV6) else b""
