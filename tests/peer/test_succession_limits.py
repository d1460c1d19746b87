"""No other transport where none was agreed on, none for a stranger, and no waiting for ever where none comes."""

import pytest
from glottis.contracts.notes import Note
from glottis.dtls import Certificate
from glottis.peer import ConnectionState
from glottis.peer.transport import HANDSHAKE_DATAGRAMS_AT_ONCE
from glottis.sctp import AssociationFailed, ChannelClosed
from glottis.testing.impairments import Impairments
from glottis.testing.peers import GATEWAY
from glottis.wire.address import Path
from glottis.wire.dtls_record import begins_handshake
from support.moving_call import ELSEWHERE, MovingCall, texts

PATIENCE, LIMIT = 10.0, 30.0


@pytest.mark.parametrize("is_stopped", [True, False])
def test_who_proves_to_be_another_takes_over_nothing(*, is_stopped: bool) -> None:
    moving = MovingCall()
    if is_stopped:
        moving.stop_audio()
    before = moving.gateway.transport.dtls
    moving.move(Certificate.generate())
    moving.network.run(seconds=2 * PATIENCE)
    assert moving.other is not None
    assert not moving.other.connected
    assert moving.gateway.transport.dtls is before
    begun = Note("dtls", "the far end begins another handshake") in moving.call.gateway.events
    assert begun == is_stopped
    assert moving.gateway.transport.is_secure


def test_a_handshake_that_stalls_ends_and_what_was_before_goes_on() -> None:
    moving = MovingCall(impairments=Impairments(delay=0.02))
    before = moving.gateway.transport.dtls
    moving.stop_audio()
    moving.stall()
    moving.network.run(seconds=LIMIT + 1)
    assert moving.gateway.transport.dtls is before
    failed = Note("dtls", "there is no other handshake, or it has failed")
    assert moving.call.gateway.events.count(failed) == 1
    moving.chat.send_text("second")
    assert moving.network.run(lambda: texts(moving.call.gateway) == ["first", "second"], seconds=1)


def test_offers_without_end_keep_no_call_alive_whose_transport_has_ended() -> None:
    moving = MovingCall()
    moving.say_goodbye()
    for _ in range(9):
        moving.stop_audio()
        moving.network.run(seconds=2)
        moving.offer_all()
        moving.network.run(seconds=2)
    assert moving.states()[-1] is ConnectionState.CLOSED


def test_a_flood_of_hellos_by_another_path_costs_no_more_than_a_handshake() -> None:
    moving = MovingCall(impairments=Impairments(delay=0.02))
    moving.stop_audio()
    moving.stall()
    hello = next(one for one in moving.network.delivered if one.path.local == ELSEWHERE and begins_handshake(one.data))
    moving.network.run(seconds=5)
    discarded = moving.gateway.transport.dtls.discarded_datagrams
    for count in range(10):
        if count % 2:
            moving.stop_audio()
        for _ in range(100):
            moving.gateway.handle_datagram(hello.data, Path(GATEWAY, ELSEWHERE), moving.network.now)
    taken = 1000 - (moving.gateway.transport.dtls.discarded_datagrams - discarded)
    assert taken <= HANDSHAKE_DATAGRAMS_AT_ONCE
    moving.chat.send_text("second")
    assert moving.network.run(lambda: texts(moving.call.gateway) == ["first", "second"], seconds=1)


def test_another_handshake_without_such_an_offer_is_not_answered() -> None:
    moving = MovingCall()
    moving.move()
    moving.network.run(seconds=PATIENCE)
    assert moving.other is not None
    assert not moving.other.connected
    assert moving.gateway.transport.is_secure


def test_a_goodbye_without_such_an_offer_is_one_at_once() -> None:
    moving = MovingCall()
    moving.say_goodbye()
    moving.network.run(seconds=0.1)
    assert moving.gateway.state is ConnectionState.CLOSED


def test_a_goodbye_that_nothing_follows_ends_the_connection_in_the_end() -> None:
    moving = MovingCall()
    moving.stop_audio()
    moving.say_goodbye()
    moving.network.run(seconds=PATIENCE - 1)
    assert ConnectionState.CLOSED not in moving.states()
    moving.network.run(seconds=1.5)
    assert moving.states()[-1] is ConnectionState.CLOSED


def test_an_abort_that_nothing_follows_closes_the_channels_in_the_end() -> None:
    moving = MovingCall()
    moving.stop_audio()
    moving.abort()
    moving.network.run(seconds=PATIENCE - 1)
    assert not any(isinstance(event, ChannelClosed) for event in moving.call.gateway.events)
    moving.network.run(seconds=1.5)
    assert any(isinstance(event, ChannelClosed) for event in moving.call.gateway.events)
    assert any(isinstance(event, AssociationFailed) and event.by_peer for event in moving.call.gateway.events)


def test_an_abort_without_such_an_offer_is_one_at_once() -> None:
    moving = MovingCall()
    moving.abort()
    moving.network.run(seconds=0.1)
    assert any(isinstance(event, ChannelClosed) for event in moving.call.gateway.events)
