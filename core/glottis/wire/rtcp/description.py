"""Source descriptions, RFC 3550 §6.5."""

from typing import Final

import msgspec

from glottis.contracts.errors import Malformed
from glottis.wire.rtcp.framing import WORD, framed, length_limited

SOURCE_DESCRIPTION: Final = 202

_CNAME: Final = 1


class SourceDescription(msgspec.Struct, frozen=True):
    """Canonical names by SSRC, RFC 3550 §6.5. Other items are neither read nor written: nothing here uses them."""

    canonical_names: tuple[tuple[int, str], ...]


def parse_source_description_untrusted(count: int, body: bytes) -> SourceDescription:
    """Raises ``Malformed``."""
    names: list[tuple[int, str]] = []
    offset = 0
    for _ in range(count):
        if offset + 4 > len(body):
            raise Malformed("RTCP: a source description chunk runs past the end")
        (ssrc,) = WORD.unpack_from(body, offset)
        name, offset = _parse_items_untrusted(body, offset + 4)
        if name is not None:
            names.append((ssrc, name))
    return SourceDescription(tuple(names))


def _parse_items_untrusted(body: bytes, offset: int) -> tuple[str | None, int]:
    """The canonical name among a chunk's items, and where the next chunk starts."""
    name: str | None = None
    while offset < len(body) and body[offset] != 0:
        end = offset + 2 + body[offset + 1] if offset + 1 < len(body) else len(body) + 1
        if end > len(body):
            raise Malformed("RTCP: a source description item runs past the end")
        if body[offset] == _CNAME:
            name = body[offset + 2 : end].decode("utf-8", "replace")
        offset = end
    if offset == len(body):
        raise Malformed("RTCP: expected a null byte at the end of a source description chunk")
    return name, offset // 4 * 4 + 4


def build_source_description(description: SourceDescription) -> bytes:
    """The packet; at most ``MAX_COUNT`` names."""
    chunks = [_build_chunk(ssrc, name) for ssrc, name in description.canonical_names]
    return framed(SOURCE_DESCRIPTION, len(chunks), b"".join(chunks))


def _build_chunk(ssrc: int, name: str) -> bytes:
    text = length_limited(name)
    chunk = WORD.pack(ssrc) + bytes((_CNAME, len(text))) + text
    return chunk + bytes(4 - len(chunk) % 4)  # one to four null bytes end the list of items, RFC 3550 §6.5
