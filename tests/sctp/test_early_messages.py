"""What the peer sends on a stream before its channel is there: while our reset is unanswered, or ahead of an OPEN."""

from collections.abc import Callable
from typing import Any

import pytest
from glottis.sctp import (
    ChannelClosed,
    ChannelOpened,
    ChannelState,
    DataChannel,
    DataChannels,
    State,
    TextReceived,
    data_channels,
)
from glottis.sctp.events import IncomingStreamsReset
from glottis.sctp.limits import CHUNK_OVERHEAD
from glottis.testing.impairments import Impairments
from glottis.wire.dcep import ChannelOpen, ProtocolId
from glottis.wire.sctp import ChunkType, parse_packet_untrusted, parse_parameters_untrusted
from glottis.wire.sctp_chunks import ParameterType


def has_reset_response(packet: bytes) -> bool:
    _, spans = parse_packet_untrusted(packet, zero_checksum_accepted=True)
    resets = [packet[start:end] for chunk_type, _, start, end in spans if chunk_type == ChunkType.RE_CONFIG]
    parameters = [parameter for reset in resets for parameter in parse_parameters_untrusted(reset)]
    return any(parameter.type == ParameterType.RE_CONFIGURATION_RESPONSE for parameter in parameters)


def told(events: list[Any]) -> list[str]:
    """Channels that opened and closed, and texts."""
    names = {ChannelOpened: "opened", ChannelClosed: "closed"}
    return [
        event.text if isinstance(event, TextReceived) else f"{names[type(event)]} {event.channel.label}"
        for event in events
        if isinstance(event, ChannelOpened | ChannelClosed | TextReceived)
    ]


def held(pair: Any) -> int:
    """Bytes by which the server's receive window is the smaller."""
    size: int = pair.server.association._inbound._held()
    return size


def open_both(pair: Any, label: str) -> tuple[DataChannel, DataChannel]:
    channel = pair.client.open(label)
    assert pair.run(lambda: channel.state is ChannelState.OPEN)
    return channel, next(event.channel for event in pair.server_events if isinstance(event, ChannelOpened))


def send_at_once(channel: DataChannel, *texts: str) -> None:
    """Without waiting for the acknowledgement of the OPEN, as browsers do (RFC 8832 §6)."""
    for text in texts:
        channel._carrier.send(channel, ProtocolId.STRING, text.encode())


@pytest.fixture
def closing(pair: Any) -> Any:
    """The server has closed with the client and does not know yet: responses to its reset are lost."""
    first, _ = open_both(pair, "first")
    pair.client_host.drop = has_reset_response
    first.close()
    assert pair.run(lambda: first.state is ChannelState.CLOSED, seconds=5)
    assert told(pair.server_events) == ["opened first"]
    return pair


def hear_response(pair: Any) -> None:
    pair.client_host.drop = lambda packet: False


@pytest.mark.parametrize("closer", ["client", "server"])
def test_channel_opened_on_the_stream_of_one_just_closed_opens_whatever_is_lost(
    make_pair: Callable[..., Any], closer: str
) -> None:
    for seed in range(60):
        pair = make_pair(seed=seed, impairments=Impairments(delay=0.02, loss=0.2))
        pair.connect()
        first, theirs = open_both(pair, "first")
        (first if closer == "client" else theirs).close()
        assert pair.run(lambda: first.state is ChannelState.CLOSED)  # noqa: B023
        second = pair.client.open("second")
        assert second.id == first.id
        send_at_once(second, "one", "two")
        assert pair.run(lambda: second.state is ChannelState.OPEN and "two" in told(pair.server_events))  # noqa: B023
        assert told(pair.server_events) == ["opened first", "closed first", "opened second", "one", "two"]


def test_open_waits_until_the_reset_is_answered(closing: Any) -> None:
    second = closing.client.open("second")
    send_at_once(second, "hello")
    closing.run(seconds=2)
    assert second.state is ChannelState.CONNECTING
    assert told(closing.server_events) == ["opened first"]
    hear_response(closing)
    assert closing.run(lambda: second.state is ChannelState.OPEN, seconds=5)
    assert told(closing.server_events) == ["opened first", "closed first", "opened second", "hello"]
    assert held(closing) == 0


@pytest.mark.slow
def test_what_waits_shuts_the_window_and_nothing_is_lost(closing: Any) -> None:
    second = closing.client.open("second")
    texts = [str(number) * 1000 for number in range(1000, 2000)]  # 4 MB
    send_at_once(second, *texts)
    closing.run(seconds=10)
    assert 900_000 < held(closing) < 1024 * 1024 + 1163 + CHUNK_OVERHEAD
    hear_response(closing)
    assert closing.run(lambda: len(told(closing.server_events)) == 1003, seconds=60)
    assert told(closing.server_events)[3:] == texts


def test_channel_opened_and_closed_while_its_stream_is_being_reset_is_told_in_order(closing: Any) -> None:
    second = closing.client.open("second")
    send_at_once(second, "brief")
    second.close()
    closing.run(seconds=2)
    hear_response(closing)
    assert closing.run(lambda: told(closing.server_events)[-1] == "closed second", seconds=5)
    assert told(closing.server_events) == ["opened first", "closed first", "opened second", "brief", "closed second"]
    assert second.state is ChannelState.CLOSED


def test_open_after_a_refusal_waits_for_its_reset_too(pair: Any) -> None:
    agreed = pair.client.open("agreed", negotiated_id=8)
    pair.client_host.drop = has_reset_response
    agreed.send_text("to nobody")
    assert pair.run(lambda: agreed.state is ChannelState.CLOSED, seconds=5)
    pair.client.association.send(8, ProtocolId.DCEP, ChannelOpen("second").encode())
    pair.run(seconds=1)
    assert told(pair.server_events) == []
    hear_response(pair)
    assert pair.run(lambda: told(pair.server_events) == ["opened second"], seconds=5)


def test_open_of_a_peer_that_never_resets_its_own_direction_waits_for_the_answer_too(
    pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, theirs = open_both(pair, "first")

    def all_but_the_client(channels: DataChannels, event: IncomingStreamsReset) -> None:
        if channels is not pair.client:
            channels._handle_incoming_reset(event)

    monkeypatch.setitem(data_channels._HANDLERS, IncomingStreamsReset, all_but_the_client)
    pair.client_host.drop = has_reset_response
    theirs.close()
    pair.run(seconds=1)
    pair.client.association.send(theirs.id, ProtocolId.DCEP, ChannelOpen("second").encode())
    pair.run(seconds=1)
    assert told(pair.server_events) == ["opened first"]
    hear_response(pair)
    assert pair.run(lambda: told(pair.server_events)[-1] == "opened second", seconds=5)
    assert told(pair.server_events) == ["opened first", "closed first", "opened second"]


def test_negotiated_channel_that_both_ends_close_and_open_again_loses_nothing(pair: Any) -> None:
    ours, theirs = (end.open("agreed", negotiated_id=7) for end in (pair.client, pair.server))
    pair.client_host.drop = has_reset_response
    ours.close()
    assert pair.run(lambda: ours.state is ChannelState.CLOSED, seconds=5)
    pair.client.open("agreed", negotiated_id=7).send_text("again")
    pair.run(seconds=1)
    hear_response(pair)
    assert pair.run(lambda: theirs.state is ChannelState.CLOSED, seconds=5)
    pair.server.open("agreed", negotiated_id=7)
    assert pair.run(lambda: told(pair.server_events)[-1] == "again", seconds=1)


def test_messages_that_overtake_their_open_wait_for_it(pair: Any) -> None:
    for protocol_id, data in [
        (ProtocolId.STRING, b"early"),
        (ProtocolId.STRING, b"too"),
        (ProtocolId.DCEP, ChannelOpen("chat").encode()),
        (ProtocolId.STRING, b"late"),
    ]:
        pair.client.association.send(6, protocol_id, data, unordered=True)
        pair.run(seconds=0.5)
    assert told(pair.server_events) == ["opened chat", "early", "too", "late"]
    assert held(pair) == 0


def test_messages_wait_for_a_negotiated_channel_that_we_are_yet_to_open(pair: Any) -> None:
    pair.client.open("agreed", negotiated_id=7).send_text("early")
    pair.run(seconds=1)
    assert pair.server.open("of our parity").id == 1
    assert pair.server.open("agreed", negotiated_id=7).state is ChannelState.OPEN
    assert pair.run(lambda: told(pair.server_events)[-1:] == ["early"], seconds=1)


def test_stream_on_which_messages_wait_is_no_stream_for_a_channel_of_ours(pair: Any) -> None:
    pair.client.association.send(1, ProtocolId.STRING, b"early")
    pair.run(seconds=1)
    assert pair.server.open("ours").id == 3


def test_wait_for_a_channel_ends(pair: Any) -> None:
    agreed = pair.client.open("agreed", negotiated_id=7)
    agreed.send_text("to nobody")
    pair.run(seconds=2)
    assert (agreed.state, held(pair)) == (ChannelState.OPEN, len("to nobody") + CHUNK_OVERHEAD)
    assert pair.run(lambda: agreed.state is ChannelState.CLOSED, seconds=2)
    assert held(pair) == 0
    assert pair.server.open("ours").id == 1


def test_negotiated_channel_that_the_peer_closes_before_we_open_it_is_closed(pair: Any) -> None:
    agreed = pair.client.open("agreed", negotiated_id=7)
    agreed.send_text("to nobody")
    agreed.close()
    assert pair.run(lambda: agreed.state is ChannelState.CLOSED, seconds=1)
    assert told(pair.server_events) == []


def test_what_waits_is_forgotten_with_the_association(closing: Any) -> None:
    send_at_once(closing.client.open("second"), "hello")
    closing.client.association.send(6, ProtocolId.STRING, b"early")
    closing.run(seconds=1)
    closing.client.abort("gone")
    assert closing.run(lambda: closing.server.association.state is State.CLOSED, seconds=1)
    assert told(closing.server_events) == ["opened first", "closed first"]
    assert closing.server.next_timeout() is None
