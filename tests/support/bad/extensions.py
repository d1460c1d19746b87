"""Observers of sessions and lives of extensions, made of good ones."""

import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import trio
from glottis import EncodedPacket, GatewayInfo, Message, Statistics, TextMessage
from glottis.testing.rules.extension import ExtensionSubject


class Watcher:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def message_received(self, message: Message) -> None:
        self.count += 1

    def packet_sent(self, packet: EncodedPacket, codec: object) -> None:
        self.count += len(packet.payload)

    def ended(self, reason: str, statistics: Statistics) -> None:
        self.count = 0


class Waiting(Watcher):
    async def event(self, event: object) -> None:
        await trio.sleep(1)


class Literate(Watcher):
    """Takes all messages for texts."""

    def message_received(self, message: Message) -> None:
        assert isinstance(message, TextMessage)


class Late(Watcher):
    """Wants a session to have had packets."""

    codec: object = None

    def packet_sent(self, packet: EncodedPacket, codec: object) -> None:
        self.codec = codec

    def ended(self, reason: str, statistics: Statistics) -> None:
        if self.codec is None:
            raise RuntimeError("nothing was sent")


class Slow(Watcher):
    def ended(self, reason: str, statistics: Statistics) -> None:
        for _ in range(300_000):
            pass


kept: list[Watcher] = []


def hoarding() -> list[object]:
    kept.append(Watcher())
    return [kept[-1]]


def observing(make: Callable[[], list[object]]) -> ExtensionSubject:
    return ExtensionSubject(make, nothing)


def nothing(gateway_info: GatewayInfo) -> object:
    raise NotImplementedError


@asynccontextmanager
async def live(gateway_info: GatewayInfo) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def linger(gateway_info: GatewayInfo) -> AsyncIterator[None]:
    """As who sends what has gathered, at its leisure."""
    yield
    await trio.sleep(5)


@asynccontextmanager
async def desert(gateway_info: GatewayInfo) -> AsyncIterator[None]:
    """Has a task of nobody's."""
    trio.lowlevel.spawn_system_task(trio.sleep_forever)
    yield


@asynccontextmanager
async def unravel(gateway_info: GatewayInfo) -> AsyncIterator[None]:
    """Has a thread that nobody ends."""
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    yield


@contextmanager
def synchronous(gateway_info: GatewayInfo) -> Any:
    yield


class Single:
    """Can begin once in a process."""

    def __init__(self) -> None:
        self.has_begun = False

    @asynccontextmanager
    async def live(self, gateway_info: GatewayInfo) -> AsyncIterator[None]:
        if self.has_begun:
            raise RuntimeError("there is one already")
        self.has_begun = True
        yield


def living(lifespan: Callable[[GatewayInfo], object]) -> ExtensionSubject:
    return ExtensionSubject(list, lifespan)


GOOD_OBSERVER = observing(lambda: [Watcher()])
GOOD_LIFE = living(live)
BAD_OBSERVERS: Mapping[str, list[Any]] = {
    "description": [observing(lambda: [object()]), observing(lambda: [Waiting()])],
    "any-session": [observing(lambda: [Literate()]), observing(lambda: [Late()])],
    "lateness": [observing(lambda: [Slow()])],
    "leaks": [observing(hoarding)],
}
BAD_LIVES: Mapping[str, list[Any]] = {
    "description": [living(synchronous), living(lambda gateway_info: None)],
    "again": [living(Single().live)],
    "end": [living(linger), living(desert), living(unravel)],
}
