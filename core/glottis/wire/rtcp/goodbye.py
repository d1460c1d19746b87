"""Sources that leave, RFC 3550 §6.6."""

import struct
from typing import Final

import msgspec

from glottis.contracts.errors import Malformed
from glottis.wire.rtcp.framing import framed, length_limited

GOODBYE: Final = 203


class Goodbye(msgspec.Struct, frozen=True):
    """Sources that leave, RFC 3550 §6.6."""

    ssrcs: tuple[int, ...]
    reason: str = ""


def parse_goodbye_untrusted(count: int, body: bytes) -> Goodbye:
    """Raises ``Malformed``."""
    offset = 4 * count
    if offset > len(body):
        raise Malformed("RTCP: the sources that leave run past the end")
    ssrcs = struct.unpack_from(f"!{count}I", body)
    if offset == len(body):
        return Goodbye(ssrcs)
    end = offset + 1 + body[offset]
    if end > len(body):
        raise Malformed("RTCP: the reason for leaving runs past the end")
    return Goodbye(ssrcs, body[offset + 1 : end].decode("utf-8", "replace"))


def build_goodbye(packet: Goodbye) -> bytes:
    """The packet; at most ``MAX_COUNT`` sources."""
    body = struct.pack(f"!{len(packet.ssrcs)}I", *packet.ssrcs)
    if packet.reason:
        text = length_limited(packet.reason)
        body += bytes((len(text),)) + text
        body += bytes(-len(body) % 4)
    return framed(GOODBYE, len(packet.ssrcs), body)
