from collections.abc import Callable
from typing import Any

import pytest
from glottis.contracts.errors import MessageTooLong
from glottis.sctp import BytesReceived, ChannelState, SctpLimits, SendBufferFull, TextReceived
from glottis.testing.impairments import Impairments
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.examples import examples


def received(events: list[Any]) -> list[str | bytes]:
    return [
        event.text if isinstance(event, TextReceived) else event.data
        for event in events
        if isinstance(event, TextReceived | BytesReceived)
    ]


def open_channel(pair: Any, **settings: Any) -> Any:
    channel = pair.client.open("chat", **settings)
    assert pair.run(lambda: channel.state is ChannelState.OPEN)
    return channel


@given(
    seed=st.integers(0, 2**16),
    loss=st.sampled_from([0.0, 0.05, 0.15, 0.3]),
    duplication=st.sampled_from([0.0, 0.1, 0.3]),
    jitter=st.sampled_from([0.0, 0.005, 0.05]),
    sizes=st.lists(st.sampled_from([0, 1, 100, 1131, 1132, 1133, 5000, 20000]), min_size=1, max_size=12),
    zero_checksum=st.booleans(),
)
@settings(
    max_examples=examples(40),
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_message_arrives_once_and_in_order_whatever_the_network_does(
    make_pair: Callable[..., Any],
    seed: int,
    loss: float,
    duplication: float,
    jitter: float,
    sizes: list[int],
    zero_checksum: bool,
) -> None:
    impairments = Impairments(loss=loss, duplication=duplication, delay=0.02, jitter=jitter)
    pair = make_pair(seed=seed, impairments=impairments, zero_checksum=zero_checksum)
    pair.connect()
    channel = pair.client.open("chat")
    assert pair.run(lambda: channel.state is ChannelState.OPEN, seconds=120)
    messages: list[str | bytes] = []
    for number, size in enumerate(sizes):
        data = bytes([number]) * size
        messages.append(data if number % 2 else data.decode())
        (channel.send_bytes if number % 2 else lambda data: channel.send_text(data.decode()))(data)
    assert pair.run(lambda: len(received(pair.server_events)) >= len(messages), seconds=600)
    pair.run(seconds=10)
    assert received(pair.server_events) == messages


def test_unordered_messages_all_arrive_and_may_overtake(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(seed=3, impairments=Impairments(loss=0.2, delay=0.02))
    pair.connect()
    channel = open_channel(pair, ordered=False)
    texts = [str(number) * 400 for number in range(60)]
    for text in texts:
        channel.send_text(text)
    pair.run(lambda: len(received(pair.server_events)) >= 60, seconds=300)
    arrived = received(pair.server_events)
    assert sorted(map(str, arrived)) == sorted(texts)
    assert arrived != texts


@pytest.mark.parametrize("max_packet_size", [512, 1000, 1163])
def test_no_packet_is_larger_than_what_dtls_takes(make_pair: Callable[..., Any], max_packet_size: int) -> None:
    pair = make_pair(limits=SctpLimits(max_packet_size=max_packet_size))
    pair.connect()
    channel = open_channel(pair)
    channel.send_bytes(bytes(200_000))
    assert pair.run(lambda: len(received(pair.server_events)) == 1)
    sizes = [len(packet) for packet in pair.client_host.sent]
    assert max_packet_size - 8 <= max(sizes) <= max_packet_size


def test_small_messages_share_packets(pair: Any) -> None:
    channel = open_channel(pair)
    before = len(pair.client_host.sent)
    for _ in range(90):
        channel.send_bytes(bytes(100))
    assert pair.run(lambda: len(received(pair.server_events)) == 90)
    assert len(pair.client_host.sent) - before <= 14


def test_message_of_the_maximum_size_arrives_and_a_larger_one_is_refused(pair: Any) -> None:
    channel = open_channel(pair)
    channel.send_bytes(bytes(262144))
    with pytest.raises(MessageTooLong, match="at most 262144 bytes, not "):
        channel.send_bytes(bytes(262145))
    assert pair.run(lambda: received(pair.server_events) == [bytes(262144)])


def test_empty_text_and_empty_bytes_stay_different(pair: Any) -> None:
    channel = open_channel(pair)
    channel.send_text("")
    channel.send_bytes(b"")
    assert pair.run(lambda: received(pair.server_events) == ["", b""])


def test_sending_beyond_the_send_buffer_is_refused(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(limits=SctpLimits(send_buffer=100_000), impairments=Impairments(delay=0.05))
    pair.connect()
    channel = open_channel(pair)
    channel.send_bytes(bytes(60_000))
    with pytest.raises(SendBufferFull):
        channel.send_bytes(bytes(60_000))
    assert pair.run(lambda: len(received(pair.server_events)) == 1)
    pair.run(seconds=1)
    channel.send_bytes(bytes(60_000))
    assert pair.run(lambda: len(received(pair.server_events)) == 2)


@pytest.mark.slow
def test_window_stays_shut_while_the_owner_takes_no_events(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(impairments=Impairments(delay=0.01), limits=SctpLimits(receive_buffer=300_000))
    pair.connect()
    channel = open_channel(pair)
    for _ in range(600):
        channel.send_bytes(bytes(10_000))
    pair.network.run(seconds=20.0)  # nobody takes events
    assert channel.buffered_amount > 3_000_000
    assert pair.run(lambda: len(received(pair.server_events)) == 600, seconds=600)


def test_high_priority_channel_gets_the_larger_share(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(impairments=Impairments(delay=0.02))
    pair.connect()
    low = pair.client.open("low", priority=128)
    high = pair.client.open("high", priority=1024)
    assert pair.run(lambda: high.state is ChannelState.OPEN and low.state is ChannelState.OPEN)
    for _ in range(100):
        low.send_bytes(b"l" * 1000)
        high.send_bytes(b"h" * 1000)
    pair.run(lambda: len(received(pair.server_events)) >= 90)
    first = received(pair.server_events)[:90]
    assert 75 <= sum(message[:1] == b"h" for message in first if isinstance(message, bytes)) <= 85
