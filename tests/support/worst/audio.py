"""What reads audio that comes by a WebSocket, and what clients declare of it."""

from typing import Final

from glottis import AudioPreference, CallInfo
from glottis.calls.websocket import Formats
from glottis.calls.websocket.inlet import PAYLOAD_TYPE, AudioInlet
from glottis.rtp import AudioReceiver, PlainReader
from glottis_recorder.opus_frames import opus_frames_untrusted
from glottis_spandsp.resampler import SpeexResampling

from support.installed import installed_plugins
from support.worst import Arguments, Row, datagram, filled, message

RATE: Final = 16000
FORMATS: Final = Formats([entry.spec for entry in installed_plugins().codecs], SpeexResampling())
NARROW: Final = AudioPreference("PCM", 8000, 8)
FLOATS: Final = AudioPreference("PCM", 48000, 32)
OPUS: Final = AudioPreference("OPUS")


def take_and_hear_untrusted(declared: AudioPreference, data: bytes) -> None:
    """The message, and the media tick in which its first frame is decoded."""
    info = CallInfo("s", "c", input=declared, output=declared)
    codec = FORMATS.declared_untrusted(info, RATE).input
    receiver = AudioReceiver({PAYLOAD_TYPE: PlainReader(codec.codec)}, sample_rate=RATE)
    inlet = AudioInlet(codec, receiver, longest_delay=0.04)
    inlet.take_untrusted(data, 1.0)
    receiver.next_frame(1.1)


def declared(wish: AudioPreference) -> Arguments:
    """The arguments of ``Formats.declared_untrusted``."""
    return (CallInfo("s", "c", input=wish, output=wish), RATE)


ROWS: Final = (
    datagram(
        opus_frames_untrusted,
        {
            "48 frames": filled(b"\x00", b"\xfb\xb0"),
            "padding without end": filled(b"\xff", b"\xfb\x41"),
            "no frame": filled(b"\xff", b"\xfb\xb0"),
            "two frames": filled(b"\xff", b"\xf9\xff"),
        },
    ),
    message(lambda data: take_and_hear_untrusted(NARROW, data), {"short samples": filled(b"\xff")}),
    message(lambda data: take_and_hear_untrusted(FLOATS, data), {"no numbers": filled(b"\x00\x00\xc0\x7f")}),
    message(
        lambda data: take_and_hear_untrusted(OPUS, data),
        {"a long packet": filled(b"\xff", b"\xfb\x03"), "no packet": filled(b"\xff")},
    ),
    Row(
        FORMATS.declared_untrusted,
        64,
        1,
        {
            "any rate": lambda size: declared(AudioPreference("PCM", 11025)),
            "a codec of one rate": lambda size: declared(AudioPreference("G722", 8000)),
        },
    ),
)
