"""What a data channel message costs: glottis's SCTP beside aiortc's, both ends in one process, no DTLS, no network.

Run with ``python -m benchmarks.sctp``. Needs aiortc. Times are CPU time of both ends together; the best of some rounds.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Final, cast

from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from glottis.sctp import BytesReceived, ChannelState, DataChannels

SMALL, LARGE = bytes(100), bytes(65536)
SMALL_COUNT, LARGE_COUNT, ECHO_COUNT = 2000, 100, 500
ROUNDS: Final = 5


class GlottisPair:
    """Two ends; datagrams pass from hand to hand."""

    def __init__(self, *, zero_checksum: bool) -> None:
        self.ends = [
            DataChannels(
                dtls_client=dtls_client,
                rng=random.Random(dtls_client),
                remote_max_message_size=262144,
                zero_checksum=zero_checksum,
            )
            for dtls_client in (True, False)
        ]
        self.received = 0
        self.echoes = False
        for end in self.ends:
            end.connect(0.0)
        self.channel = self.ends[0].open("bench")
        self.pump()
        assert self.channel.state is ChannelState.OPEN

    def pump(self) -> None:
        """Drive both ends until neither has anything to do at once."""
        busy = True
        while busy:
            busy = self._turn(self.ends[0], self.ends[1]) | self._turn(self.ends[1], self.ends[0])

    def _turn(self, end: DataChannels, other: DataChannels) -> bool:
        now = time.monotonic()
        while (event := end.next_event()) is not None:
            if isinstance(event, BytesReceived):
                self.received += 1
                if self.echoes and end is self.ends[1]:
                    event.channel.send_bytes(event.data)
        datagrams = end.datagrams_to_send()
        if (timeout := end.next_timeout()) is not None and timeout <= now:
            end.handle_timeout(now)
            datagrams += end.datagrams_to_send()
        for datagram in datagrams:
            other.handle_datagram(datagram, now)
        return bool(datagrams)

    def one_way(self, data: bytes, count: int) -> None:
        """Queue ``count`` messages and see them arrive."""
        self.received = 0
        for _ in range(count):
            self.channel.send_bytes(data)
        self.pump()
        assert self.received == count

    def echo(self, data: bytes, count: int) -> None:
        """One message there and back at a time."""
        self.echoes, self.received = True, 0
        for _ in range(count):
            self.channel.send_bytes(data)
            self.pump()
        self.echoes = False
        assert self.received == 2 * count


class FakeDtls:
    """As much of aiortc's DTLS transport as its SCTP transport uses."""

    state = "connected"

    def __init__(self, role: str) -> None:
        self._role = role
        self.arrived: deque[bytes] = deque()
        self.receiver: RTCSctpTransport | None = None
        self.other: FakeDtls
        self.wake = asyncio.Event()

    def _register_data_receiver(self, receiver: RTCSctpTransport) -> None:
        self.receiver = receiver

    def _unregister_data_receiver(self, receiver: RTCSctpTransport) -> None:
        self.receiver = None

    async def _send_data(self, data: bytes) -> None:
        self.other.arrived.append(data)
        self.other.wake.set()

    async def deliver(self) -> None:
        """Hand what arrived to the SCTP transport, for ever."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.arrived:
                assert self.receiver is not None
                await self.receiver._handle_data(self.arrived.popleft())


class AiortcPair:
    """Two ends of aiortc in one event loop."""

    async def start(self) -> None:
        """Connect, and open a channel."""
        ends = [FakeDtls("client"), FakeDtls("server")]
        ends[0].other, ends[1].other = ends[1], ends[0]
        self.tasks = [asyncio.create_task(end.deliver()) for end in ends]
        self.transports = [RTCSctpTransport(cast(RTCDtlsTransport, end)) for end in ends]
        for transport in self.transports:
            await transport.start(RTCSctpCapabilities(maxMessageSize=262144), 5000)
        self.received, self.wanted, self.echoes = 0, 1, False
        self.done = asyncio.Event()
        self.transports[1].on("datachannel", self._accept)
        self.channel = RTCDataChannel(self.transports[0], RTCDataChannelParameters(label="bench"))
        self.channel.on("message", lambda message: self._count())
        opened = asyncio.Event()
        self.channel.on("open", opened.set)
        await opened.wait()

    def _accept(self, channel: RTCDataChannel) -> None:
        def on_message(message: bytes) -> None:
            if self.echoes:
                channel.send(message)
            self._count()

        channel.on("message", on_message)

    def _count(self) -> None:
        self.received += 1
        if self.received == self.wanted:
            self.done.set()

    async def one_way(self, data: bytes, count: int) -> None:
        """Queue ``count`` messages and see them arrive."""
        self.received, self.wanted = 0, count
        self.done.clear()
        for _ in range(count):
            self.channel.send(data)
        await self.done.wait()

    async def echo(self, data: bytes, count: int) -> None:
        """One message there and back at a time."""
        self.echoes = True
        for _ in range(count):
            self.received, self.wanted = 0, 2
            self.done.clear()
            self.channel.send(data)
            await self.done.wait()
        self.echoes = False

    async def stop(self) -> None:
        """End both ends."""
        for transport in self.transports:
            await transport.stop()
        for task in self.tasks:
            task.cancel()


def best(action: Callable[[], object]) -> float:
    """CPU seconds of the quickest of some rounds."""
    seconds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        action()
        seconds.append(time.process_time() - begin)
    return min(seconds)


def measure_glottis(*, zero_checksum: bool) -> tuple[float, float, float]:
    """CPU seconds for the three loads."""
    pair = GlottisPair(zero_checksum=zero_checksum)
    return (
        best(lambda: pair.one_way(SMALL, SMALL_COUNT)),
        best(lambda: pair.echo(SMALL, ECHO_COUNT)),
        best(lambda: pair.one_way(LARGE, LARGE_COUNT)),
    )


def measure_aiortc() -> tuple[float, float, float]:
    """CPU seconds for the three loads."""
    with asyncio.Runner() as runner:
        pair = AiortcPair()
        runner.run(pair.start())
        results = (
            best(lambda: runner.run(pair.one_way(SMALL, SMALL_COUNT))),
            best(lambda: runner.run(pair.echo(SMALL, ECHO_COUNT))),
            best(lambda: runner.run(pair.one_way(LARGE, LARGE_COUNT))),
        )
        runner.run(pair.stop())
    return results


def main() -> None:
    """Print the table."""
    rows = [
        ("glottis, zero checksum", measure_glottis(zero_checksum=True)),
        ("glottis, CRC32c", measure_glottis(zero_checksum=False)),
        ("aiortc", measure_aiortc()),
    ]
    print(f"{'':24}{'100 B, burst':>16}{'100 B, echoed':>16}{'64 KiB':>12}")
    print(f"{'':24}{'µs per message':>16}{'µs per echo':>16}{'MB/s':>12}")
    for name, (burst, echo, large) in rows:
        rate = LARGE_COUNT * len(LARGE) / large / 1e6
        print(f"{name:24}{burst / SMALL_COUNT * 1e6:16.1f}{echo / ECHO_COUNT * 1e6:16.1f}{rate:12.1f}")


if __name__ == "__main__":
    main()
