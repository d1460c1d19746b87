from collections.abc import Callable
from typing import Any

import pytest
from glottis.sctp import ChannelState, TextReceived
from glottis.testing.impairments import PERFECT, Impairments
from glottis.wire.sctp import ChunkType, parse_packet_untrusted
from glottis.wire.sctp_chunks import parse_forward_tsn_untrusted


def texts(pair: Any) -> list[str]:
    return [event.text for event in pair.server_events if isinstance(event, TextReceived)]


def open_channel(pair: Any, **settings: Any) -> Any:
    channel = pair.client.open("lossy", **settings)
    assert pair.run(lambda: channel.state is ChannelState.OPEN)
    pair.run(seconds=1.0)
    return channel


def has_data(packet: bytes) -> bool:
    _, spans = parse_packet_untrusted(packet, zero_checksum_accepted=True)
    return any(span[0] == ChunkType.DATA for span in spans)


@pytest.mark.parametrize("ordered", [True, False])
def test_message_that_may_not_be_sent_again_is_skipped(pair: Any, ordered: bool) -> None:
    channel = open_channel(pair, ordered=ordered, max_retransmits=0)
    pair.client_host.drop = has_data
    channel.send_text("lost")
    pair.run(seconds=0.1)
    pair.client_host.drop = lambda packet: False
    channel.send_text("next")
    assert pair.run(lambda: texts(pair) == ["next"], seconds=3)
    pair.run(seconds=10)
    channel.send_text("last")
    assert pair.run(lambda: texts(pair) == ["next", "last"], seconds=3)


def test_retransmissions_are_counted_per_message(pair: Any) -> None:
    channel = open_channel(pair, max_retransmits=2)
    sent: list[bytes] = []

    def drop(packet: bytes) -> bool:
        if has_data(packet):
            sent.append(packet)
        return has_data(packet)

    pair.client_host.drop = drop
    channel.send_text("lost")
    pair.run(seconds=20)
    assert len(sent) == 3


def test_message_expires_while_it_waits(pair: Any) -> None:
    channel = open_channel(pair, max_packet_life_time_ms=100)
    reliable = pair.client.open("first in line")
    pair.run(lambda: reliable.state is ChannelState.OPEN)
    pair.run(seconds=1)
    reliable.send_bytes(bytes(200_000))
    for number in range(100):
        channel.send_text(f"{number}" * 1000)
    pair.run(seconds=10)
    assert len(texts(pair)) < 100
    channel.send_text("after")
    assert pair.run(lambda: texts(pair)[-1] == "after", seconds=3)
    assert pair.client.association.buffered_amount == 0


def test_life_time_begins_when_the_message_is_sent_not_when_the_engine_was_last_busy(pair: Any) -> None:
    channel = open_channel(pair, max_packet_life_time_ms=50)
    pair.run(seconds=25)
    channel.send_text("fresh")
    assert pair.run(lambda: texts(pair) == ["fresh"], seconds=1)


def test_fragmented_message_given_up_halfway_disturbs_no_other(pair: Any) -> None:
    channel = open_channel(pair, max_packet_life_time_ms=150)
    pair.network.impairments = Impairments(delay=0.05)
    channel.send_text("x" * 200_000)
    channel.send_text("short")
    pair.run(seconds=5)
    channel.send_text("after")
    assert pair.run(lambda: texts(pair)[-1:] == ["after"], seconds=3)
    assert "x" * 200_000 not in texts(pair)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    "reliability", [{"max_retransmits": 0}, {"max_retransmits": 1}, {"max_packet_life_time_ms": 80}]
)
def test_unreliable_channel_under_loss_delivers_most_and_never_stalls(
    make_pair: Callable[..., Any], ordered: bool, reliability: dict[str, int]
) -> None:
    for seed in range(5):
        pair = make_pair(seed=seed, impairments=Impairments(delay=0.02, loss=0.2, jitter=0.01, duplication=0.1))
        pair.connect()
        channel = open_channel(pair, ordered=ordered, **reliability)
        sent = [f"{number}-" * 100 for number in range(100)]
        for text in sent:
            channel.send_text(text)
            pair.run(seconds=0.02)
        pair.network.impairments = PERFECT
        pair.run(seconds=5)
        channel.send_text("end")
        assert pair.run(lambda: texts(pair)[-1:] == ["end"], seconds=5)  # noqa: B023
        arrived = texts(pair)[:-1]
        assert set(arrived) <= set(sent)
        assert len(arrived) == len(set(arrived))
        assert 50 <= len(arrived) <= 100
        if ordered:
            assert arrived == sorted(arrived, key=sent.index)


def test_forward_tsn_names_the_skipped_stream(pair: Any) -> None:
    channel = open_channel(pair, max_retransmits=0)
    pair.client_host.drop = has_data
    channel.send_text("lost")
    pair.run(seconds=1)
    forwards = []
    for packet in pair.client_host.sent:
        _, spans = parse_packet_untrusted(packet, zero_checksum_accepted=True)
        forwards += [parse_forward_tsn_untrusted(packet[s:e]) for t, _, s, e in spans if t == ChunkType.FORWARD_TSN]
    assert forwards[0].skipped == ((channel.id, 1),)  # 0 was DATA_CHANNEL_OPEN
