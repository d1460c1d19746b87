"""The transport of a connection by itself: what there is before the peer is described, and what its state is."""

import random

import pytest
from glottis.contracts.notes import Note
from glottis.dtls import Certificate, DtlsState
from glottis.ice import IceState
from glottis.peer import ConnectionState, PeerConnection, PeerSettings
from glottis.peer.transport import (
    HANDSHAKE_DATAGRAMS_AT_ONCE,
    HANDSHAKE_DATAGRAMS_PER_SECOND,
    MAX_EARLY_FLIGHT,
    PeerTransport,
    state_of,
)
from glottis.testing.peers import CALLER, GATEWAY, VirtualCall
from glottis.wire.address import Path
from glottis.wire.stun import MessageClass, build_stun
from support.installed import installed_plugins

SETTINGS = PeerSettings((installed_plugins().codecs.find("PCMU").spec,))
CERTIFICATE = Certificate.generate()
PATH = Path(GATEWAY, CALLER)
HELLO = bytes.fromhex("16fefd0000000000000000")
WORKS = [IceState.CONNECTED, IceState.COMPLETED]


@pytest.fixture
def transport() -> PeerTransport:
    return PeerTransport(SETTINGS, certificate=CERTIFICATE, local_addresses=[GATEWAY], rng=random.Random(0))


@pytest.mark.parametrize(
    ("ice", "dtls", "expected"),
    [
        *((IceState.NEW, state, ConnectionState.NEW) for state in (DtlsState.NEW, DtlsState.CONNECTING)),
        *((IceState.CHECKING, state, ConnectionState.CONNECTING) for state in (DtlsState.NEW, DtlsState.CONNECTING)),
        *((state, DtlsState.CONNECTING, ConnectionState.CONNECTING) for state in WORKS),
        *((state, DtlsState.CONNECTED, ConnectionState.CONNECTED) for state in WORKS),
        *(
            (IceState.DISCONNECTED, state, ConnectionState.DISCONNECTED)
            for state in DtlsState
            if "connect" in state.value
        ),
        *((IceState.FAILED, state, ConnectionState.FAILED) for state in DtlsState if state is not DtlsState.CLOSED),
        *((state, DtlsState.FAILED, ConnectionState.FAILED) for state in IceState),
        *((state, DtlsState.CLOSED, ConnectionState.CLOSED) for state in IceState),
    ],
)
def test_state_is_that_of_both_engines(ice: IceState, dtls: DtlsState, expected: ConnectionState) -> None:
    assert state_of(ice, dtls) is expected


def test_before_the_peer_is_described_nothing_is_sent_told_or_waited_for(transport: PeerTransport) -> None:
    transport.handle_datagram(build_stun(MessageClass.REQUEST, bytes(12), [], key=b"a guess"), PATH, 0.0)
    transport.handle_datagram(HELLO, PATH, 0.0)
    transport.advance(0.0)
    assert isinstance(transport.next_event(), Note)  # for a person, of the check
    assert (transport.datagrams_to_send(), transport.next_event(), transport.next_timeout()) == ([], None, None)
    assert transport.state is ConnectionState.NEW


@pytest.mark.parametrize(("arrived", "kept"), [(1, 1), (MAX_EARLY_FLIGHT, MAX_EARLY_FLIGHT), (50, MAX_EARLY_FLIGHT)])
def test_few_datagrams_of_dtls_are_kept_until_there_is_an_answer(arrived: int, kept: int) -> None:
    call = VirtualCall(SETTINGS.codecs)
    answer = call.gateway.connection.accept_offer_untrusted(call.caller.connection.make_offer(), 0.0)
    transport = call.caller.connection.transport
    for _ in range(arrived):
        transport.handle_datagram(HELLO, PATH, 0.0)
    assert transport.dtls.discarded_datagrams == 0
    call.caller.connection.accept_answer_untrusted(answer, 0.0)
    assert transport.dtls.discarded_datagrams == kept


def test_handshakes_cost_no_more_time_than_one_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    call = VirtualCall(SETTINGS.codecs)
    call.negotiate()
    transport, handled = call.gateway.connection.transport, list[float]()
    with monkeypatch.context() as patch:
        patch.setattr(transport.dtls, "handle_datagram", lambda data, now: handled.append(now))
        for number in range(20_000):
            transport.handle_datagram(HELLO, PATH, number * 0.0001)
    assert len(handled) <= HANDSHAKE_DATAGRAMS_AT_ONCE + 2 * HANDSHAKE_DATAGRAMS_PER_SECOND
    assert transport.dtls.discarded_datagrams == 20_000 - len(handled)
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=30)


def test_goodbyes_are_given_once_and_nothing_after_them() -> None:
    call = VirtualCall(SETTINGS.codecs)
    assert call.connect()
    connection, now = call.caller.connection, call.network.now
    connection.close(now)
    goodbyes = connection.datagrams_to_send()
    assert [datagram.path for datagram in goodbyes] == [Path(CALLER, GATEWAY)] * len(goodbyes)
    assert len(goodbyes) == 3  # RTCP BYE, SCTP ABORT, close_notify
    call.gateway.connection.close(now)
    for datagram in call.gateway.connection.datagrams_to_send():
        connection.handle_datagram(datagram.data, Path(CALLER, GATEWAY), now)
    assert (connection.datagrams_to_send(), connection.next_timeout()) == ([], None)
    assert connection.state is ConnectionState.CLOSED


def changes(call: VirtualCall) -> list[object]:
    return [event for event in call.gateway.events if not isinstance(event, Note)]


def test_a_peer_that_has_closed_stays_closed() -> None:
    call = VirtualCall(SETTINGS.codecs)
    assert call.connect()
    gateway: PeerConnection = call.gateway.connection
    call.caller.connection.close(call.network.now)
    call.network.run(seconds=0.5)
    told = changes(call)
    assert gateway.state is ConnectionState.CLOSED
    late = call.network.now + 3600  # consent has expired long ago
    gateway.remote_candidates.add_untrusted("", mid=None, media_index=None, username_fragment=None, now=late)
    assert gateway.transport.ice.state is IceState.FAILED
    call.network.run(seconds=0.5)
    assert gateway.state is ConnectionState.CLOSED
    assert changes(call) == told
