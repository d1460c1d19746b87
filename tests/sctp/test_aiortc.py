"""aiortc as the peer, in both DTLS roles, over UDP on loopback."""

import random
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from glottis.sctp import (
    AssociationFailed,
    BytesReceived,
    ChannelClosed,
    ChannelOpened,
    ChannelState,
    DataChannel,
    DataChannels,
    TextReceived,
)

pytestmark = pytest.mark.interop

PEER = Path(__file__).with_name("aiortc_peer.py")


class Call:
    """Our engine, and a socket to aiortc's."""

    def __init__(self, *, dtls_client: bool, loss: float = 0.0, same_parity: bool = False) -> None:
        self.engine = DataChannels(dtls_client=dtls_client, rng=random.Random(1), remote_max_message_size=262144)
        self.events: list[Any] = []
        self._loss, self._rng = loss, random.Random(2)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", 0))
        role = "server" if dtls_client is not same_parity else "client"
        host, port = self._socket.getsockname()
        self._process = subprocess.Popen([sys.executable, PEER, role, host, str(port)], stdin=subprocess.PIPE)
        data, address = self._socket.recvfrom(2048)  # aiortc's INIT
        self._socket.connect(address)
        self._socket.setblocking(False)
        self.engine.handle_datagram(data, time.monotonic())
        self.engine.connect(time.monotonic())

    def run(self, until: Callable[[], bool], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not self._step() or not until():
            assert time.monotonic() < end, f"not reached; last events: {self.events[-3:]}"
            timeout = self.engine.next_timeout()
            wait = 0.1 if timeout is None else min(max(timeout - time.monotonic(), 0.0), 0.1)
            select.select([self._socket], [], [], wait)

    def _step(self) -> bool:
        for _ in range(32):
            try:
                data = self._socket.recv(2048)
            except BlockingIOError:
                break
            if self._rng.random() >= self._loss:
                self.engine.handle_datagram(data, time.monotonic())
        now = time.monotonic()
        if (timeout := self.engine.next_timeout()) is not None and timeout <= now:
            self.engine.handle_timeout(now)
        for datagram in self.engine.datagrams_to_send():
            if self._rng.random() >= self._loss:
                self._socket.send(datagram)
        while (event := self.engine.next_event()) is not None:
            self.events.append(event)
        return True

    def received(self, channel: DataChannel) -> list[str | bytes]:
        return [
            event.text if isinstance(event, TextReceived) else event.data
            for event in self.events
            if isinstance(event, TextReceived | BytesReceived) and event.channel is channel
        ]

    def opened(self, label: str) -> list[DataChannel]:
        """The channels of that label that the peer has opened."""
        channels = [event.channel for event in self.events if isinstance(event, ChannelOpened)]
        return [channel for channel in channels if channel.label == label]

    def open(self, label: str = "chat", **settings: Any) -> DataChannel:
        channel = self.engine.open(label, **settings)
        self.run(lambda: channel.state is ChannelState.OPEN)
        return channel

    def end_peer(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def close(self) -> None:
        self.end_peer()
        self._process.wait(10)
        self._socket.close()


@pytest.fixture(params=[True, False], ids=["we are the DTLS client", "we are the DTLS server"])
def call(request: pytest.FixtureRequest) -> Iterator[Call]:
    call = Call(dtls_client=request.param)
    yield call
    call.close()


@pytest.fixture
def same_parity_call() -> Iterator[Call]:
    """With a peer that chooses its streams as if it had our DTLS role."""
    call = Call(dtls_client=False, same_parity=True)
    yield call
    call.close()


@pytest.fixture
def lossy_call() -> Iterator[Call]:
    call = Call(dtls_client=True, loss=0.05)
    yield call
    call.close()


def test_messages_of_every_size_come_back(call: Call) -> None:
    channel = call.open()
    sent: list[str | bytes] = []
    for size in (0, 1, 100, 1131, 1132, 1133, 65536, 262144):
        channel.send_text("é" * (size // 2))
        channel.send_bytes(bytes([size & 0xFF]) * size)
        sent += ["é" * (size // 2), bytes([size & 0xFF]) * size]
    call.run(lambda: len(call.received(channel)) == len(sent))
    assert call.received(channel) == sent


def test_a_thousand_small_messages_come_back_in_order(call: Call) -> None:
    channel = call.open()
    sent = [f"message {number}" for number in range(1000)]
    for text in sent:
        channel.send_text(text)
    call.run(lambda: len(call.received(channel)) == 1000)
    assert call.received(channel) == sent


def test_fifty_channels_and_one_that_the_peer_opens(call: Call) -> None:
    channels = [call.engine.open(str(number)) for number in range(50)]
    call.run(lambda: all(channel.state is ChannelState.OPEN for channel in channels))
    for channel in channels:
        channel.send_text(channel.label)
    call.run(lambda: all(call.received(channel) == [channel.label] for channel in channels))
    channels[0].send_text("open theirs")
    call.run(lambda: bool(call.opened("theirs")) and call.received(call.opened("theirs")[0]) == ["hello"])
    assert call.opened("theirs")[0].id % 2 != channels[0].id % 2


def test_channel_that_the_peer_opens_on_a_stream_of_our_parity(same_parity_call: Call) -> None:
    call = same_parity_call
    first = call.open()
    first.send_text("open theirs")
    call.run(lambda: bool(call.opened("theirs")) and call.received(call.opened("theirs")[0]) == ["hello"])
    assert (first.id, call.opened("theirs")[0].id, call.open("ours").id) == (1, 3, 5)


@pytest.mark.parametrize("closer", ["we", "they"])
def test_channel_is_closed_by_either_end(call: Call, closer: str) -> None:
    channel, other = call.open(), call.open("other")
    if closer == "we":
        channel.close()
    else:
        channel.send_text("close")
    call.run(lambda: channel.state is ChannelState.CLOSED)
    assert ChannelClosed(channel, "closed by us" if closer == "we" else "closed by the peer") in call.events
    other.send_text("goes on")
    call.run(lambda: call.received(other) == ["goes on"])
    again = call.open("again")
    again.send_text("fresh")
    call.run(lambda: call.received(again) == ["fresh"])


def test_abort_of_the_peer_is_reported(call: Call) -> None:
    channel = call.open()
    call.end_peer()
    call.run(lambda: any(isinstance(event, AssociationFailed) for event in call.events))
    assert channel.state is ChannelState.CLOSED


def test_reliable_channel_loses_nothing_under_loss(lossy_call: Call) -> None:
    channel = lossy_call.open()
    sent: list[str | bytes] = [bytes([number]) * 2000 for number in range(60)]
    for data in sent:
        assert isinstance(data, bytes)
        channel.send_bytes(data)
    lossy_call.run(lambda: len(lossy_call.received(channel)) == 60, seconds=60)
    assert lossy_call.received(channel) == sent


def test_unreliable_channel_goes_on_under_loss(lossy_call: Call) -> None:
    channel = lossy_call.open(ordered=False, max_retransmits=0)
    for number in range(200):
        channel.send_text(str(number) * 100)
    lossy_call.run(lambda: len(lossy_call.received(channel)) >= 100, seconds=60)
    assert not any(isinstance(event, AssociationFailed) for event in lossy_call.events)
