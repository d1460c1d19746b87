"""What reads captures of packets."""

import struct

from glottis.lab.capture import parse_capture_untrusted

from support.worst import Row, filled

_CLASSIC = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
_UDP = struct.pack(">BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 17, 0) + bytes(8) + struct.pack(">HHHH", 1, 1, 8, 0)
_SECTION = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
_INTERFACE = struct.pack("<IIHHII", 1, 20, 101, 0, 0, 20)
_PACKET = struct.pack("<8I", 6, 60, 0, 0, 0, 28, 28, 0)[:28] + _UDP + struct.pack("<I", 60)

ROWS = (
    Row(
        parse_capture_untrusted,
        64 * 1024,
        30,
        {
            "empty packets": filled(bytes(16), _CLASSIC),
            "datagrams": filled(struct.pack("<IIII", 0, 0, 28, 28) + _UDP, _CLASSIC),
            "empty blocks": filled(struct.pack("<III", 5, 12, 12), _SECTION),
            "sections": filled(_SECTION),
            "interfaces": filled(_INTERFACE, _SECTION),
            "packets in blocks": filled(_PACKET, _SECTION + _INTERFACE),
        },
    ),
)
