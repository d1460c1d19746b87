"""What a whole offer costs, until it is answered or refused."""

import random
from functools import cache
from pathlib import Path
from typing import Final

from glottis.dtls import Certificate
from glottis.peer import PeerConnection, PeerSettings
from glottis.plugins import load_plugins
from glottis.sdp.parser import MAX_SIZE
from glottis.testing.peers import GATEWAY

from support.worst import Arguments, Make, Row, description

BROWSER: Final = Path(__file__).parents[2] / "vectors/sdp/chromium156_widget_offer.sdp"
CODECS: Final = tuple(load_plugins().codecs.find(name).spec for name in ("opus", "PCMU", "PCMA", "G722"))
TRANSPORT: Final = (
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\na=rtcp-mux\r\n"
    f"a=fingerprint:sha-256 {':'.join(['AA'] * 32)}\r\n"
)
SESSION: Final = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"
AUDIO: Final = f"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n{TRANSPORT}"


@cache
def certificate() -> Certificate:
    return Certificate.generate()


def connection() -> PeerConnection:
    settings = PeerSettings(CODECS)
    return PeerConnection(settings, certificate=certificate(), local_addresses=[GATEWAY], rng=random.Random(1))


def accept(made: PeerConnection, sdp: str) -> None:
    made.accept_offer_untrusted(sdp, 0.0)


def offered(line: str, before: str = SESSION + AUDIO, after: str = "") -> Make:
    """A line as often as there is room; ``#`` in it is its number."""

    def make(size: int) -> Arguments:
        lines: list[str] = []
        room = size - len(before) - len(after)
        while room > 0:
            lines.append(line.replace("#", str(len(lines))))
            room -= len(lines[-1])
        return connection(), before + "".join(lines[:-1]) + after

    return make


def as_a_browser(size: int) -> Arguments:
    """Its sections again and again."""
    head, *sections = BROWSER.read_text().replace("\r\n", "\n").split("m=")
    text = head
    while len(text) < size - max(map(len, sections)):
        text += f"m={sections[0]}"
    return connection(), text.replace("\n", "\r\n")


ROWS: Final[tuple[Row, ...]] = (
    description(
        accept,
        {
            "attributes": offered("a=x:#\r\n"),
            "candidates": offered("a=candidate:# 1 udp # 192.0.2.1 4000 typ host\r\n"),
            "useless candidates": offered("a=candidate:# 1 tcp # name.local 9 typ host tcptype active\r\n"),
            "mapped payload types": offered("a=rtpmap:0 a#/8000\r\n"),
            "parameters": offered("a=fmtp:0 a=#\r\n"),
            "one long parameter": offered("#;", SESSION + AUDIO + "a=fmtp:0 ", "\r\n"),
            "payload types": offered(" 0", SESSION + "m=audio 9 UDP/TLS/RTP/SAVPF", AUDIO[AUDIO.index("\r\n") :]),
            "payload types of no codec": offered(
                " 96", SESSION + "m=audio 9 UDP/TLS/RTP/SAVPF", AUDIO[AUDIO.index("\r\n") :]
            ),
            "sources": offered("a=ssrc:# cname:a\r\n"),
            "fingerprints": offered(TRANSPORT.splitlines(keepends=True)[-1]),
            "groups": offered("a=group:BUNDLE 0 1\r\n", SESSION, AUDIO),
            "one long group": offered(" #", SESSION + "a=group:BUNDLE 0", "\r\n" + AUDIO),
            "one long option": offered(" #", SESSION + AUDIO + "a=ice-options:trickle", "\r\n"),
            "extensions of headers": offered("a=extmap:1 urn:#\r\n"),
            "sections": offered("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:#\r\n", SESSION, TRANSPORT),
            "browsers' sections": as_a_browser,
            "one long line": offered("x", SESSION + AUDIO + "a=x:", "\r\n"),
            "lines of any kind": offered("b=AS:1\r\n"),
        },
        longest=MAX_SIZE,
    ),
)  # fmt: skip
