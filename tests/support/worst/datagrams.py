"""What reads datagrams and what is in them."""

import random
import struct
import zlib
from typing import Final

from glottis.rtp import (
    Background,
    ComfortNoiseReader,
    Keypad,
    PlainReader,
    PlayoutStatistics,
    RedReader,
    TelephoneEventReader,
)
from glottis.turn import Allocation
from glottis.wire.address import Address
from glottis.wire.channel_data import parse_channel_data_untrusted
from glottis.wire.comfort_noise import parse_comfort_noise_untrusted
from glottis.wire.crc32c import crc32c
from glottis.wire.dcep import MAX_OPEN_SIZE, parse_dcep_untrusted
from glottis.wire.demux import stun_local_ufrag_untrusted, stun_transaction_id_untrusted
from glottis.wire.dtls_record import split_handshake_untrusted, split_records_untrusted
from glottis.wire.mdns import parse_mdns_answer_untrusted
from glottis.wire.red import HEADER_LENGTH, RedBlock, build_red, parse_red_untrusted
from glottis.wire.rtcp import MAX_COMPOUND_LENGTH, parse_rtcp_untrusted
from glottis.wire.rtp import parse_rtp_untrusted
from glottis.wire.rtp_extensions import find_extensions_untrusted
from glottis.wire.sctp import parse_data_untrusted, parse_packet_untrusted, parse_parameters_untrusted
from glottis.wire.sctp_chunks import (
    parse_forward_tsn_untrusted,
    parse_init_untrusted,
    parse_outgoing_reset_untrusted,
    parse_reset_response_untrusted,
    parse_sack_untrusted,
    parse_sequence_untrusted,
)
from glottis.wire.stream_frames import StreamFrames
from glottis.wire.stun import parse_stun_untrusted
from glottis.wire.stun_stream import StunStream
from glottis.wire.telephone_event import parse_telephone_event_untrusted
from glottis_dvi4.codec import payload_duration_untrusted as dvi4_duration_untrusted
from glottis_opus.packet import payload_duration_untrusted as opus_duration_untrusted
from glottis_spandsp.payload import payload_duration_untrusted as spandsp_duration_untrusted

from support.installed import installed_plugins
from support.worst import Arguments, Make, Row, datagram, filled

TRANSACTION_ID: Final = b"glottis cost"
OPUS: Final = installed_plugins().codecs.find("opus").spec
RECORD: Final = b"\x17\xfe\xfd" + bytes(8)


def stun(attribute: bytes, *, integrity: bool = False) -> Make:
    """A request that repeats an attribute, and ends in a right fingerprint."""

    def make(size: int) -> Arguments:
        body = attribute * ((size - 52) // len(attribute))
        body += b"\0\x08\0\x14" + bytes(20) if integrity else b""
        signed = b"\0\1" + (len(body) + 8).to_bytes(2) + b"\x21\x12\xa4\x42" + TRANSACTION_ID + body
        return (signed + b"\x80\x28\0\4" + (zlib.crc32(signed) ^ 0x5354554E).to_bytes(4),)

    return make


def read_stun_stream(data: bytes) -> None:
    """What was read of a stream at once."""
    StunStream().feed_untrusted(data)


def read_stream_frames(data: bytes) -> None:
    """The same of the datagrams of a call."""
    StreamFrames().feed_untrusted(data)


def hear_turn_server(data: bytes) -> None:
    """What has come from where a TURN server is."""
    Allocation(Address("198.51.100.7", 3478), None, rng=random.Random(1)).handle_datagram(data, 0.0)


def rtcp(packet_type: int, count: int, unit: bytes) -> Make:
    """A compound packet of packets with ``count`` units each."""
    body = unit * count
    body += bytes(-len(body) % 4)
    return filled(bytes((0x80 | count, packet_type)) + (len(body) // 4).to_bytes(2) + body)


def with_report(ssrc: bytes, fixed: int, packet_type: int, count: int) -> Make:
    """Reports: an SSRC, what is fixed, and blocks."""
    body = ssrc + bytes(fixed) + count * bytes(range(24))
    return filled(bytes((0x80 | count, packet_type)) + (len(body) // 4).to_bytes(2) + body)


def description_of_items(size: int) -> Arguments:
    """One source, with as many empty names as there is room for."""
    words = (size - 8) // 4
    return (b"\x81\xca" + words.to_bytes(2) + b"ssrc" + b"\1\0\1\0" * (words - 2) + bytes(4),)


def padded_goodbye(size: int) -> Arguments:
    words = size // 4
    return (b"\xa1\xcb" + (words - 1).to_bytes(2) + bytes(4 * words - 8) + b"\0\0\0\4",)


def dns_records(name: bytes, first: bytes = b"") -> Make:
    """An answer with as many addresses as it may have, each with this name."""

    def make(size: int) -> Arguments:
        fixed = b"\0\1\0\1\0\0\0\x78\0\4\xc0\0\2\1"
        names = [first or name, *[name] * 31]
        records = b"".join(each + fixed for each in names)
        return (b"\0\0\x84\0\0\0" + len(names).to_bytes(2) + bytes(4) + records,)

    return make


def channel_open(unit: bytes) -> Make:
    return lambda size: (b"\3" + bytes(7) + (size - 12).to_bytes(2) + bytes(2) + unit * (size - 12),)


def rtp_with_extension(profile: int, unit: bytes) -> Make:
    def make(size: int) -> Arguments:
        words = (size - 16) // 4
        head = b"\x90\x60" + bytes(10) + profile.to_bytes(2) + words.to_bytes(2)
        return (head + (unit * size)[: 4 * words],)

    return make


def feedback(packet_type: int, count: int, body: bytes) -> Make:
    """Compound packets of as many of these as there is room for."""
    body += bytes(-len(body) % 4)
    return filled(bytes((0x80 | count, packet_type)) + (len(body) // 4).to_bytes(2) + body)


def transport_feedback(statuses: int, chunks: bytes, deltas: bytes) -> Make:
    return feedback(205, 15, bytes(8) + b"\0\0" + statuses.to_bytes(2) + bytes(4) + chunks + deltas)


def sctp(chunk: bytes) -> Make:
    def make(size: int) -> Arguments:
        packet = b"\x13\x88\x13\x88\0\0\0\1" + bytes(4) + chunk * ((size - 12) // len(chunk))
        return (packet[:8] + crc32c(packet).to_bytes(4, "little") + packet[12:],)

    return make


def sack(gaps: int, duplicates: int) -> Make:
    """Lists of both kinds, in this proportion."""

    def make(size: int) -> Arguments:
        words = (size - 12) // 4 // (gaps + duplicates)
        head = struct.pack("!IIHH", 1, 65536, gaps * words, duplicates * words)
        return (head + b"\0\2\0\2" * ((gaps + duplicates) * words),)

    return make


def red(frame: bytes) -> Make:
    """As many blocks of payload type 111 with this frame as there is room for."""

    def make(size: int) -> Arguments:
        older = [RedBlock(111, 1, frame)] * ((size - 1 - len(frame)) // (HEADER_LENGTH + len(frame)))
        return (build_red(older, 111, frame),)

    return make


def redundant_audio(payload: bytes) -> None:
    RedReader({111: PlainReader(OPUS)}, PlayoutStatistics()).read_untrusted(payload, 1, 1_000_000, 0.0)


def data_chunk(size: int) -> Arguments:
    return bytes(size), 0, size


ROWS: Final[tuple[Row, ...]] = (
    datagram(
        parse_stun_untrusted,
        {
            "empty optional attributes": stun(b"\xff\xff\0\0"),
            "empty unknown attributes": stun(b"\x7f\xff\0\0"),
            "repeated known attributes": stun(b"\0\x25\0\0"),
            "attributes behind the integrity": stun(b"\xc0\x01\0\0", integrity=True),
        },
    ),
    datagram(
        stun_local_ufrag_untrusted,
        {"empty attributes": stun(b"\xff\xff\0\0"), "a long name": stun(b"\0\6\1\0" + b"u" * 256)},
    ),
    datagram(stun_transaction_id_untrusted, {"a long message": filled(bytes(4), b"\0\1\0\0\x21\x12\xa4\x42")}),
    datagram(
        parse_channel_data_untrusted, {"a long message": lambda size: (b"\x40\0" + size.to_bytes(2) + bytes(size),)}
    ),
    datagram(
        read_stun_stream,
        {
            "empty channel data": filled(b"\x40\0\0\0"),
            "channel data of a byte": filled(b"\x40\0\0\1x..."[:8]),
            "empty messages": filled(b"\0\1\0\0\x21\x12\xa4\x42" + TRANSACTION_ID),
            "a long message": lambda size: (b"\x40\0\xff\xff" + bytes(size),),
        },
    ),
    datagram(
        read_stream_frames,
        {
            "empty frames": filled(b"\0\0"),
            "frames of a byte": filled(b"\0\1x"),
            "a frame that is too long": lambda size: (b"\xff\xff" + bytes(size),),
        },
    ),
    datagram(
        hear_turn_server,
        {
            "a long message": lambda size: (b"\x40\0" + size.to_bytes(2) + bytes(size),),
            "empty unknown attributes": stun(b"\x7f\xff\0\0"),
        },
    ),
    datagram(
        split_records_untrusted,
        {
            "empty records": filled(RECORD + b"\0\0"),
            "as many as are let in": filled(RECORD + b"\0\x12" + bytes(0x12)),
            "one": lambda size: (RECORD + (size - 13).to_bytes(2) + bytes(size - 13),),
        },
    ),
    datagram(
        split_handshake_untrusted,
        {
            "empty fragments": filled(b"\1" + bytes(11)),
            "fragments of a long message": filled(b"\1\0\xff\xff\0\0\0\0\0\0\0\1x"),
        },
    ),
    datagram(
        parse_rtcp_untrusted,
        {
            "empty packets of an unknown type": rtcp(207, 0, b""),
            "goodbyes of nobody": rtcp(203, 0, b""),
            "goodbyes of 31 sources": rtcp(203, 31, b"ssrc"),
            "descriptions of 31 sources": rtcp(202, 31, b"ssrc\1\1a\0"),
            "descriptions of nobody": rtcp(202, 0, b""),
            "a description of many items": description_of_items,
            "reports of 31 sources": with_report(b"ssrc", 0, 201, 31),
            "empty reports": with_report(b"ssrc", 0, 201, 0),
            "empty reports of senders": with_report(b"ssrc", 20, 200, 0),
            "padding": padded_goodbye,
            "NACKs of one packet": feedback(205, 1, bytes(12)),
            "NACKs of many packets": feedback(205, 1, bytes(8) + b"\0\1\xff\xff" * 16),
            "feedback about packets that are lost": transport_feedback(100, b"\0\x64", b""),
            "feedback about packets that have come": transport_feedback(100, b"\x20\x64", b"\1" * 100),
            "feedback in vectors": transport_feedback(100, b"\xd5\x55" * 15, b"\1" * 100),
            "feedback in short runs": transport_feedback(100, b"\x20\1" * 100, b"\1" * 100),
            "bitrates for many sources": feedback(206, 15, bytes(8) + b"REMB\x1f\xff\xff\xff" + bytes(124)),
            "delays of many receivers": feedback(207, 0, bytes(4) + b"\5\0\0\x18" + bytes(96)),
            "many blocks of extended reports": feedback(207, 0, bytes(4) + (b"\5\0\0\3" + bytes(12)) * 8),
            "extended reports": rtcp(207, 1, b"ssrc\4\0\0\2timestamp..."),
        },
        longest=MAX_COMPOUND_LENGTH,
    ),
    datagram(
        parse_mdns_answer_untrusted,
        {
            "long names": dns_records(b"\1a" * 16 + b"\0"),
            "pointers to a long name": dns_records(b"\xc0\x0c", first=b"\1a" * 16 + b"\0"),
            "addresses": dns_records(b"\0"),
        },
        longest=9000,
    ),
    datagram(
        parse_rtp_untrusted,
        {
            "a long extension": rtp_with_extension(0xBEDE, b"\x10a"),
            "sources and padding": lambda size: (b"\xaf\x60" + bytes(10) + bytes(size - 13) + b"\xff",),
            "sources before an extension": lambda size: (
                b"\x9f\x60" + bytes(70) + b"\xbe\xde" + ((size - 76) // 4).to_bytes(2) + bytes(size - 76),
            ),
        },
    ),
    datagram(
        find_extensions_untrusted,
        {
            "short elements": filled(b"\x10a", b"\xbe\xde\1\0"),
            "padding": filled(b"\0", b"\xbe\xde\1\0"),
            "empty elements": filled(b"\1\0", b"\x10\0\1\0"),
            "many identifiers": lambda size: (b"\x10\0\1\0" + bytes(range(1, 255)) * (size // 254),),
        },
    ),
    datagram(
        parse_red_untrusted,
        {
            "empty blocks": filled(b"\xef\0\0\0", after=b"\x6f"),
            "blocks of a byte": red(b"\x78"),
        },
    ),
    datagram(
        redundant_audio,
        {
            "blocks of a byte": red(b"\x78"),
            "blocks of many frames": red(b"\xff\x06"),
            "blocks that are no frames": red(b"\xff"),
        },
    ),
    datagram(
        parse_packet_untrusted,
        {"empty chunks": sctp(b"\x0a\0\0\4"), "data": sctp(b"\0\3\0\x11" + bytes(13) + b"\0\0\0")},
    ),
    datagram(parse_data_untrusted, {"a long chunk": data_chunk}),
    datagram(parse_parameters_untrusted, {"empty parameters": filled(b"\xc0\0\0\4")}),
    datagram(parse_init_untrusted, {"empty parameters": filled(b"\xc0\0\0\4", bytes(16))}),
    datagram(
        parse_sack_untrusted, {"gaps": sack(1, 0), "duplicates": sack(0, 1), "gaps and duplicates": sack(1, 1)}
    ),
    datagram(parse_forward_tsn_untrusted, {"streams": filled(b"\0\1\0\1")}),
    datagram(parse_outgoing_reset_untrusted, {"streams": filled(b"\0\1", bytes(12))}),
    datagram(parse_reset_response_untrusted, {"a long one": filled(bytes(8))}),
    datagram(parse_sequence_untrusted, {"a long one": filled(bytes(4))}),
    datagram(
        parse_dcep_untrusted,
        {
            "a long label": channel_open(b"l"),
            "a label that is no text": channel_open(b"\xff"),
        },
        longest=MAX_OPEN_SIZE,
    ),
    datagram(
        TelephoneEventReader(8000, Keypad()).read_untrusted,
        {"a key after another": lambda size: (bytes((size % 16, 0x8A, 0, 0xA0)) * (size // 4), 1, size * 7919, 0.0)},
    ),
    datagram(
        ComfortNoiseReader(8000, Background(), PlayoutStatistics()).read_untrusted,
        {"a long spectrum": lambda size: (b"\xff" * size, size, size * 7919, 0.0)},
    ),
    datagram(parse_comfort_noise_untrusted, {"a long spectrum": filled(b"\xff")}),
    datagram(parse_telephone_event_untrusted, {"many events": filled(b"\1\x8a\3\x20")}),
    datagram(opus_duration_untrusted, {"many frames": filled(b"\xff"), "one frame": filled(b"\x78")}),
    datagram(dvi4_duration_untrusted, {"a long payload": filled(b"\0")}),
    datagram(spandsp_duration_untrusted, {"a long payload": filled(b"\xff")}),
)  # fmt: skip
