"""Calls that were kept, run again."""

import random
from pathlib import Path

import msgspec
import numpy as np
import pytest
from glottis import Call
from glottis.contracts.extensions import Incoming
from glottis.dtls import Certificate
from glottis.lab import Delay, replay
from glottis.peer import PeerConnection, PeerSettings
from glottis.testing import Impairments, VirtualNetwork, VirtualPeer
from glottis.testing.peers import CALLER, GATEWAY
from glottis.wire.address import Address
from glottis.wire.call_file import MAGIC, Entry, Kind, encode_entry
from glottis_opus import OPUS

KINDS = {
    "negotiated": Kind.NEGOTIATED,
    "keys": Kind.KEYS,
    "rtp": Kind.RTP,
    "rtcp": Kind.RTCP,
    "tick": Kind.TICK,
}


class Ear(VirtualPeer):
    """Hears as the gateway does, and keeps what comes in."""

    def __init__(self, connection: PeerConnection, network: VirtualNetwork) -> None:
        super().__init__(connection, network)
        self.entries: list[Entry] = []
        connection.voice.taps.incoming = self._keep

    def _keep(self, kind: Incoming, data: bytes, now: float) -> None:
        self.entries.append(Entry(KINDS[kind], now, data))

    def hear(self, now: float) -> None:
        super().hear(now)
        self.connection.voice.next_keys(now)


def peer(address: Address) -> PeerConnection:
    rng = random.Random(address.port)
    return PeerConnection(PeerSettings((OPUS,)), certificate=Certificate.generate(), local_addresses=[address], rng=rng)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of noise over a bad network."""
    network = VirtualNetwork(3, Impairments(loss=0.05, delay=0.02, jitter=0.05))
    mouth, ear = VirtualPeer(peer(CALLER), network), Ear(peer(GATEWAY), network)
    network.attach(mouth, CALLER)
    network.attach(ear, GATEWAY)
    answer = ear.connection.accept_offer_untrusted(mouth.connection.make_offer(), network.now)
    mouth.connection.accept_answer_untrusted(answer, network.now)
    assert network.run(lambda: mouth.connected and ear.connected)
    ear.start_media(network.now)
    mouth.start_media(network.now)
    noise = np.random.default_rng(1).integers(-9000, 9000, 32000, np.int16)
    mouth.connection.voice.write(noise.tobytes())
    network.run(seconds=2.5)
    statistics = ear.connection.voice.session.statistics(network.now).to_json()
    ended = Entry(Kind.ENDED, network.now, msgspec.json.encode({"reason": "over", "statistics": statistics}))
    path = tmp_path_factory.mktemp("calls") / "call.glottis"
    path.write_bytes(MAGIC + b"".join(map(encode_entry, [*ear.entries, ended])))
    return path


def test_a_call_is_heard_again_as_it_was(kept: Path) -> None:
    again = replay(kept)
    assert again.is_whole
    assert again.differences == ()
    assert again.before.figures is not None
    assert again.before.figures == again.now.figures
    assert min(again.before.figures[name] for name in ("packetsLost", "concealedSamples", "fecRecoveredSamples")) > 0


def test_the_same_file_gives_the_same(kept: Path) -> None:
    assert replay(kept, greeter) == replay(kept, greeter)


async def greeter(call: Call) -> None:
    """Answers as soon as it hears, and listens."""
    await call.send_text("hello")
    async for frame in call.audio:
        await call.say(frame)


def test_another_delay_shows_in_what_is_heard_and_an_agent_in_what_is_said(kept: Path) -> None:
    again = replay(kept, greeter, delay=Delay(policy="fixed", ms=120))
    told = "\n".join(again.differences)
    assert "agent failed" not in told
    assert "meanDelayMs: " in told
    assert "messages of the agent: none before, now 'hello' at" in told
    assert "the agent spoke not before, now from " in told
