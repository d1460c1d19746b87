from collections.abc import Callable
from typing import Any

import pytest
from glottis.contracts.errors import LocalError
from glottis.sctp import (
    AssociationFailed,
    BufferedAmountLow,
    ChannelClosed,
    ChannelOpened,
    ChannelState,
    DataChannel,
    EverythingAcknowledged,
    SctpLimits,
    TextReceived,
)
from glottis.sctp.traffic import Traffic
from glottis.testing.impairments import Impairments
from glottis.wire.dcep import OPEN_ACK, ChannelOpen, ProtocolId
from msgspec.structs import replace


def of_type(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def opened(events: list[Any]) -> list[DataChannel]:
    return [event.channel for event in of_type(events, ChannelOpened)]


def open_both(pair: Any, label: str = "chat", **settings: Any) -> tuple[DataChannel, DataChannel]:
    channel = pair.client.open(label, **settings)
    assert pair.run(lambda: channel in opened(pair.client_events))
    return channel, opened(pair.server_events)[-1]


def test_channel_opens_at_both_ends_with_its_settings(pair: Any) -> None:
    channel, theirs = open_both(pair, "chat", ordered=False, max_retransmits=3, protocol="json", priority=512)
    assert (theirs.label, theirs.protocol, theirs.id) == ("chat", "json", channel.id)
    assert theirs.settings == channel.settings == ChannelOpen("chat", "json", False, 3, None, 512)
    assert theirs.state is channel.state is ChannelState.OPEN


def test_dtls_client_takes_even_streams_and_the_server_odd_ones(pair: Any) -> None:
    assert [pair.client.open("").id for _ in range(3)] == [0, 2, 4]
    assert [pair.server.open("").id for _ in range(3)] == [1, 3, 5]


def test_channel_opened_before_the_association_is_up_opens_with_it(make_pair: Callable[..., Any]) -> None:
    pair = make_pair()
    channel = pair.client.open("early")
    pair.connect()
    assert pair.run(lambda: channel.state is ChannelState.OPEN)
    assert opened(pair.server_events)[0].label == "early"


def test_sending_on_a_channel_that_is_not_open_is_refused(pair: Any) -> None:
    channel = pair.client.open("chat")
    with pytest.raises(LocalError, match="connecting"):
        channel.send_text("too early")


def test_either_end_can_answer_on_the_channel_at_once(pair: Any) -> None:
    channel = pair.client.open("chat")
    pair.run(lambda: bool(opened(pair.server_events)))
    opened(pair.server_events)[0].send_text("Backend connected")
    assert pair.run(lambda: TextReceived(channel, "Backend connected") in pair.client_events)


def test_fifty_channels_carry_their_own_messages(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(seed=5, impairments=Impairments(delay=0.01, loss=0.05))
    pair.connect()
    channels = [(pair.client if number % 2 else pair.server).open(str(number)) for number in range(50)]
    assert pair.run(lambda: all(channel.state is ChannelState.OPEN for channel in channels))
    for channel in channels:
        channel.send_text(f"on {channel.label}")

    def events() -> list[TextReceived]:
        return of_type(pair.client_events + pair.server_events, TextReceived)

    assert pair.run(lambda: len(events()) == 50)
    assert all(event.text == f"on {event.channel.label}" for event in events())


@pytest.mark.parametrize("closer", ["client", "server"])
def test_channel_closed_by_one_end_is_closed_at_both(pair: Any, closer: str) -> None:
    ours, theirs = open_both(pair)
    by_client = closer == "client"
    (ours if by_client else theirs).close()
    assert pair.run(lambda: ours.state is theirs.state is ChannelState.CLOSED, seconds=5)
    reasons = ("closed by us", "closed by the peer")
    assert ChannelClosed(ours, reasons[not by_client]) in pair.client_events
    assert ChannelClosed(theirs, reasons[by_client]) in pair.server_events


def test_what_was_sent_before_a_close_still_arrives(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(seed=11, impairments=Impairments(delay=0.02, loss=0.2, jitter=0.01))
    pair.connect()
    channel, theirs = open_both(pair)
    for number in range(30):
        channel.send_text(f"{number}" * 300)
    channel.close()
    with pytest.raises(LocalError, match="closing"):
        channel.send_text("too late")
    assert pair.run(lambda: theirs.state is ChannelState.CLOSED, seconds=120)
    assert len(of_type(pair.server_events, TextReceived)) == 30


def test_closing_twice_is_closing(pair: Any) -> None:
    channel, _ = open_both(pair)
    channel.close()
    channel.close()
    assert pair.run(lambda: channel.state is ChannelState.CLOSED, seconds=5)
    channel.close()
    pair.run(seconds=1)
    assert pair.client_events.count(ChannelClosed(channel, "closed by us")) == 1


def test_stream_of_a_closed_channel_can_be_used_again(pair: Any) -> None:
    first, _ = open_both(pair)
    first.close()
    assert pair.run(lambda: first.state is ChannelState.CLOSED)
    again, theirs = open_both(pair, "again")
    assert again.id == first.id
    again.send_text("fresh")
    assert pair.run(lambda: TextReceived(theirs, "fresh") in pair.server_events)


def test_peer_without_stream_resets_keeps_its_streams(pair: Any) -> None:
    pair.server.association._reset._supported = False
    ours, theirs = open_both(pair)
    mine = pair.server.open("mine")
    assert pair.run(lambda: mine.state is ChannelState.OPEN)
    theirs.close()
    mine.close()
    assert pair.run(lambda: theirs.state is mine.state is ChannelState.CLOSED, seconds=2)
    assert pair.server.open("not on a stream that the peer may hold for open").id == mine.id + 2
    pair.client.association.send(ours.id, ProtocolId.DCEP, ChannelOpen("next").encode())
    assert pair.run(lambda: len(opened(pair.server_events)) == 3)
    opened(pair.server_events)[-1].send_text("in sequence")
    assert pair.run(lambda: TextReceived(ours, "in sequence") in pair.client_events, seconds=2)


def test_peer_that_resets_streams_is_asked_to_reset_ours_whatever_it_announced(pair: Any) -> None:
    pair.server.association._reset._supported = False
    ours, theirs = open_both(pair)
    ours.close()
    assert pair.run(lambda: ours.state is theirs.state is ChannelState.CLOSED, seconds=2)


def test_both_ends_close_at_once(pair: Any) -> None:
    ours, theirs = open_both(pair)
    ours.close()
    theirs.close()
    assert pair.run(lambda: ours.state is theirs.state is ChannelState.CLOSED, seconds=5)


def test_negotiated_channel_needs_no_dcep(make_pair: Callable[..., Any]) -> None:
    pair = make_pair()
    ours = pair.client.open("agreed", negotiated_id=7)
    theirs = pair.server.open("agreed", negotiated_id=7)
    pair.connect()
    assert pair.run(lambda: ours.state is theirs.state is ChannelState.OPEN)
    ours.send_text("hello")
    assert pair.run(lambda: TextReceived(theirs, "hello") in pair.server_events)


def test_negotiated_stream_cannot_be_taken_twice(pair: Any) -> None:
    pair.client.open("one", negotiated_id=7)
    with pytest.raises(LocalError, match="taken"):
        pair.client.open("two", negotiated_id=7)
    with pytest.raises(LocalError, match="beyond"):
        pair.client.open("three", negotiated_id=5000)


def test_no_more_channels_than_streams(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(limits=SctpLimits(max_streams=4))
    assert [pair.client.open("").id for _ in range(2)] == [0, 2]
    with pytest.raises(LocalError, match="no stream"):
        pair.client.open("")


def test_two_limits_at_once_are_refused(pair: Any) -> None:
    with pytest.raises(LocalError, match="not both"):
        pair.client.open("", max_retransmits=1, max_packet_life_time_ms=1)


def test_buffered_amount_counts_down_and_low_water_is_told(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(impairments=Impairments(delay=0.05))
    pair.connect()
    channel, _ = open_both(pair)
    channel.buffered_amount_low_threshold = 30_000
    channel.send_bytes(bytes(50_000))
    assert channel.buffered_amount == 50_000
    assert pair.run(lambda: BufferedAmountLow(channel) in pair.client_events)
    assert 0 < channel.buffered_amount <= 30_000
    assert pair.run(lambda: channel.buffered_amount == 0)
    assert len(of_type(pair.client_events, BufferedAmountLow)) == 1


def test_text_that_is_not_utf8_closes_that_channel_only(pair: Any) -> None:
    other = pair.client.open("other")
    ours, theirs = open_both(pair, "bad")
    pair.client.association.send(ours.id, ProtocolId.STRING, b"\xff\xfe")
    assert pair.run(lambda: ours.state is theirs.state is ChannelState.CLOSED, seconds=5)
    assert ChannelClosed(theirs, "the peer sent text that is not UTF-8") in pair.server_events
    assert other.state is ChannelState.OPEN


@pytest.mark.parametrize(
    "message", [ChannelOpen("again").encode(), b"\x03", b"nonsense", b"\x03\x00\0\0\0\0\0\0\0\x01\0\0\xff"]
)
def test_dcep_on_a_used_stream_closes_its_channel(pair: Any, message: bytes) -> None:
    ours, theirs = open_both(pair)
    pair.client.association.send(ours.id, ProtocolId.DCEP, message)
    assert pair.run(lambda: ours.state is theirs.state is ChannelState.CLOSED, seconds=5)


def test_peer_may_choose_the_parity_of_its_streams_wrongly(werift: Any) -> None:
    theirs, ours = open_both(werift, "theirs")
    assert theirs.id == ours.id == 1  # a stream of the gateway's own
    ours.send_text("Backend connected")
    theirs.send_text("hello")
    assert werift.run(lambda: TextReceived(theirs, "Backend connected") in werift.client_events, seconds=1)
    assert werift.run(lambda: TextReceived(ours, "hello") in werift.server_events, seconds=1)


def test_own_channels_keep_their_parity_beside_a_peer_that_uses_the_same(werift: Any) -> None:
    open_both(werift)
    mine = werift.server.open("mine")
    assert mine.id == 3
    assert werift.run(lambda: mine.state is ChannelState.OPEN)
    assert open_both(werift, "another")[0].id == 5


def test_open_of_a_stream_in_use_leaves_its_channel_alone_if_it_says_the_same(pair: Any) -> None:
    ours, theirs = open_both(pair, "chat", ordered=False)
    pair.client.association.send(ours.id, ProtocolId.DCEP, theirs.settings.encode())
    ours.send_text("goes on")
    assert pair.run(lambda: TextReceived(theirs, "goes on") in pair.server_events)
    assert len(opened(pair.server_events)) == 1


def test_odd_open_is_a_channel_all_the_same(pair: Any) -> None:
    message = b"\x03\x7f" + bytes(6) + (4).to_bytes(2, "big") + bytes(2) + b"caf\xe9" + b"\0\0"
    pair.client.association.send(6, ProtocolId.DCEP, message)
    assert pair.run(lambda: bool(opened(pair.server_events)))
    [channel] = opened(pair.server_events)
    assert channel.settings == ChannelOpen("caf\ufffd", priority=0)


def test_open_on_a_stream_that_the_peer_did_not_promise_to_use_opens_it(make_pair: Callable[..., Any]) -> None:
    pair = make_pair()
    promise = pair.client.association._handshake._our_init

    def promise_one_stream(*arguments: Any) -> Any:
        return replace(promise(*arguments), outbound_streams=1)

    pair.client.association._handshake._our_init = promise_one_stream
    pair.connect()
    channels = [pair.client.open(str(number)) for number in range(3)]
    assert pair.run(lambda: all(channel.state is ChannelState.OPEN for channel in channels), seconds=5)


def test_acknowledgement_without_a_channel_is_ignored(pair: Any) -> None:
    pair.client.association.send(8, ProtocolId.DCEP, OPEN_ACK)
    pair.run(seconds=2)
    assert pair.server_events == []


def test_negotiated_channel_that_only_one_end_has_is_closed_when_it_is_used(pair: Any) -> None:
    channel = pair.client.open("agreed", negotiated_id=8)
    channel.send_text("into the void")
    assert pair.run(lambda: ChannelClosed(channel, "closed by the peer") in pair.client_events, seconds=5)
    assert pair.server_events == []
    again, _ = open_both(pair)
    assert again.state is ChannelState.OPEN


def test_channel_whose_opening_is_malformed_is_closed(pair: Any) -> None:
    channel = pair.client.open("chat", negotiated_id=8)
    pair.client.association.send(8, ProtocolId.DCEP, b"\x03nonsense")
    assert pair.run(lambda: ChannelClosed(channel, "closed by the peer") in pair.client_events, seconds=5)


def test_unknown_payload_protocol_is_ignored(pair: Any) -> None:
    ours, _ = open_both(pair)
    pair.client.association.send(ours.id, 99, b"?")
    ours.send_text("goes on")
    assert pair.run(lambda: bool(of_type(pair.server_events, TextReceived)))


def test_abort_closes_every_channel_at_both_ends_with_a_reason(pair: Any) -> None:
    ours, theirs = open_both(pair)
    pair.client.abort("the call is over")
    assert pair.run(lambda: theirs.state is ChannelState.CLOSED)
    assert ChannelClosed(ours, "the call is over") in pair.client_events
    assert AssociationFailed("aborted by the peer: user initiated abort", by_peer=True) in pair.server_events
    with pytest.raises(LocalError, match="ended"):
        pair.client.open("after the end")


@pytest.mark.parametrize("settings", [{"max_retransmits": 2**32}, {"priority": -1}, {"protocol": "x" * 70_000}])
def test_settings_that_cannot_be_expressed_are_refused(pair: Any, settings: Any) -> None:
    with pytest.raises(LocalError):
        pair.client.open("chat", **settings)


def test_peers_label_that_is_too_long_opens_nothing(pair: Any) -> None:
    label = b"x" * 5000
    message = b"\x03" + bytes(7) + len(label).to_bytes(2, "big") + bytes(2) + label
    pair.client.association.send(0, ProtocolId.DCEP, message)
    pair.run(seconds=1)
    assert opened(pair.server_events) == []


def test_channel_counts_what_it_carried(pair: Any) -> None:
    ours, theirs = open_both(pair)
    ours.send_text("grüezi")
    ours.send_bytes(b"")
    pair.run(lambda: theirs.traffic.messages_received == 2)
    assert ours.traffic == pair.client.traffic == Traffic(messages_sent=2, bytes_sent=7)
    assert theirs.traffic == pair.server.traffic == Traffic(messages_received=2, bytes_received=7)


def test_channel_that_was_opened_and_ended_in_one_breath_is_told_in_order(pair: Any) -> None:
    pair.client.open("brief")
    pair.client.handle_timeout(pair.now)
    packets = pair.client.datagrams_to_send()
    pair.client.abort("gone")
    for packet in packets + pair.client.datagrams_to_send():
        pair.server.handle_datagram(packet, pair.now)
    pair.collect()
    assert [type(event) for event in pair.server_events] == [ChannelOpened, ChannelClosed, AssociationFailed]
    channel = opened(pair.server_events)[0]
    with pytest.raises(LocalError, match="closed"):  # so whoever greets must look at the state first
        channel.send_text("hello")


def test_no_text_of_a_message_stands_in_an_event_that_is_printed(pair: Any) -> None:
    channel = pair.client.open("chat")
    assert "secret" not in repr(TextReceived(channel, "secret"))


def test_lost_acknowledgement_is_replaced_by_data(pair: Any) -> None:
    channel = pair.client.open("chat")
    pair.run(lambda: bool(opened(pair.server_events)))
    opened(pair.server_events)[0].send_text("first")
    assert pair.run(lambda: channel.state is ChannelState.OPEN)


def test_messages_stay_ordered_until_the_peer_knows_the_channel(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(seed=2, impairments=Impairments(delay=0.02, jitter=0.02, loss=0.2))
    pair.connect()
    channel = pair.client.open("unordered", ordered=False)
    pair.run(lambda: channel.state is ChannelState.OPEN, seconds=60)
    assert channel.is_acknowledged
    for number in range(20):
        channel.send_text(str(number))
    assert pair.run(lambda: len(of_type(pair.server_events, TextReceived)) == 20, seconds=60)


def test_whoever_asks_is_told_once_when_the_peer_has_all_that_was_sent(pair: Any) -> None:
    channel, theirs = open_both(pair)
    assert pair.run(lambda: not pair.client.tell_when_acknowledged())
    channel.send_text("last words")
    assert pair.client.tell_when_acknowledged()
    assert pair.run(lambda: EverythingAcknowledged() in pair.client_events)
    assert TextReceived(theirs, "last words") in pair.server_events
    assert not pair.client.tell_when_acknowledged()
    channel.send_text("nobody asks")
    assert pair.run(lambda: TextReceived(theirs, "nobody asks") in pair.server_events)
    theirs.send_text("so it is")  # which acknowledges, too
    assert pair.run(lambda: TextReceived(channel, "so it is") in pair.client_events)
    assert pair.client_events.count(EverythingAcknowledged()) == 1
