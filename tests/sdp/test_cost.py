"""What a hostile description costs, in operations: not much more than the longest of a browser."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from glottis.contracts.errors import RemoteError
from glottis.sdp import parse_session_description_untrusted
from glottis.sdp.parser import MAX_LINES, MAX_SIZE
from support.cost import operations

pytestmark = pytest.mark.slow

Vector = Callable[[str], str]
Answer = Callable[..., Any]
LONGEST = "corpus/str0m-chrome.sdp"


def cost(answer: Answer, text: str) -> int:
    """Whether or not it refuses."""
    return operations(suppressed, answer, text)


def suppressed(answer: Answer, text: str) -> None:
    with suppress(RemoteError):
        answer(text)


def repeated(line: str, count: int = MAX_LINES - 50) -> str:
    """So many lines, as far as they fit; ``{}`` is their number."""
    text = ""
    for number in range(count):
        text += line.format(number) + "\r\n"
        if len(text) > MAX_SIZE - 4000:
            break
    return text


HOSTILE = {
    "candidates": repeated("a=candidate:{0} 1 udp {0} 192.0.2.1 {0} typ host raddr 192.0.2.1 rport 9"),
    "IPv6 candidates": repeated("a=candidate:{0} 1 udp {0} 2001:db8::{0} {0} typ host"),
    "candidates over TCP": repeated("a=candidate:{0} 1 tcp {0} 192.0.2.1 9 typ host tcptype active"),
    "candidates of no sense": repeated("a=candidate:{0}"),
    "rtpmaps": repeated("a=rtpmap:{0} opus/48000/2"),
    "fmtps": repeated("a=fmtp:111 x={0};y"),
    "a long fmtp": "a=fmtp:111 " + ";" * (MAX_SIZE - 4000),
    "sources": repeated("a=ssrc:{0} cname:x"),
    "fingerprints": repeated("a=fingerprint:sha-256 " + ":".join(["AB"] * 32)),
    "mids": repeated("a=mid:{0}"),
    "packet times": repeated("a=ptime:20"),
    "a long line": "a=x:" + "x" * (MAX_SIZE - 4000),
    "ICE options": "a=ice-options:" + "x " * (MAX_SIZE // 2 - 2000),
    "unknown attributes": repeated("a=x"),
    "no lines": repeated("?"),
    "wrong attributes": repeated("a="),
    "bandwidths": repeated("b=AS:1"),
    "blank lines": repeated(""),
    "too many lines": "\r\n" * MAX_LINES,
    "sections": repeated("m=video 9 UDP/TLS/RTP/SAVPF 96", 200),
    "sections of audio": repeated("m=audio 9 UDP/TLS/RTP/SAVPF 0 8 9\r\na=rtcp-mux\r\na=mid:{0}x", 13),
    "formats": "m=video 9 UDP/TLS/RTP/SAVPF" + " 1" * (MAX_SIZE // 2 - 2000),
}


@pytest.mark.parametrize("lines", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_offer_costs_little_more_than_the_longest_of_a_browser(
    lines: str, vector: Vector, answer: Answer
) -> None:
    longest, attacked = vector(LONGEST), vector("chromium156_seed_offer.sdp") + lines
    assert cost(answer, attacked) < 4 * cost(answer, longest)


def test_the_longest_offer_of_a_browser_has_room_to_grow(vector: Vector) -> None:
    text = vector(LONGEST)
    description = parse_session_description_untrusted(text)
    assert len(description.media) == 3
    assert 2 * text.count("\n") < MAX_LINES
    assert 4 * len(text) < MAX_SIZE
