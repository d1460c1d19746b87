"""What the parent of several workers reads of them."""

import trio
from glottis.server.fleet import messages
from glottis.server.fleet.channel import Channel, open_channel_pair
from glottis.server.fleet.messages import (
    LONGEST,
    MAX_COUNTS,
    MAX_FIGURES,
    encode,
    parse_counts_untrusted,
    parse_from_worker_untrusted,
)

from support.worst import Arguments, filled, message


def receive(data: bytes) -> None:
    """One message, as it is."""

    async def read() -> None:
        ours, theirs = open_channel_pair()
        with ours, theirs:
            ours.send(data)
            await Channel(theirs).receive_untrusted()

    trio.run(read)


def handed_over(size: int) -> Arguments:
    """The longest message that there is."""
    return (encode(messages.HandOver(1, bytes(min(size, messages.MAX_RECEIVED)))),)


def told(size: int) -> Arguments:
    """Figures."""
    return (encode(messages.Told(1, bytes(min(size, MAX_FIGURES)))),)


ROWS = (
    message(receive, {"anything": filled(b"x"), "handed over": handed_over}, LONGEST, milliseconds=5),
    message(
        parse_from_worker_untrusted,
        {
            "handed over": handed_over,
            "told": told,
            "nested": filled(b"\x91"),
            "hosts": filled(b"\xa1x", b"\x93\x00\x01"),
        },
        LONGEST,
    ),
    message(
        parse_counts_untrusted,
        {"nested": filled(b"["), "names": filled(b'"x":1,', b"{"), "digits": filled(b"1", b'{"complexity":')},
        MAX_COUNTS,
    ),
)
