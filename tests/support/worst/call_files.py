"""What reads files of calls."""

import json

from glottis.lab.replaying.hearing import Plain
from glottis.lab.replaying.reading import read_call_untrusted
from glottis.wire.call_file import MAGIC, Entry, Kind, encode_entry

from support.worst import Row, datagram, filled


def _entry(kind: Kind, content: bytes = b"") -> bytes:
    return encode_entry(Entry(kind, 1.0, content))


AUDIO = {
    "mid": "0",
    "media_index": 0,
    "direction": "sendrecv",
    "formats": [{"rtpmap": [0, "PCMU", 8000, 1]}],
}
AGREEMENT = json.dumps(
    {"audio": AUDIO, "sample_rate": 16000, "frame_ms": 20, "delay": {"policy": "fixed", "ms": 40}}
).encode()
AGREED = MAGIC + _entry(Kind.NEGOTIATED, AGREEMENT)


def _plain(data: bytes) -> bytes:
    return Plain().unprotect_untrusted(data, 0.0)


ROWS = (
    datagram(_plain, {"anything": filled(b"\0")}),
    Row(
        read_call_untrusted,
        64 * 1024,
        60,
        {
            "ticks": filled(_entry(Kind.TICK), AGREED),
            "packets": filled(_entry(Kind.RTP, bytes(40)), AGREED),
            "agreements": filled(_entry(Kind.NEGOTIATED, AGREEMENT), MAGIC),
            "texts": filled(_entry(Kind.TEXT, b'{"text": "{}"}'), AGREED),
            "bytes": filled(_entry(Kind.BYTES, b"x\0y"), AGREED),
            "speech": filled(_entry(Kind.SAID, b"20"), AGREED),
            "messages": filled(_entry(Kind.WROTE, b"x"), AGREED),
            "ends": filled(_entry(Kind.ENDED, b"{}"), AGREED),
            "unknown": filled(bytes(13), AGREED),
        },
    ),
)
