"""What of a peer's signaling is matched with its section, and what is skipped; none of it is an error."""

import re
from collections.abc import Callable

import pytest
from glottis.peer import CandidateUnmatched, ConnectionStateChanged, LinesSkipped, NameSignalled, PeerSettings
from glottis.peer.candidates import MAX_EARLY_CANDIDATES, MAX_NAMES
from glottis.peer.negotiator import MAX_TOLD_LINES
from glottis.sdp import OfferRefused
from glottis.testing.peers import VirtualCall
from msgspec.structs import replace
from support.installed import installed_plugins

CODECS = (installed_plugins().codecs.find("PCMU").spec,)
CALLER = "candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host"

Trickle = Callable[..., None]


@pytest.fixture
def call() -> VirtualCall:
    """The caller is a lite agent: without its candidate the gateway knows no address to check, and they never meet."""
    return VirtualCall(CODECS, caller_settings=PeerSettings(CODECS, ice_lite=True, max_message_size=65536))


@pytest.fixture
def trickle(call: VirtualCall) -> Trickle:
    def add(text: str, mid: str | None = "0", media_index: int | None = 0) -> None:
        call.gateway.connection.remote_candidates.add_untrusted(
            text, mid=mid, media_index=media_index, username_fragment=None, now=call.network.now
        )

    return add


def offer(call: VirtualCall) -> str:
    """Without the caller's candidates."""
    return re.sub("a=candidate:.*\r\n", "", call.caller.connection.make_offer())


def negotiate(call: VirtualCall, sdp: str) -> None:
    now = call.network.now
    answer = call.gateway.connection.accept_offer_untrusted(sdp, now)
    call.caller.connection.accept_answer_untrusted(answer, now)


def connects(call: VirtualCall) -> bool:
    return call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=2)


def events(call: VirtualCall, kind: type) -> list[object]:
    connection = call.gateway.connection
    while (event := connection.next_event()) is not None:
        call.gateway.events.append(event)
    return [event for event in call.gateway.events if isinstance(event, kind)]


# Names


def hidden(number: int) -> str:
    return f"candidate:1 1 udp 2130706431 {number:08x}-bb2e-49bb-bb78-21c41c499900.local 4000 typ host"


def test_a_name_of_multicast_dns_is_told_and_its_address_is_a_candidate(call: VirtualCall, trickle: Trickle) -> None:
    negotiate(call, offer(call))
    trickle(hidden(1))
    trickle(hidden(1))
    [event] = events(call, NameSignalled)
    assert isinstance(event, NameSignalled)
    assert not connects(call)
    address = call.caller.connection.transport.ice.local_candidates[0]
    candidate = replace(event.candidate, port=address.port)
    call.gateway.connection.remote_candidates.add_found(candidate, address.address, call.network.now)
    assert connects(call)


def test_a_caller_has_only_so_many_names_asked_for_and_no_others(call: VirtualCall, trickle: Trickle) -> None:
    negotiate(call, offer(call))
    trickle("candidate:1 1 udp 2130706431 printer.local 4000 typ host")
    trickle(hidden(1).replace("typ host", "typ srflx"))
    for number in range(2 * MAX_NAMES):
        trickle(hidden(number))
    assert len(events(call, NameSignalled)) == MAX_NAMES


def test_an_address_behind_a_name_is_no_way_around_the_policy(call: VirtualCall, trickle: Trickle) -> None:
    negotiate(call, offer(call))
    trickle(hidden(1))
    [event] = events(call, NameSignalled)
    assert isinstance(event, NameSignalled)
    sent = len(call.network.delivered)
    for host in ("127.0.0.1", "224.0.0.1", "169.254.1.1", "255.255.255.255"):
        call.gateway.connection.remote_candidates.add_found(event.candidate, host, call.network.now)
    call.network.run(seconds=1)
    assert len(call.network.delivered) == sent
    assert call.gateway.connection.transport.ice.pairs() == ()


# Which section a candidate is for


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    ("mid", "media_index"),
    [("0", 0), ("0", 7), ("0", None), (None, 0), ("", 0), ("unknown", 0), ("", None), (None, None)],
)
def test_mid_decides_or_else_the_index(
    call: VirtualCall, trickle: Trickle, mid: str | None, media_index: int | None, early: bool
) -> None:
    sdp = offer(call)
    if early:
        trickle(CALLER, mid, media_index)
    negotiate(call, sdp)
    if not early:
        trickle(CALLER, mid, media_index)
    assert connects(call)
    assert events(call, CandidateUnmatched) == []


@pytest.mark.parametrize(("mid", "media_index"), [("0", 0), ("audio", 0), (None, 0)])
def test_index_counts_where_the_description_has_no_mids(
    call: VirtualCall, trickle: Trickle, mid: str | None, media_index: int | None
) -> None:
    bare = re.sub("a=(mid|group):.*\r\n", "", offer(call).partition("m=application")[0])
    call.gateway.connection.accept_offer_untrusted(bare, 0.0)
    trickle(CALLER, mid, media_index)
    call.network.run(seconds=0.5)
    (pair,) = call.gateway.connection.transport.ice.pairs()
    assert pair.remote.address == "192.0.2.1"


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(("mid", "media_index"), [("unknown", None), ("unknown", 2), (None, 2), ("", 2), (None, -1)])
def test_candidate_that_names_no_section_is_told_and_ignored(
    call: VirtualCall, trickle: Trickle, mid: str | None, media_index: int | None, early: bool
) -> None:
    sdp = offer(call)
    if early:
        trickle(CALLER, mid, media_index)
    negotiate(call, sdp)
    if not early:
        trickle(CALLER, mid, media_index)
    trickle("", mid, media_index)  # an end loses nothing
    assert events(call, CandidateUnmatched) == [CandidateUnmatched()]
    assert call.gateway.connection.transport.ice.ignored_candidates == 1
    assert call.gateway.connection.transport.ice.pairs() == ()


@pytest.mark.parametrize(("mid", "media_index"), [("1", 1), ("1", 0), ("1", None), (None, 1), ("", 1), ("unknown", 1)])
def test_candidate_of_a_section_without_a_transport_is_ignored(
    call: VirtualCall, trickle: Trickle, mid: str | None, media_index: int | None
) -> None:
    negotiate(call, offer(call))
    trickle(CALLER, mid, media_index)
    assert events(call, CandidateUnmatched) == []
    assert call.gateway.connection.transport.ice.pairs() == ()


# Those of no use

USELESS = [
    "candidate:nonsense",
    "candidate:2441 1 udp 659136 fe80::1234:5678:9abc:def0%21 60720 typ host generation 0",
    "candidate:1 1 udp -1 192.0.2.1 4000 typ host",
    "candidate:1 1 udp 12345678901 192.0.2.1 4000 typ host",
    "candidate:odd one 1 udp 1 192.0.2.1 4000 typ host",
    "candidate:1 7 udp 1 192.0.2.1 4000 typ host",
    "candidate:1 1 udp 1 192.0.2.1 0 typ host",
    "candidate:1 1 quic 1 192.0.2.1 4000 typ host",
    "candidate:1 1 udp 1 192.0.2.1 4000 typ unheard-of",
    "candidate:1 1 udp 1 printer.local 4000 typ host",
    "candidate:1 1 udp 1 2001:db8::1 4000 typ host",
    "candidate:1 1 udp 1 192.0.2.1 4000 typ host " + "x" * 1024,
]


@pytest.mark.parametrize("way", ["described", "early", "late"])
@pytest.mark.parametrize("useless", USELESS)
def test_useless_candidate_is_ignored_and_counted(call: VirtualCall, trickle: Trickle, useless: str, way: str) -> None:
    sdp = offer(call)
    if way == "early":
        trickle(useless)
    negotiate(call, sdp.replace("a=sendrecv", f"a={useless}\r\na=sendrecv") if way == "described" else sdp)
    if way == "late":
        trickle(useless)
    assert call.gateway.connection.transport.ice.ignored_candidates == 1
    trickle(CALLER)
    assert connects(call)


@pytest.mark.parametrize("useless", USELESS)
def test_useless_candidates_take_no_place_before_there_is_a_description(
    call: VirtualCall, trickle: Trickle, useless: str
) -> None:
    sdp = offer(call)
    for number in range(2 * MAX_EARLY_CANDIDATES):
        trickle(useless.replace(" 192.0.2.1 ", f" 192.0.2.{number + 100} "))
        trickle("")
    trickle(CALLER)
    negotiate(call, sdp)
    assert connects(call)
    assert call.gateway.connection.transport.ice.ignored_candidates == 2 * MAX_EARLY_CANDIDATES


def test_few_candidates_are_kept_before_there_is_a_description(call: VirtualCall, trickle: Trickle) -> None:
    sdp = offer(call)
    for number in range(200):
        trickle(f"candidate:{number} 1 udp 1 203.0.113.{number} 4000 typ host")
    assert len(call.gateway.connection.remote_candidates._early) == MAX_EARLY_CANDIDATES
    negotiate(call, sdp)
    agent = call.gateway.connection.transport.ice
    assert agent.ignored_candidates == 200 - len(agent.pairs())


def test_candidates_of_a_later_offer_are_used(call: VirtualCall) -> None:
    whole = call.caller.connection.make_offer()
    negotiate(call, re.sub("a=candidate:.*\r\n", "", whole))
    call.network.run(seconds=0.5)
    assert not call.gateway.connected
    call.gateway.connection.accept_offer_untrusted(whole, call.network.now)
    assert connects(call)


# Lines that are skipped


@pytest.mark.parametrize("refused", [False, True])
def test_skipped_lines_are_told_whether_or_not_the_offer_is_accepted(call: VirtualCall, refused: bool) -> None:
    sdp = offer(call).replace("a=sendrecv\r\n", "a=sendrecv\r\n" + "a=ptime:0\r\n" * 2 * MAX_TOLD_LINES)
    if refused:
        with pytest.raises(OfferRefused, match="a=fingerprint"):
            call.gateway.connection.accept_offer_untrusted(sdp.replace("a=fingerprint", "a=x"), 0.0)
    else:
        negotiate(call, sdp)
    (told,) = events(call, LinesSkipped)
    assert isinstance(told, LinesSkipped)
    assert len(told.messages) == MAX_TOLD_LINES
    assert told.messages[0].endswith(": after a=ptime: expected more than zero milliseconds")


def test_nothing_is_told_of_a_description_without_fault(call: VirtualCall) -> None:
    negotiate(call, offer(call))
    assert events(call, LinesSkipped) == []
    assert events(call, ConnectionStateChanged) != []
