from collections.abc import Callable
from typing import Any

import pytest
from glottis.sctp import AssociationClosed, AssociationFailed, ChannelState, SctpLimits, State, TextReceived
from glottis.sctp.timers import RetransmissionTimeout, Timer, Timers
from glottis.testing.impairments import Impairments
from glottis.wire.sctp import ChunkType, parse_packet_untrusted


def chunk_types(packet: bytes) -> list[int]:
    _, spans = parse_packet_untrusted(packet, zero_checksum_accepted=True)
    return [span[0] for span in spans]


def has(chunk_type: ChunkType) -> Callable[[bytes], bool]:
    return lambda packet: chunk_type in chunk_types(packet)


def open_channel(pair: Any) -> Any:
    channel = pair.client.open("chat")
    assert pair.run(lambda: channel.state is ChannelState.OPEN)
    pair.run(seconds=1.0)
    return channel


def test_due_timers_are_taken_once_and_in_order() -> None:
    timers = Timers()
    timers.start(Timer.HEARTBEAT, 1.0)
    timers.start(Timer.T3_RTX, 2.0)
    timers.start(Timer.RE_CONFIG, 5.0)
    assert timers.next_deadline() == 1.0
    assert timers.take_due(2.0) == [Timer.T3_RTX, Timer.HEARTBEAT]
    assert timers.take_due(2.0) == []
    assert timers.next_deadline() == 5.0


def test_retransmission_timeout_follows_the_round_trips() -> None:
    rto = RetransmissionTimeout(SctpLimits())
    assert rto.seconds == 1.0
    rto.measure(0.2)
    assert rto.seconds == pytest.approx(0.2 + 4 * 0.1)
    for _ in range(50):
        rto.measure(0.2)
    assert rto.seconds == 0.4
    rto.back_off()
    rto.back_off()
    assert rto.seconds == 1.6
    rto.back_off()
    assert rto.seconds == 3.0
    rto.forget_back_off()
    assert rto.seconds == 0.4


def test_what_is_queued_wakes_its_owner_once_and_leaves_with_the_next_drain(pair: Any) -> None:
    channel = open_channel(pair)
    channel.send_text("now")
    assert pair.client.next_timeout() <= pair.now
    pair.client.handle_timeout(pair.now)
    assert pair.client.next_timeout() > pair.now
    [packet] = pair.client.datagrams_to_send()
    assert chunk_types(packet) == [ChunkType.DATA]


def test_channel_opened_before_dtls_is_up_wakes_its_owner_once(make_pair: Callable[..., Any]) -> None:
    pair = make_pair()
    pair.client.open("early")
    assert pair.client.next_timeout() == 0.0
    pair.client.handle_timeout(5.0)
    assert pair.client.next_timeout() is None


def test_lost_message_is_sent_again_after_the_retransmission_timeout(pair: Any) -> None:
    channel = open_channel(pair)
    pair.client_host.drop = has(ChunkType.DATA)
    sent_at = pair.now
    channel.send_text("lost")
    pair.run(seconds=0.3)
    pair.client_host.drop = lambda packet: False
    assert pair.run(lambda: TextReceived(pair.server_events[0].channel, "lost") in pair.server_events)
    assert pair.now - sent_at == pytest.approx(0.4 + 0.02, abs=0.01)


def time_of_acknowledgement(pair: Any, message: bytes) -> float:
    """Seconds after the client has sent it."""
    channel = open_channel(pair)
    before = len(pair.server_host.sent)
    sent_at = pair.now
    channel.send_bytes(message)
    assert pair.run(lambda: len(pair.server_host.sent) > before)
    return float(pair.now - sent_at)


def test_single_message_is_acknowledged_after_200_ms(patient: Any) -> None:
    assert time_of_acknowledgement(patient, b"hello") == pytest.approx(0.22, abs=0.001)


def test_second_packet_is_acknowledged_at_once(patient: Any) -> None:
    assert time_of_acknowledgement(patient, bytes(2000)) == pytest.approx(0.02, abs=0.001)


def test_after_the_last_message_an_acknowledgement_is_asked_for_at_once(pair: Any) -> None:
    """A peer that holds it back and replaces its transport meanwhile would get the message twice."""
    assert time_of_acknowledgement(pair, b"hello") == pytest.approx(0.02, abs=0.001)


def test_acknowledgement_rides_on_an_answer(patient: Any) -> None:
    pair = patient
    channel = open_channel(pair)
    channel.send_text("question")
    pair.run(lambda: any(isinstance(event, TextReceived) for event in pair.server_events))
    next(event for event in pair.server_events if isinstance(event, TextReceived)).channel.send_text("answer")
    pair.run(lambda: any(isinstance(event, TextReceived) for event in pair.client_events))
    assert chunk_types(pair.server_host.sent[-1]) == [ChunkType.SACK, ChunkType.DATA]


def test_lost_packet_is_sent_again_by_fast_retransmission(pair: Any) -> None:
    channel = open_channel(pair)
    lost = [False]

    def drop_first_data(packet: bytes) -> bool:
        if lost[0] or ChunkType.DATA not in chunk_types(packet):
            return False
        lost[0] = True
        return True

    pair.client_host.drop = drop_first_data
    sent_at = pair.now
    channel.send_bytes(bytes(8_000))
    assert pair.run(lambda: bool(pair.server_events) and type(pair.server_events[-1]).__name__ == "BytesReceived")
    assert lost[0]
    assert pair.now - sent_at < 0.25  # T3-rtx would have needed more than 0.4 s


def test_idle_association_is_probed_by_heartbeats(pair: Any) -> None:
    before = len(pair.client_host.sent)
    pair.run(seconds=100)
    heartbeats = [p for p in pair.client_host.sent[before:] if chunk_types(p) == [ChunkType.HEARTBEAT]]
    assert 2 <= len(heartbeats) <= 4
    assert pair.client.association.state is State.ESTABLISHED


def test_vanished_peer_is_found_by_heartbeats(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(limits=SctpLimits(association_max_retrans=5))
    pair.connect()
    pair.run(seconds=1)
    pair.server_host.drop = lambda packet: True
    assert pair.run(lambda: AssociationFailed("the peer stopped answering") in pair.client_events, seconds=100)
    assert pair.client.next_timeout() is None


def test_vanished_peer_is_found_by_retransmissions(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(limits=SctpLimits(association_max_retrans=5))
    pair.connect()
    channel = open_channel(pair)
    pair.server_host.drop = lambda packet: True
    channel.send_text("anybody?")
    started_at = pair.now
    assert pair.run(lambda: AssociationFailed("the peer stopped answering") in pair.client_events, seconds=100)
    assert pair.now - started_at < 20
    assert channel.state is ChannelState.CLOSED


def test_reset_request_is_repeated_until_answered(pair: Any) -> None:
    channel = open_channel(pair)
    pair.client_host.drop = has(ChunkType.RE_CONFIG)
    channel.close()
    pair.run(seconds=3)
    assert channel.state is ChannelState.CLOSING
    pair.client_host.drop = lambda packet: False
    assert pair.run(lambda: channel.state is ChannelState.CLOSED, seconds=5)


def test_orderly_shutdown_delivers_what_was_queued(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(seed=4, impairments=Impairments(delay=0.02, loss=0.2))
    pair.connect()
    channel = pair.client.open("chat")
    pair.run(lambda: channel.state is ChannelState.OPEN)
    for number in range(50):
        channel.send_text(f"{number}" * 200)
    pair.client.shutdown(pair.now)
    ended = lambda: AssociationClosed("shut down") in pair.client_events  # noqa: E731
    assert pair.run(ended, seconds=200)
    assert sum(isinstance(event, TextReceived) for event in pair.server_events) == 50
    pair.run(seconds=20)
    assert pair.server.association.state is State.CLOSED


def test_what_the_peer_sends_while_we_shut_down_still_arrives(pair: Any) -> None:
    channel = open_channel(pair)
    theirs = pair.server_events[0].channel
    pair.client.shutdown(pair.now)
    theirs.send_text("one moment")
    assert pair.run(lambda: TextReceived(channel, "one moment") in pair.client_events, seconds=5)
    assert pair.run(lambda: pair.server.association.state is State.CLOSED, seconds=5)


def test_data_that_comes_before_the_handshake_is_done_is_not_acknowledged_but_sent_again(
    make_pair: Callable[..., Any],
) -> None:
    pair = make_pair(impairments=Impairments(delay=0.02))
    theirs = pair.server.open("theirs")
    pair.server_host.drop = has(ChunkType.COOKIE_ACK)
    pair.client.connect(pair.now)
    pair.run(seconds=2.5)
    assert any(chunk_types(packet) == [ChunkType.DATA] for packet in pair.server_host.sent)
    assert (pair.client.association.state, theirs.state) == (State.COOKIE_ECHOED, ChannelState.CONNECTING)
    pair.server_host.drop = lambda packet: False
    assert pair.run(lambda: theirs.state is ChannelState.OPEN, seconds=5)


@pytest.mark.parametrize("lost", [ChunkType.SHUTDOWN, ChunkType.SHUTDOWN_ACK, ChunkType.SHUTDOWN_COMPLETE])
def test_each_step_of_a_shutdown_survives_a_loss(pair: Any, lost: ChunkType) -> None:
    dropped: list[bytes] = []

    def drop_once(packet: bytes) -> bool:
        if dropped or lost not in chunk_types(packet):
            return False
        dropped.append(packet)
        return True

    pair.client_host.drop = pair.server_host.drop = drop_once
    pair.client.shutdown(pair.now)
    both_closed = lambda: pair.client.association.state is pair.server.association.state is State.CLOSED  # noqa: E731
    assert pair.run(both_closed, seconds=5)
    assert dropped


def test_shutting_down_twice_is_shutting_down(pair: Any) -> None:
    pair.client.shutdown(pair.now)
    pair.client.shutdown(pair.now)
    assert pair.run(lambda: AssociationClosed("shut down") in pair.client_events, seconds=5)
    pair.client.shutdown(pair.now)
    pair.run(seconds=1)
    assert pair.client_events.count(AssociationClosed("shut down")) == 1


def test_both_ends_shut_down_at_once(pair: Any) -> None:
    pair.client.shutdown(pair.now)
    pair.server.shutdown(pair.now)
    both_closed = lambda: pair.client.association.state is pair.server.association.state is State.CLOSED  # noqa: E731
    assert pair.run(both_closed, seconds=5)


def test_shutdown_that_takes_too_long_is_aborted(pair: Any) -> None:
    open_channel(pair).send_text("never acknowledged")
    pair.server_host.drop = lambda packet: True
    pair.client.shutdown(pair.now)
    assert pair.run(lambda: AssociationFailed("the shutdown took too long") in pair.client_events, seconds=16)


def test_shutdown_before_the_association_is_up_just_closes(make_pair: Callable[..., Any]) -> None:
    pair = make_pair()
    pair.client.connect(0.0)
    pair.client.shutdown(0.0)
    pair.collect()
    assert pair.client_events == [AssociationClosed("closed before the association was established")]
