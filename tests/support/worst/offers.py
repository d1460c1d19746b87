"""What a whole offer costs, until it is answered or refused."""

import itertools
import random
from functools import cache
from pathlib import Path
from typing import Final

from glottis.dtls import Certificate
from glottis.peer import PeerConnection, PeerSettings
from glottis.sdp.candidate import MAX_CANDIDATE_LENGTH
from glottis.sdp.parser import (
    MAX_FINGERPRINTS,
    MAX_FORMATS,
    MAX_LENGTH,
    MAX_LINES,
    MAX_MEDIA_SECTIONS,
    MAX_PARAMETERS,
    MAX_READ,
    MAX_REPEATS,
    MAX_SIZE,
)
from glottis.sdp.transport import MAX_CANDIDATES, MAX_CANDIDATES_READ
from glottis.testing.peers import GATEWAY

from support.installed import installed_plugins
from support.worst import Arguments, Make, Row, message

BROWSER: Final = Path(__file__).parents[2] / "vectors/sdp/chromium156_widget_offer.sdp"
CODECS: Final = tuple(installed_plugins().codecs.find(name).spec for name in ("opus", "PCMU", "PCMA", "G722"))
TRANSPORT: Final = (
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\na=rtcp-mux\r\n"
    f"a=fingerprint:sha-256 {':'.join(['AA'] * 32)}\r\n"
)
SESSION: Final = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"
ADDRESSES: Final = (f"{number % 250}" for number in itertools.count())
NAME: Final = "a." * 110 + "a"
IPV6_CANDIDATE: Final = "a=candidate:# 1 udp # 2001:db8::# 4000 typ host raddr 2001:db8::1 rport 1\r\n"
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
    """A line as often as there is room, and no more lines than are read; ``#`` in it is its number."""
    most = MAX_LINES - (before + after).count("\n")

    def make(size: int) -> Arguments:
        lines: list[str] = []
        room = size - len(before) - len(after)
        while room > 0 and (len(lines) <= most or "\n" not in line):
            lines.append(line.replace("#", str(len(lines))))
            room -= len(lines[-1])
        return connection(), before + "".join(lines[:-1]) + after

    return make


def long(start: str, unit: str, end: str = "", length: int = MAX_LENGTH) -> str:
    """A line that is as long as one may be."""
    return start + unit * ((length - len(start) - len(end)) // len(unit)) + end + "\r\n"


def sections_of_many_formats(size: int) -> Arguments:
    """All of which are accepted, and have no payload type in common with us but the last."""
    formats = " ".join(map(str, range(MAX_FORMATS - 1, -1, -1)))
    group = " ".join(map(str, range(MAX_MEDIA_SECTIONS)))
    text = f"{SESSION}a=group:BUNDLE {group}\r\n{TRANSPORT}"
    for mid in range(MAX_MEDIA_SECTIONS):
        text += f"m=audio 9 UDP/TLS/RTP/SAVPF {formats}\r\na=mid:{mid}\r\n"
    return connection(), text if len(text) <= size else text[: max(size, len(SESSION))]


def of_all_kinds(size: int) -> Arguments:
    """As many as are read of what costs most."""
    kinds = (
        (IPV6_CANDIDATE, 2 * MAX_CANDIDATES),
        ("a=rtpmap:96 opus/48000/2\r\n", MAX_REPEATS),
        ("a=fmtp:96 a;b;c;d;e;f;g;h\r\n", MAX_REPEATS),
        ("a=ssrc:# cname:a\r\n", MAX_REPEATS),
        (TRANSPORT.splitlines(keepends=True)[-1], MAX_REPEATS),
        ("a=x:#\r\n", MAX_LINES),
    )
    lines = [line.replace("#", str(number)) for line, most in kinds for number in range(most)]
    random.Random(1).shuffle(lines)  # so that the half of them is half of each kind
    text = SESSION + AUDIO.replace("SAVPF 0", "SAVPF 96")
    for line in lines[: MAX_LINES - text.count("\n")]:
        text += line if len(text) + len(line) <= size else ""
    return connection(), text


def as_much_as_is_read(candidate: str) -> Make:
    """Of what costs most first, and then lines that nobody reads; each time of other addresses."""
    kinds = (
        (candidate, MAX_CANDIDATES_READ),
        ("a=fmtp:96 a;b;c;d;e;f;g;h\r\n", MAX_PARAMETERS // 8),
        (TRANSPORT.splitlines(keepends=True)[-1], MAX_FINGERPRINTS - 1),
        ("a=rtpmap:96 opus/48000/2\r\n", MAX_REPEATS),
        ("a=ssrc:# cname:a\r\n", MAX_REPEATS),
    )
    before = SESSION + AUDIO.replace("SAVPF 0", "SAVPF 96")

    def make(size: int) -> Arguments:
        part = size / MAX_SIZE
        read = [line for line, most in kinds for _ in range(max(1, int(most * part)))]
        read = read[: int((MAX_READ - before.count("a=")) * part)]
        unread = ["a=x:#\r\n"] * (int((MAX_LINES - before.count("\n")) * part) - len(read))
        lines = [
            line.replace("#", str(number)).replace("@", next(ADDRESSES)) for number, line in enumerate(read + unread)
        ]
        return connection(), before + "".join(lines)

    return make


def as_a_browser(size: int) -> Arguments:
    """Its sections again and again."""
    head, *sections = BROWSER.read_text().replace("\r\n", "\n").split("m=")
    text = head
    while len(text) < size - max(map(len, sections)):
        text += f"m={sections[0]}"
    return connection(), text.replace("\n", "\r\n")


ROWS: Final[tuple[Row, ...]] = (
    message(
        accept,
        {
            "attributes": offered("a=x:#\r\n"),
            "candidates": offered("a=candidate:# 1 udp # 192.0.2.1 4000 typ host\r\n"),
            "useless candidates": offered("a=candidate:# 1 tcp # name.local 9 typ host tcptype active\r\n"),
            "IPv6 candidates": offered(IPV6_CANDIDATE),
            "long candidates": offered(
                long("a=candidate:# 1 udp # 192.0.2.1 4000 typ host", " a b", length=MAX_CANDIDATE_LENGTH)
            ),
            "names of candidates": offered(f"a=candidate:# 1 udp # {NAME} 9 typ host raddr {NAME}\r\n"),
            "mapped payload types": offered("a=rtpmap:0 a#/8000\r\n"),
            "parameters": offered("a=fmtp:0 a=#\r\n"),
            "long lists of parameters": offered(long("a=fmtp:0 ", "a=1;")),
            "empty parameters": offered(long("a=fmtp:0 ", ";")),
            "many parameters": offered("a=fmtp:0 a;b;c;d;e;f;g;h\r\n"),
            "one long parameter": offered("#;", SESSION + AUDIO + "a=fmtp:0 ", "\r\n"),
            "payload types": offered(" 0", SESSION + "m=audio 9 UDP/TLS/RTP/SAVPF", AUDIO[AUDIO.index("\r\n") :]),
            "payload types of no codec": offered(
                " 96", SESSION + "m=audio 9 UDP/TLS/RTP/SAVPF", AUDIO[AUDIO.index("\r\n") :]
            ),
            "sections of many payload types": sections_of_many_formats,
            "long encoding names": offered(long("a=rtpmap:0 ", "a", "/8000")),
            "long sources": offered(long("a=ssrc:# cname:", "a")),
            "long groups": offered(long("a=group:BUNDLE 0", " 1"), SESSION, AUDIO),
            "long names": offered(f"a={'x' * 60}\r\n"),
            "lines that cannot be read": offered("a=\r\n"),
            "lines of all kinds": of_all_kinds,
            "all that is read": as_much_as_is_read(
                "a=candidate:# 1 udp # 192.0.@.1 4000 typ host raddr 192.0.2.1 rport 1\r\n"
            ),
            "all that is read, of IPv6": as_much_as_is_read(
                "a=candidate:# 1 udp # 2001:db8::@:# 4000 typ host raddr 2001:db8::1 rport 1\r\n"
            ),
            "one long list of redundant formats": offered(
                "/0", SESSION + AUDIO.replace("SAVPF 0", "SAVPF 0 63") + "a=rtpmap:63 red/8000\r\na=fmtp:63 0", "\r\n"
            ),
            "redundant formats": offered(
                "a=rtpmap:# red/8000\r\na=fmtp:# 1/1\r\n",
                SESSION + AUDIO.replace("SAVPF 0", f"SAVPF {' '.join(map(str, range(128)))}"),
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
            "bandwidths": offered("b=AS:1\r\n"),
        },
        longest=MAX_SIZE,
        milliseconds=2,  # with the answer to it
    ),
)  # fmt: skip
