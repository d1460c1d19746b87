"""What a connection tells a person: notes in their order, and how far it has come."""

from glottis.contracts.notes import MAX_UNTOLD, Note, Notes
from glottis.dtls import DtlsState
from glottis.ice import IceState, PairState
from glottis.peer import Connectivity
from glottis.testing.peers import CALLER, GATEWAY, VirtualCall, VirtualPeer
from support.installed import installed_plugins

PCMU = installed_plugins().codecs.find("PCMU").spec


def notes(peer: VirtualPeer) -> list[Note]:
    return [event for event in peer.events if isinstance(event, Note)]


def test_call_is_told_in_the_order_in_which_it_came_about() -> None:
    call = VirtualCall([PCMU])
    assert call.connect()
    told = [note.sentence for note in notes(call.gateway)]
    path = f"{GATEWAY} → {CALLER}"
    milestones = [
        "the far end's offer is answered: audio sendrecv 0 PCMU/8000, data channels, 2 sections; 1 candidates in it",
        f"the far end is told of host udp {GATEWAY}",
        f"the far end has host udp {CALLER}: to be checked",
        f"data goes by {path}",
        "the handshake begins, with the far end as the client",
        "ICE is connected",
        "the far end has proved to be the one of its description",
    ]
    assert [sentence for sentence in told if sentence in milestones] == milestones
    assert any(sentence.startswith(f"{path} works: the far end has answered, after ") for sentence in told)
    assert f"{CALLER} → {GATEWAY} is nominated, by us" in [note.sentence for note in notes(call.caller)]


def test_connection_says_how_far_it_has_come() -> None:
    call = VirtualCall([PCMU])
    before = Connectivity.of(call.gateway.connection.transport)
    assert (before.ice, before.dtls, before.is_described, before.pairs) == (IceState.NEW, DtlsState.NEW, False, ())
    assert call.connect()
    after = Connectivity.of(call.gateway.connection.transport)
    assert after.dtls is DtlsState.CONNECTED
    assert [str(candidate) for candidate in after.remote] == [f"host udp {CALLER}"]
    (pair,) = after.pairs
    assert (pair.state, pair.selected) == (PairState.SUCCEEDED, True)
    assert str(pair).startswith(f"{GATEWAY} → {CALLER} (host, host): succeeded, ")
    assert "in use; 1 requests sent, 1 answered, " in str(pair)


def test_passwords_are_in_no_note() -> None:
    call = VirtualCall([PCMU])
    assert call.connect()
    told = " ".join(note.sentence for peer in (call.caller, call.gateway) for note in notes(peer))
    for peer in (call.caller, call.gateway):
        assert peer.connection.transport.ice.local_pwd not in told


def test_notes_that_nobody_takes_are_bounded() -> None:
    untold = Notes("ice")
    for number in range(2 * MAX_UNTOLD):
        untold.add(str(number))
    kept = [untold.pop().sentence for _ in range(MAX_UNTOLD)]
    assert kept == [str(number) for number in range(MAX_UNTOLD, 2 * MAX_UNTOLD)]
    assert not untold
