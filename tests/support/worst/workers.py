"""What reads a worker's words: frames, messages, lines of its log."""

import trio
from glottis.contracts.audio import EncodedPacket
from glottis.isolation import messages
from glottis.isolation.framing import HEADER, Splitter, frame
from glottis.isolation.messages import encode, parse_from_worker_untrusted
from glottis.isolation.pipe import Pipe
from glottis.isolation.places import MAX_IN_A_ROW, Places
from glottis.isolation.worker_log import MARK, parse_record_untrusted

from support.worst import Arguments, Make, filled, message

CHUNK = 16 * 1024
"""What is read at once."""


def next_bodies(data: bytes) -> None:
    """As the pipe cuts what it has read, until others have their turn."""
    splitter = Splitter(CHUNK)
    splitter.feed(data)
    for _ in range(MAX_IN_A_ROW):
        splitter.next_body_untrusted()


class Piped(Pipe):
    """One end, which has read this, and then the end."""

    def __init__(self, data: bytes) -> None:
        self.incoming = Splitter(CHUNK)
        self._data = data

    async def read(self) -> bool:
        self.incoming.feed(self._data)
        data, self._data = self._data, b""
        return bool(data)


def read_pipe(data: bytes) -> None:
    """All that a worker with many calls may say at once, about calls that there are no longer."""

    async def read() -> None:
        await Places(Piped(data), 64, lambda: None).read_untrusted()

    trio.run(read)


def said(size: int) -> Arguments:
    """A long message."""
    return (encode(messages.Say(1, bytes(size))),)


def asked(size: int) -> Arguments:
    """One with everything."""
    return (encode(messages.Ask(1, 1, "event", "e" * (size // 2), bytes(size // 2))),)


def packet(size: int) -> Arguments:
    """A packet that is too long."""
    return (encode(messages.SayPacket(1, EncodedPacket(bytes(size), "opus", 48000, 0, 960))),)


NESTED: Make = filled(b"\x91")

ALIVE = frame(encode(messages.Alive()))
STOPPED = frame(encode(messages.Stopped(1)))

ROWS = (
    message(
        read_pipe,
        {"signs of life": filled(ALIVE), "ends": filled(STOPPED)},
        CHUNK,
        milliseconds=15,  # for 2,000 of them; others have their turn after 64
    ),
    message(next_bodies, {"empty": filled(HEADER.pack(0)), "small": filled(frame(b"x" * 8))}, CHUNK),
    message(parse_from_worker_untrusted, {"said": said, "asked": asked, "packet": packet, "nested": NESTED}),
    message(
        parse_record_untrusted, {"text": filled(b"a", MARK + b'{"level":1,"name":"', b'"}'), "nested": filled(b"[")}
    ),
)
