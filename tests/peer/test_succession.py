"""Another section takes over the bundle's transport (RFC 9143 §7.5.3): the channels go on, by which transport ever."""

import random
import re
from collections.abc import Callable

import pytest
from glottis.contracts.notes import Note
from glottis.dtls import Certificate
from glottis.peer import ConnectionState, ConnectionStateChanged, PeerConnection, PeerSettings
from glottis.sctp import AssociationFailed, ChannelClosed, ChannelState, DataChannel, TextReceived
from glottis.testing.peers import CALLER, VirtualCall, VirtualPeer
from glottis.wire.address import Address
from support.installed import installed_plugins

PCMU = installed_plugins().codecs.find("PCMU").spec
ELSEWHERE = Address("203.0.113.77", 4001)
SETTINGS = PeerSettings((PCMU,), sample_rate=8000)
FARTHER = Address("203.0.113.78", 4002)
PATIENCE = 10.0


class MovingCall:
    """With a channel that is open; the caller does what a browser does whose first section is stopped."""

    def __init__(self, *, data_first: bool = False) -> None:
        self.certificate = Certificate.generate()
        self.call = VirtualCall(
            (PCMU,),
            caller_settings=SETTINGS,
            gateway_settings=SETTINGS,
            certificates=(self.certificate, Certificate.generate()),
        )
        self.network = self.call.network
        self.caller, self.gateway = self.call.caller.connection, self.call.gateway.connection
        offer = self.caller.make_offer()
        self.offer = swapped(offer) if data_first else offer
        answer = self.gateway.accept_offer_untrusted(self.offer, 0.0)
        self.answer = swapped(answer) if data_first else answer
        self.caller.accept_answer_untrusted(self.answer, 0.0)
        assert self.network.run(lambda: self.call.caller.connected and self.call.gateway.connected)
        self.chat = self.channel(self.caller, "chat")
        self.wait_until_open(self.chat)
        self.chat.send_text("first")
        assert self.network.run(lambda: texts(self.call.gateway) == ["first"], seconds=5)
        self.theirs = next(event.channel for event in self.call.gateway.events if isinstance(event, TextReceived))
        self.other: VirtualPeer | None = None

    @staticmethod
    def channel(connection: PeerConnection, label: str, negotiated_id: int | None = None) -> DataChannel:
        assert connection.channels is not None
        return connection.channels.open(label, negotiated_id=negotiated_id)

    def wait_until_open(self, channel: DataChannel) -> None:
        assert self.network.run(lambda: channel.state is ChannelState.OPEN, seconds=8)

    def stop_audio(self) -> None:
        stopped = self.offer.replace("BUNDLE 0 1", "BUNDLE 1").replace("m=audio 9", "m=audio 0")
        self.gateway.accept_offer_untrusted(stopped, self.network.now)

    def stop_data(self) -> None:
        stopped = self.offer.replace("BUNDLE 1 0", "BUNDLE 0").replace("m=application 9", "m=application 0")
        self.gateway.accept_offer_untrusted(stopped, self.network.now)

    def abort(self) -> None:
        assert self.caller.channels is not None
        self.caller.channels.abort("the transport goes")

    def say_goodbye(self) -> None:
        self.caller.transport.dtls.close()

    def move(self, certificate: Certificate | None = None, address: Address = ELSEWHERE) -> DataChannel:
        """Other sockets, with the credentials and the certificate that were described, and the channel as agreed on."""
        connection = PeerConnection(
            SETTINGS,
            certificate=certificate or self.certificate,
            local_addresses=[address],
            rng=random.Random(0),  # as the caller has it: the same credentials
        )
        assert attribute("ice-pwd", connection.make_offer()) == attribute("ice-pwd", self.offer)
        self.other = VirtualPeer(connection, self.network)
        self.network.attach(self.other, address, CALLER, ELSEWHERE)  # in place of those before
        connection.accept_answer_untrusted(self.answer, self.network.now)
        return self.channel(connection, "chat", self.chat.id)

    def leave(self) -> None:
        self.network.run(seconds=0.1)
        self.network.unreachable |= {CALLER}

    def states(self) -> list[ConnectionState]:
        return [one.state for one in self.call.gateway.events if isinstance(one, ConnectionStateChanged)]

    def sources(self, address: Address) -> set[bytes]:
        """Of the audio that has come there."""
        packets = (one for one in self.network.delivered if one.path.remote == address)
        return {one.data[8:12] for one in packets if one.data[0] >> 6 == 2 and not 64 <= one.data[1] & 0x7F < 96}


def swapped(sdp: str) -> str:
    """With its two sections in the other order, and the candidates in both."""
    candidates = "".join(re.findall(r"a=candidate:.*\n", sdp))
    session, first, second = re.split("(?=^m=)", re.sub(r"a=candidate:.*\n", "", sdp), flags=re.MULTILINE)
    return re.sub("BUNDLE (.) (.)", r"BUNDLE \2 \1", session) + second + candidates + first + candidates


def texts(peer: VirtualPeer | None) -> list[str]:
    assert peer is not None
    return [event.text for event in peer.events if isinstance(event, TextReceived)]


def attribute(name: str, sdp: str) -> str:
    found = re.search(rf"a={name}:(\S+)", sdp)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    "ends", [MovingCall.abort, MovingCall.say_goodbye, lambda _: None], ids=["ABORT", "close_notify", "silence"]
)
def test_an_open_channel_goes_on_by_the_transport_that_follows(ends: Callable[[MovingCall], None]) -> None:
    moving = MovingCall()
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


def test_a_peer_that_keeps_its_transport_keeps_all_of_it() -> None:
    moving = MovingCall()
    before = moving.gateway.transport.dtls
    moving.stop_audio()
    moving.network.run(seconds=2 * PATIENCE)
    moving.chat.send_text("second")
    assert moving.network.run(lambda: texts(moving.call.gateway) == ["first", "second"], seconds=1)
    assert moving.gateway.transport.dtls is before
    assert moving.call.gateway.connected


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
