"""Callers that do nothing but listen, and note when the kernel got each packet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import trio
from glottis.contracts.audio import EncodedPacket
from glottis.wire.rtcp import is_rtcp
from support.gateway import gateway_at
from support.phone import Exchange, Loopback, Phone, PhoneEndpoint, eventually, installed_codec, open_exchange

from benchmarks.recording import StampedSocket
from benchmarks.signaling import HOST
from benchmarks.soak.verdict import Heard

_SETUP = 30.0
_RTP = 0x80


class Ear(StampedSocket):
    """Notes the packets of audio that are read from it."""

    heard: Heard
    """Where they are noted."""
    _last: tuple[float, int] | None = None

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, tuple[str, int]]:
        """See ``StampedSocket``."""
        data, remote = super().recvfrom(size, flags)
        if data and data[0] >= _RTP and not is_rtcp(data):
            self._note(int.from_bytes(data[2:4]))
        return data, remote

    def _note(self, sequence: int) -> None:
        heard = self.heard
        if self._last is not None:
            arrived_at, before = self._last
            heard.largest_gap_ms = max(heard.largest_gap_ms, (self.arrived_at - arrived_at) * 1e3)
            step = (sequence - before) & 0xFFFF
            heard.lost += step - 1 if 0 < step < 0x8000 else 0
            heard.wraps += sequence < before
        heard.packets += 1
        self._last = (self.arrived_at, sequence)


class Listener(Phone):
    """In a call with the agent ``sounding``; it sends silence, as a caller who listens does."""

    def __init__(self, exchange: Exchange, network: "EarNetwork") -> None:
        super().__init__(exchange, (installed_codec("PCMU"),), ice_lite=False)
        self.ear = network.ears[-1]
        self._packet = EncodedPacket(b"\xff" * 160, "PCMU", 8000, 0, 160)

    def _tick(self, now: float) -> None:
        self.peer.voice.next_packets(now)
        self.peer.voice.write_packet(self._packet)


class EarNetwork(Loopback):
    """Loopback, on which everybody has an ``Ear``."""

    def __init__(self) -> None:
        self.ears: list[Ear] = []

    def open_endpoint(self) -> PhoneEndpoint:
        """See ``Network``."""
        ear = cast(Ear, Ear.bound(HOST))
        ear.heard = Heard()
        self.ears.append(ear)
        return PhoneEndpoint(ear)


class Listeners:
    """Made by ``open_listeners``."""

    def __init__(self, phones: list[Listener]) -> None:
        self._phones = phones

    async def listen(self, seconds: float) -> Heard:
        """What all of them hear in this time."""
        heard = Heard()
        for phone in self._phones:
            phone.ear.heard = heard
        await trio.sleep(seconds)
        heard.ended = sum(phone.socket.closed is not None for phone in self._phones)
        return heard


@asynccontextmanager
async def open_listeners(url: str, calls: int) -> AsyncIterator[Listeners]:
    """So many calls with the gateway at ``url``."""
    network = EarNetwork()
    async with open_exchange(gateway_at(url), network) as exchange:
        phones = []
        for _ in range(calls):
            phone = Listener(exchange, network)
            exchange.nursery.start_soon(phone.run)
            await phone.connect("deaf")
            phones.append(phone)
        await eventually(lambda: all(phone.ear.heard.packets > 10 for phone in phones), _SETUP)
        yield Listeners(phones)
