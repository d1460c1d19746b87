"""In one sentence, how a session fared and why; and its trace as a page of text."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final

from glottis.dtls import DtlsState
from glottis.ice import IceState, PairState
from glottis.peer import Connectivity
from glottis.sdp import Candidate
from glottis.server.sessions.traces import Outcome, Trace

MAX_NAMED: Final = 4
"""Networks or addresses that a sentence lists."""
_UP: Final = (IceState.CONNECTED, IceState.COMPLETED)


def verdict(outcome: Outcome) -> str:
    """One sentence."""
    ended = f" It has ended: {outcome.reason}." if outcome.reason else ""
    if not outcome.client_came:
        return f"The client has not connected to its WebSocket URL{' so far' if not ended else ''}.{ended}"
    if outcome.media_flowed:
        return (
            f"Media flowed.{ended}"
            if ended
            else f"The call is {outcome.state}: media flows, or has flowed.{_now(outcome)}"
        )
    way = outcome.connectivity
    if way is None:
        return f"The client came, and audio goes by its WebSocket.{ended}"
    if not way.is_described:
        return f"The client came, but sent no offer that could be answered.{ended}"
    if way.ice in _UP or any(pair.state is PairState.SUCCEEDED for pair in way.pairs):
        return f"The path is there, but the DTLS handshake is not done ({_dtls(way.dtls)}).{ended}"
    return f"No candidate pair works: {_why_no_path(way)}.{ended}"


def page(trace: Trace, outcome: Outcome) -> str:
    """The verdict first, then the pairs, then all notes in their order."""
    return "\n".join(_lines(trace, outcome))


def _lines(trace: Trace, outcome: Outcome) -> Iterator[str]:
    yield verdict(outcome)
    yield ""
    yield f"session {trace.session_id}, campaign {trace.campaign_id}, {outcome.state}"
    if (way := outcome.connectivity) is not None:
        yield f"ICE {way.ice.value}, DTLS {way.dtls.name.lower()}"
        yield f"ours:   {_listed(map(str, way.local)) or 'no candidates'}"
        yield f"theirs: {_listed(map(str, way.remote)) or 'no candidates'}; {way.ignored_candidates} ignored"
        yield from (f"pair {pair}" for pair in way.pairs)
        if way.strange_datagrams:
            yield f"{way.strange_datagrams} STUN messages were not the far end's, or came too often"
    yield ""
    for index, entry in enumerate(trace):
        if trace.left_out and index == trace.kept_from_beginning:
            yield f"           … {trace.left_out} notes left out …"
        yield str(entry)


def _why_no_path(way: Connectivity) -> str:
    if not way.local:
        return "we had no candidate: the call was to go by relays alone, and no TURN server lent an address"
    where = _listed(map(str, way.local))
    if any(pair.checks_received for pair in way.pairs):
        heard = next(pair.path for pair in way.pairs if pair.checks_received)
        return f"the client's checks come by {heard}, but nobody answers ours: what we send is lost on its way"
    nothing_came = f"nothing of the client came to {where}"
    if way.strange_datagrams:
        nothing_came += f", but {way.strange_datagrams} STUN messages that were not signed for this session"
    if not way.remote:
        ignored = f" ({way.ignored_candidates} could not be used)" if way.ignored_candidates else ""
        return f"the client named no address to be checked{ignored}, and {nothing_came}"
    offered = f"the client offered only {_places(way.remote)}"
    if not way.pairs:
        return f"{offered}, which none of our addresses may check, and {nothing_came}"
    return f"{offered}, which do not answer, and {nothing_came}"


def _places(candidates: Iterable[Candidate]) -> str:
    """Private addresses by their networks, which says more than the addresses do."""
    return "addresses in " + _listed(dict.fromkeys(_network(candidate.address) for candidate in candidates))


def _network(host: str) -> str:
    ip = ip_address(host)
    if ip.version == 6:
        return f"{host} (loopback)" if ip.is_loopback else host
    first, second = ip.packed[:2]
    if first == 10:
        return "10/8"
    if first == 172 and 16 <= second < 32:
        return "172.16/12"
    if (first, second) == (192, 168):
        return "192.168/16"
    if first == 100 and 64 <= second < 128:
        return "100.64/10"
    return "127/8" if ip.is_loopback else host


def _dtls(state: DtlsState) -> str:
    return {DtlsState.NEW: "it has not begun", DtlsState.FAILED: "it has failed"}.get(state, state.name.lower())


def _now(outcome: Outcome) -> str:
    way = outcome.connectivity
    return "" if way is None or way.ice in _UP else f" ICE is {way.ice.value} now."


def _listed(words: Iterable[str]) -> str:
    words = list(words)
    more = [f"{len(words) - MAX_NAMED} more"] if len(words) > MAX_NAMED else []
    return ", ".join([*words[:MAX_NAMED], *more])
