"""A call in memory whose caller goes on by another transport, as browsers do whose first section is stopped."""

import random
import re
from collections.abc import Callable

from glottis.contracts.notes import Note
from glottis.dtls import Certificate
from glottis.peer import ConnectionState, ConnectionStateChanged, PeerConnection, PeerSettings
from glottis.sctp import ChannelState, DataChannel, TextReceived
from glottis.testing.impairments import PERFECT, Impairments
from glottis.testing.peers import CALLER, VirtualCall, VirtualPeer
from glottis.wire.address import Address

from support.installed import installed_plugins

PCMU = installed_plugins().codecs.find("PCMU").spec
SETTINGS = PeerSettings((PCMU,), sample_rate=8000)
ELSEWHERE, FARTHER = Address("203.0.113.77", 4001), Address("203.0.113.78", 4002)


class MovingCall:
    """With a channel that is open; the caller does what a browser does whose first section is stopped."""

    def __init__(
        self,
        *,
        data_first: bool = False,
        role: str = "actpass",
        impairments: Impairments = PERFECT,
        seed: int = 0,
        nat: Address | None = None,
        waits: bool = True,
    ) -> None:
        """``role`` is the caller's in DTLS, as it offers it; unless one ``waits``, it is not connected yet."""
        self.certificate = Certificate.generate()
        self.call = VirtualCall(
            (PCMU,),
            seed=seed,
            impairments=impairments,
            caller_settings=SETTINGS,
            gateway_settings=SETTINGS,
            certificates=(self.certificate, Certificate.generate()),
            nat=nat,
        )
        self.seed, self.data_first = seed, data_first
        self.network = self.call.network
        self.caller, self.gateway = self.call.caller.connection, self.call.gateway.connection
        self.other: VirtualPeer | None = None
        self.offer = self.answer = ""
        self.renegotiate(lambda offer: offer.replace("a=setup:actpass", f"a=setup:{role}"))
        if waits:
            self.wait_until_connected()

    def renegotiate(self, change: Callable[[str], str] = str) -> None:
        offer = change(self.caller.make_offer())
        self.offer = swapped(offer) if self.data_first else offer
        answer = self.gateway.accept_offer_untrusted(self.offer, self.network.now)
        self.answer = swapped(answer) if self.data_first else answer
        self.caller.accept_answer_untrusted(self.answer, self.network.now)

    def wait_until_connected(self) -> None:
        assert self.network.run(lambda: self.call.caller.connected and self.call.gateway.connected)
        self.chat = self.channel(self.caller, "chat")
        self.wait_until_open(self.chat)
        self.chat.send_text("first")
        assert self.network.run(lambda: texts(self.call.gateway) == ["first"], seconds=5)
        self.theirs = next(event.channel for event in self.call.gateway.events if isinstance(event, TextReceived))

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
        self.gateway.accept_offer_untrusted(without_data(self.offer), self.network.now)

    def offer_all(self) -> None:
        self.gateway.accept_offer_untrusted(self.offer, self.network.now)

    def abort(self) -> None:
        assert self.caller.channels is not None
        self.caller.channels.abort("the transport goes")

    def say_goodbye(self) -> None:
        self.caller.transport.dtls.close()

    def move(self, certificate: Certificate | None = None, address: Address = ELSEWHERE) -> DataChannel:
        """With the channel as agreed on."""
        return self.channel(self.begin_anew(certificate, address), "chat", self.chat.id)

    def begin_anew(self, certificate: Certificate | None = None, address: Address = ELSEWHERE) -> PeerConnection:
        """Other sockets, with the credentials and the certificate that were described."""
        connection = PeerConnection(
            SETTINGS,
            certificate=certificate or self.certificate,
            local_addresses=[address],
            rng=random.Random(self.seed),  # as the caller has it: the same credentials
        )
        assert attribute("ice-pwd", connection.make_offer()) == attribute("ice-pwd", self.offer)
        self.other = VirtualPeer(connection, self.network)
        self.network.attach(self.other, address, CALLER, ELSEWHERE)  # in place of those before
        connection.accept_answer_untrusted(self.answer, self.network.now)
        return connection

    def stall(self) -> None:
        """By another path comes a ClientHello, and nothing after it."""
        self.move()
        began = Note("dtls", "the far end begins another handshake")
        assert self.network.run(lambda: began in self.call.gateway.events, seconds=2)
        self.network.unreachable |= {ELSEWHERE}
        self.network.attach(self.call.caller, CALLER)

    def leave(self) -> None:
        self.network.run(seconds=0.1)
        self.network.unreachable |= {CALLER}

    def states(self) -> list[ConnectionState]:
        return [one.state for one in self.call.gateway.events if isinstance(one, ConnectionStateChanged)]

    def sources(self, address: Address) -> set[bytes]:
        """Of the audio that has come there."""
        packets = (one for one in self.network.delivered if one.path.remote == address)
        return {one.data[8:12] for one in packets if one.data[0] >> 6 == 2 and not 64 <= one.data[1] & 0x7F < 96}


def without_data(offer: str) -> str:
    return re.sub("BUNDLE (1 0|0 1)", "BUNDLE 0", offer).replace("m=application 9", "m=application 0")


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
