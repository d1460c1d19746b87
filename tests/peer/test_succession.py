"""Another section takes over the bundle's transport (RFC 9143 §7.5.3): the channels go on, by which transport ever."""

from collections.abc import Callable

import pytest
from glottis.contracts.notes import Note
from glottis.dtls import Certificate, DtlsTransport
from glottis.peer import ConnectionState
from glottis.peer.succession import Succession
from glottis.sctp import ChannelClosed, ChannelState
from glottis.testing.impairments import Impairments
from glottis.testing.peers import CALLER, GATEWAY
from glottis.wire.address import Path
from support.moving_call import ELSEWHERE, FARTHER, MovingCall, texts, without_data

PATIENCE, LIMIT = 10.0, 30.0


@pytest.mark.parametrize(
    "ends", [MovingCall.abort, MovingCall.say_goodbye, lambda _: None], ids=["ABORT", "close_notify", "silence"]
)
@pytest.mark.parametrize("role", ["actpass", "passive"])
def test_an_open_channel_goes_on_by_the_transport_that_follows(ends: Callable[[MovingCall], None], role: str) -> None:
    """Whoever has to begin its handshake."""
    moving = MovingCall(role=role)
    moving.stop_audio()
    ends(moving)
    moving.leave()
    moving.theirs.send_text("queued")
    channel = moving.move()
    moving.wait_until_open(channel)
    channel.send_text("second")
    assert moving.network.run(lambda: texts(moving.call.gateway) == ["first", "second"], seconds=8)
    moving.theirs.send_text("third")
    assert moving.network.run(lambda: texts(moving.other) == ["queued", "third"], seconds=8)
    moving.network.run(seconds=30)
    assert texts(moving.other) == ["queued", "third"]
    assert moving.call.gateway.connected
    assert moving.states() == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]
    assert not any(isinstance(event, ChannelClosed) for event in moving.call.gateway.events)


def test_the_bundle_may_move_twice_within_a_second() -> None:
    """As it does where the audio is stopped and added again at once; nothing goes back to what was left before."""
    moving = MovingCall()
    start = moving.network.now
    moving.stop_audio()
    moving.leave()
    moving.wait_until_open(moving.move())
    moving.network.run(seconds=0.1)
    assert moving.gateway.transport.selected_path is not None
    moving.gateway.accept_offer_untrusted(moving.offer, moving.network.now)
    moving.network.run(seconds=0.05)
    assert moving.gateway.transport.selected_path.remote == ELSEWHERE
    moving.network.unreachable |= {ELSEWHERE}
    channel = moving.move(address=FARTHER)
    moving.wait_until_open(channel)
    assert moving.network.now - start < 1
    channel.send_text("second")
    assert moving.network.run(lambda: texts(moving.call.gateway) == ["first", "second"], seconds=1)
    assert moving.gateway.transport.selected_path.remote == FARTHER


@pytest.mark.parametrize("role", ["actpass", "passive"])
@pytest.mark.parametrize("seed", range(3))
def test_the_transport_that_follows_takes_over_in_spite_of_losses(seed: int, role: str) -> None:
    lossy = Impairments(loss=0.2, delay=0.02, jitter=0.01, duplication=0.05)
    moving = MovingCall(impairments=lossy, seed=seed, role=role)
    moving.call.gateway.start_media(moving.network.now)
    moving.gateway.voice.write(b"\x10\x20" * 160_000)
    moving.stop_audio()
    moving.theirs.send_text("queued")
    moving.abort()
    moving.leave()
    moving.offer_all()  # so that there is audio, too
    channel = moving.move()
    moving.wait_until_open(channel)
    assert moving.other is not None
    moving.other.start_media(moving.network.now)
    channel.send_text("second")
    assert moving.network.run(lambda: texts(moving.call.gateway) == ["first", "second"], seconds=30)
    assert moving.network.run(lambda: texts(moving.other) == ["queued"], seconds=30)
    heard = moving.other.heard
    assert moving.network.run(lambda: any(heard), seconds=2)
    assert moving.call.gateway.connected


def test_data_goes_where_the_handshake_was_until_ice_has_selected_that_path() -> None:
    """Our own check of it waits for its turn, for 50 ms with Chromium: what went by the old path meanwhile was lost."""
    certificate = Certificate.generate()
    client, old, new = (
        DtlsTransport(certificate=certificate, client=True),
        Path(GATEWAY, CALLER),
        Path(GATEWAY, FARTHER),
    )
    client.start(0.0)
    succession = Succession()
    assert succession.way(old) == old
    succession.expect(
        lambda: DtlsTransport(certificate=certificate, client=False), succession.way(old), 0.0, follows_proven=True
    )
    assert succession.handle_datagram(client.datagrams_to_send()[0], new, 0.0)
    succession.finish()
    assert {one.path for one in succession.datagrams_to_send()} == {new}  # the last flight, too
    assert [succession.way(path) for path in (old, new, old)] == [new, new, old]


def test_a_peer_that_keeps_its_association_by_another_path_loses_none_of_it() -> None:
    """Though we are the client, and would begin another one."""
    moving = MovingCall(role="passive", nat=FARTHER)
    before = moving.gateway.transport.dtls
    moving.stop_audio()
    moving.call.rebind(ELSEWHERE)
    path = moving.gateway.transport.selected_path
    assert moving.network.run(lambda: moving.gateway.transport.selected_path != path, seconds=20)
    for number in range(9):
        moving.chat.send_text(f"{number}")
        moving.theirs.send_text(f"{number}")
        moving.network.run(seconds=0.5)
    assert texts(moving.call.gateway) == ["first", *"012345678"]
    assert texts(moving.call.caller) == [*"012345678"]
    moving.network.run(seconds=LIMIT)
    assert Note("dtls", "another handshake begins, with the gateway as the client") in moving.call.gateway.events
    assert moving.gateway.transport.dtls is before
    assert moving.call.gateway.connected


def test_a_peer_that_keeps_its_transport_keeps_all_of_it() -> None:
    moving = MovingCall()
    before = moving.gateway.transport.dtls
    moving.stop_audio()
    moving.network.run(seconds=2 * PATIENCE)
    moving.chat.send_text("second")
    assert moving.network.run(lambda: texts(moving.call.gateway) == ["first", "second"], seconds=1)
    assert moving.gateway.transport.dtls is before
    assert moving.call.gateway.connected


@pytest.mark.parametrize("seconds", [0.0, 0.021, 0.045, 0.07, 0.1, 0.13])
def test_the_bundle_may_move_while_the_first_handshake_is_under_way(seconds: float) -> None:
    moving = MovingCall(impairments=Impairments(delay=0.02), waits=False)
    moving.network.run(seconds=seconds)
    moving.stop_audio()
    moving.network.unreachable |= {CALLER}
    chat = moving.channel(moving.begin_anew(), "chat")
    start = moving.network.now
    moving.wait_until_open(chat)
    assert moving.network.now - start < 0.5
    moving.network.run(seconds=LIMIT)
    assert moving.call.gateway.connected
    assert chat.state is ChannelState.OPEN


@pytest.mark.parametrize("data_first", [True, False])
@pytest.mark.parametrize("seconds", [None, 0.0, 0.1], ids=["in the call", "at once", "while it connects"])
def test_channels_that_are_dropped_are_closed_and_others_may_come(*, data_first: bool, seconds: float | None) -> None:
    """Their association ends, and nothing else does (RFC 8841 §10.5)."""
    moving = MovingCall(data_first=data_first, waits=seconds is None, impairments=Impairments(delay=0.02))
    if seconds is not None:
        moving.network.run(seconds=seconds)
    moving.renegotiate(without_data)
    moving.network.run(seconds=seconds or 0.0)
    closed = [event for event in moving.call.gateway.events if isinstance(event, ChannelClosed)]
    assert [event.reason for event in closed] == (["there are no data channels any more"] if seconds is None else [])
    moving.renegotiate()
    chat = moving.channel(moving.caller, "another")
    moving.wait_until_open(chat)
    chat.send_text("second")
    assert moving.network.run(lambda: texts(moving.call.gateway)[-1:] == ["second"], seconds=1)
    moving.network.run(seconds=LIMIT)
    assert moving.call.gateway.connected
    assert chat.state is ChannelState.OPEN


def test_audio_goes_on_as_the_same_source_where_the_channels_before_it_are_stopped() -> None:
    moving = MovingCall(data_first=True)
    moving.call.gateway.start_media(moving.network.now)
    moving.gateway.voice.write(b"\x10\x20" * 80000)
    moving.network.run(seconds=0.5)
    before = moving.sources(CALLER)
    moving.stop_data()
    moving.leave()
    moving.move()
    moving.network.delivered.clear()
    moving.network.run(seconds=2)
    assert len(before) == 1
    assert moving.sources(ELSEWHERE) == before
    assert moving.other is not None
    moving.other.start_media(moving.network.now)
    moving.network.run(seconds=0.5)
    assert any(moving.other.heard)  # by the keys of the other handshake
    assert moving.call.gateway.connected
