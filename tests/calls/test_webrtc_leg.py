"""What the leg of WebRTC does with what is found out beside the call."""

import random
from collections.abc import Callable
from typing import cast

from glottis.calls.leg import LegOwner
from glottis.calls.webrtc_leg import WebRtcLeg
from glottis.dtls import Certificate
from glottis.media.demultiplexer import Receiver
from glottis.media.driver import Wheel
from glottis.media.link import Sender
from glottis.media.local_names import LocalNames
from glottis.peer import PeerConnection, PeerSettings
from glottis.signaling.messages import Offer, SignalingMessage, TrickledCandidate
from glottis.wire.address import Address, Datagram, Path
from support.installed import installed_plugins

CODECS = (installed_plugins().codecs.find("PCMU").spec,)
NAME = "9b36eaac-bb2e-49bb-bb78-21c41c499900.local"
HIDDEN = f"candidate:1 1 udp 2130706431 {NAME} 4000 typ host"


class Endpoint:
    def __init__(self) -> None:
        self.sent: list[Address] = []

    def add_ufrag(self, ufrag: str, receiver: Receiver) -> None: ...
    def add_path(self, path: Path, receiver: Receiver, *, proven: bool, in_use: bool) -> None: ...
    def remove_path(self, path: Path, receiver: Receiver) -> None: ...
    def remove_ufrag(self, ufrag: str, receiver: Receiver) -> None: ...
    def remove(self, receiver: Receiver) -> None: ...

    def send(self, datagram: Datagram, sender: Sender) -> None:
        self.sent.append(datagram.path.remote)


class NoWheel:
    def call_at(self, session: object, deadline: float | None) -> None: ...
    def remove(self, session: object) -> None: ...


class Owner:
    """Of a leg that says something and has nothing else to tell."""

    def __init__(self) -> None:
        self.said: list[SignalingMessage] = []

    def says(self, message: SignalingMessage) -> None:
        self.said.append(message)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


class Names:
    """Test double of the network's names."""

    def __init__(self) -> None:
        self.asked: dict[str, Callable[[str], None]] = {}
        self.forgotten = 0

    def ask(self, name: str, owner: object, tell: Callable[[str], None]) -> None:
        self.asked[name] = tell

    def forget(self, owner: object) -> None:
        self.forgotten += 1


def peer(address: Address) -> PeerConnection:
    return PeerConnection(
        PeerSettings(CODECS), certificate=Certificate.generate(), local_addresses=[address], rng=random.Random(1)
    )


def test_a_caller_behind_a_name_is_checked_where_the_name_leads() -> None:
    endpoint, names = Endpoint(), Names()
    leg = WebRtcLeg(
        cast(LegOwner, Owner()),
        peer(Address("192.0.2.2", 5000)),
        endpoint=endpoint,
        scheduler=cast(Wheel, NoWheel()),
        local_names=cast(LocalNames, names),
        clock=lambda: 0.0,
    )
    caller = peer(Address("192.0.2.7", 4000))
    offer = caller.make_offer().replace("192.0.2.7 4000", f"{NAME} 4000")
    leg.handle(Offer(offer), 0.0)
    leg.handle(TrickledCandidate(HIDDEN, "0", 0), 0.0)
    assert list(names.asked) == [NAME]
    assert endpoint.sent == []
    names.asked[NAME]("192.0.2.7")
    assert endpoint.sent == [Address("192.0.2.7", 4000)]
    leg.close()
    assert names.forgotten == 1
