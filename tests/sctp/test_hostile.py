"""Bad input: nothing hangs, grows without bound or raises anything but ``Malformed``."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from glottis.contracts.errors import Malformed
from glottis.sctp import (
    AssociationFailed,
    BytesReceived,
    ChannelClosed,
    ChannelOpened,
    ChannelState,
    DataChannel,
    DataChannels,
    SctpLimits,
    State,
    TextReceived,
)
from glottis.sctp.cookies import CookieJar
from glottis.sctp.limits import CHUNK_OVERHEAD
from glottis.testing.impairments import Impairments
from glottis.wire.sctp import (
    FIRST_FRAGMENT,
    WHOLE_MESSAGE,
    ChunkType,
    Parameter,
    encode_chunk,
    encode_data,
    encode_packet,
    encode_parameters,
)
from glottis.wire.sctp_chunks import (
    ForwardTsn,
    OutgoingReset,
    ParameterType,
    ResetResponse,
    ResetResult,
    Sack,
    parse_sack_untrusted,
)
from support.sctp_attacker import Attacker

CORPUS = sorted((Path(__file__).parents[1] / "vectors" / "sctp").iterdir())


def failure(attacker: Attacker) -> str:
    events = attacker.pair.server_host.events()
    return next(event.reason for event in events if isinstance(event, AssociationFailed))


def test_tsns_far_ahead_are_dropped(attacker: Attacker) -> None:
    for ahead in (8192, 100_000, 2**30, 2**31 - 1):
        [(chunk_type, sack)] = attacker.send(attacker.data(ahead))
        assert chunk_type == ChunkType.SACK
        assert parse_sack_untrusted(sack).gap_blocks == ()
    assert attacker.held() == 0


@pytest.mark.slow
def test_scattered_tsns_hold_no_more_than_the_window(attacker: Attacker) -> None:
    for ahead in range(2, 8190, 2):
        attacker.send(attacker.data(ahead, bytes(1000), sequence=ahead))
    assert attacker.held() <= 1024 * 1024 + 1200
    [(_, sack)] = attacker.send(attacker.data(8189))
    assert len(sack) < 1163


def test_fragments_that_never_end_are_aborted(attacker: Attacker) -> None:
    attacker.send(attacker.data(0, bytes(1000), FIRST_FRAGMENT))
    for ahead in range(1, 400):
        attacker.send(attacker.data(ahead, bytes(1000), 0))
    assert attacker.association.state is State.CLOSED
    assert failure(attacker) == "a message is longer than the maximum that was offered"


def test_messages_whose_turn_never_comes_hold_no_more_than_the_window(attacker: Attacker) -> None:
    for number in range(3000):
        attacker.send(attacker.data(number, bytes(1000), sequence=5 + number))
    assert attacker.held() <= 1024 * 1024 + 1200


@pytest.mark.slow
def test_tiny_messages_that_nobody_takes_hold_no_more_than_the_window(attacker: Attacker) -> None:
    for number in range(20_000):
        attacker.association.handle_datagram(
            encode_packet((5000, 5000, attacker.tag), [attacker.data(number, stream=3, sequence=number & 0xFFFF)]), 1.0
        )
        attacker.association.datagrams_to_send()
    assert len(attacker.association._tcb.events) <= 1024 * 1024 // CHUNK_OVERHEAD + 1


def test_fragments_that_contradict_each_other_are_aborted(attacker: Attacker) -> None:
    attacker.send(attacker.data(0, b"x", FIRST_FRAGMENT, stream=0))
    answers = attacker.send(attacker.data(1, b"x", 0, stream=2))
    assert ChunkType.ABORT in dict(answers)
    assert failure(attacker) == "the fragments of a message disagree about their stream"


def test_data_without_user_data_is_aborted(attacker: Attacker) -> None:
    assert ChunkType.ABORT in dict(attacker.send(attacker.data(0, b"")))
    assert failure(attacker) == "the peer sent DATA without user data"


def test_data_on_a_stream_beyond_the_limit_is_reported_and_dropped(attacker: Attacker) -> None:
    answers = dict(attacker.send(attacker.data(0, stream=1024)))
    assert answers[ChunkType.ERROR][:2] == b"\0\1"
    assert attacker.association.state is State.ESTABLISHED
    assert attacker.pair.server_host.events() == []


def test_forward_tsn_cannot_leap(attacker: Attacker) -> None:
    for ahead in (8193, 2**30, 2**31 - 1, -1, -(2**30)):
        chunk = ForwardTsn((attacker.next_tsn + ahead) & 0xFFFFFFFF, ((0, 9),))
        attacker.send(encode_chunk(ChunkType.FORWARD_TSN, chunk.encode()))
    assert attacker.association._inbound.cumulative_tsn & 0xFFFFFFFF == (attacker.next_tsn - 1) & 0xFFFFFFFF


def test_sack_for_what_was_never_sent_is_ignored(attacker: Attacker) -> None:
    last = attacker.association._outbound.last_assigned_tsn
    for sack in (
        Sack((last + 1) & 0xFFFFFFFF, 1000),
        Sack(last & 0xFFFFFFFF, 1000, ((1, 65535),)),
        Sack(last & 0xFFFFFFFF, 1000, ((9, 3), (0, 0), (5, 6), (2, 4))),
    ):
        attacker.send(encode_chunk(ChunkType.SACK, sack.encode()))
    assert attacker.association.state is State.ESTABLISHED


def test_high_bits_of_an_unknown_chunk_decide_what_happens(attacker: Attacker) -> None:
    outcome = {}
    for chunk_type in (0x3F, 0x7F, 0xBF, 0xFF):
        answers = attacker.send(encode_chunk(chunk_type, b"abcd"), encode_chunk(ChunkType.HEARTBEAT, b"\0\1\0\4"))
        kinds = [answer[0] for answer in answers]
        outcome[chunk_type] = (ChunkType.ERROR in kinds, ChunkType.HEARTBEAT_ACK in kinds)
    assert outcome == {0x3F: (False, False), 0x7F: (True, False), 0xBF: (False, True), 0xFF: (True, True)}


def test_packet_full_of_unknown_chunks_is_answered_with_less_than_came(attacker: Attacker) -> None:
    answers = attacker.send(*[encode_chunk(0xFF) for _ in range(280)])
    assert sum(len(value) + 4 for _, value in answers) < 1120


def test_answer_to_a_heartbeat_that_was_never_sent_is_ignored(attacker: Attacker) -> None:
    assert attacker.send(encode_chunk(ChunkType.HEARTBEAT_ACK, b"\0\1\0\x0c" + bytes(8))) == []
    assert attacker.association.state is State.ESTABLISHED


def test_heartbeat_that_fits_no_packet_is_not_echoed(attacker: Attacker) -> None:
    assert attacker.send(encode_chunk(ChunkType.HEARTBEAT, bytes(5000))) == []
    [(chunk_type, value)] = attacker.send(encode_chunk(ChunkType.HEARTBEAT, bytes(1100)))
    assert (chunk_type, value) == (ChunkType.HEARTBEAT_ACK, bytes(1100))


def test_reset_of_all_streams_and_nonsense_resets(attacker: Attacker) -> None:
    def re_config(*parameters: Parameter) -> list[tuple[int, bytes]]:
        return attacker.send(encode_chunk(ChunkType.RE_CONFIG, encode_parameters(parameters)))

    last_tsn = (attacker.next_tsn - 1) & 0xFFFFFFFF
    bad_sequence = OutgoingReset(attacker.reset_sequence + 5 & 0xFFFFFFFF, 0, last_tsn, (0,)).to_parameter()
    [(_, answer)] = re_config(bad_sequence)
    assert answer[-4:] == b"\0\0\0\5"
    early = OutgoingReset(attacker.reset_sequence, 0, last_tsn + 1 & 0xFFFFFFFF, (0,)).to_parameter()
    [(_, answer)] = re_config(early)
    assert answer[-4:] == b"\0\0\0\6"
    everything = OutgoingReset(attacker.reset_sequence + 1 & 0xFFFFFFFF, 0, last_tsn, ()).to_parameter()
    [(_, answer)] = re_config(everything)
    assert answer[-4:] == b"\0\0\0\1"
    assert [(_, answer)] == re_config(everything)
    more_streams = Parameter(
        ParameterType.ADD_OUTGOING_STREAMS, (attacker.reset_sequence + 2 & 0xFFFFFFFF).to_bytes(4, "big") + bytes(4)
    )
    [(_, answer)] = re_config(more_streams)
    assert answer[-4:] == b"\0\0\0\2"


def channel_that_we_close(attacker: Attacker) -> tuple[DataChannel, int]:
    """A channel whose OPEN and close the server has sent, and the sequence number of its request."""
    channel = attacker.engine.open("ours")
    channel.close()
    attacker.engine.handle_timeout(attacker.pair.now)
    attacker.engine.datagrams_to_send()
    acknowledged = Sack(attacker.association._outbound.last_assigned_tsn & 0xFFFFFFFF, 100_000)
    [(_, request)] = attacker.send(encode_chunk(ChunkType.SACK, acknowledged.encode()))
    return channel, int.from_bytes(request[4:8], "big")


def answer_reset(attacker: Attacker, sequence: int, result: ResetResult) -> None:
    response = encode_parameters([ResetResponse(sequence, result).to_parameter()])
    attacker.send(encode_chunk(ChunkType.RE_CONFIG, response))


def test_channel_whose_reset_is_denied_is_closed_and_its_stream_not_used_again(attacker: Attacker) -> None:
    channel, sequence = channel_that_we_close(attacker)
    answer_reset(attacker, sequence, ResetResult.DENIED)
    assert channel.state is ChannelState.CLOSED
    assert attacker.engine.open("next").id == channel.id + 2


def test_peer_that_never_resets_its_own_direction_can_open_the_stream_anew(attacker: Attacker) -> None:
    channel, sequence = channel_that_we_close(attacker)
    answer_reset(attacker, sequence, ResetResult.PERFORMED)
    assert channel.state is ChannelState.CLOSING
    attacker.send(encode_data(WHOLE_MESSAGE, (attacker.next_tsn, channel.id, 0, 50), b"\x03" + bytes(11)))
    opened, closed = ChannelOpened(attacker.engine.table.get(channel.id)), ChannelClosed(channel, "closed by us")
    assert attacker.pair.server_host.events() == [closed, opened]


def test_streams_without_a_channel_hold_no_more_than_the_window_and_not_for_long(attacker: Attacker) -> None:
    for number in range(3000):
        attacker.send(attacker.data(number, bytes(1000), stream=number % 1000, sequence=number // 1000))
    assert 900_000 < attacker.held() <= 1024 * 1024 + 1200
    later = attacker.pair.now + 3
    while (timeout := attacker.engine.next_timeout()) is not None and timeout <= later:  # some streams at a time
        attacker.engine.handle_timeout(later)
        attacker.engine.datagrams_to_send()
    assert attacker.held() == 0
    assert len(attacker.engine.table) == 0


def test_resets_of_a_stream_that_messages_wait_on_hold_no_more_than_the_messages(attacker: Attacker) -> None:
    channel, _ = channel_that_we_close(attacker)
    last_tsn = (attacker.next_tsn - 1) & 0xFFFFFFFF
    for number in range(200):
        if number == 1:
            attacker.send(encode_data(WHOLE_MESSAGE, (attacker.next_tsn, channel.id, 0, 50), b"\x03" + bytes(11)))
        reset = OutgoingReset(attacker.reset_sequence + number & 0xFFFFFFFF, 0, last_tsn, (channel.id,))
        attacker.send(encode_chunk(ChunkType.RE_CONFIG, encode_parameters([reset.to_parameter()])))
    assert len(attacker.engine._early._waiting[channel.id]) == 2


def test_opening_every_stream_is_bounded_by_the_stream_limit(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(limits=SctpLimits(max_streams=8))
    pair.connect()
    pair.run(seconds=1)
    attacker = Attacker(pair)
    for number in range(200):
        attacker.send(encode_data(WHOLE_MESSAGE, (attacker.next_tsn + number, number * 2, 0, 50), b"\x03" + bytes(11)))
    assert len(pair.server.table) == 4


def test_open_followed_by_abort_in_one_packet_is_taken_calmly(attacker: Attacker) -> None:
    dcep = encode_data(WHOLE_MESSAGE, (attacker.next_tsn, 0, 0, 50), b"\x03" + bytes(11))
    attacker.send(dcep, encode_chunk(ChunkType.ABORT))
    assert failure(attacker) == "aborted by the peer: no cause given"
    assert len(attacker.engine.table) == 0


def test_stream_that_is_refused_is_used_only_after_its_reset(attacker: Attacker) -> None:
    nonsense = encode_data(WHOLE_MESSAGE, (attacker.next_tsn, 1, 0, 50), b"\x03")
    answers = attacker.send(nonsense)
    assert ChunkType.RE_CONFIG in dict(answers)
    assert attacker.engine.open("ours").id == 3
    again = encode_data(WHOLE_MESSAGE, (attacker.next_tsn + 1, 1, 1, 50), b"\x03")
    attacker.send(again)
    assert attacker.engine.open("ours too").id == 5


def test_open_while_the_send_buffer_is_full_is_refused(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(limits=SctpLimits(send_buffer=5_000 + CHUNK_OVERHEAD), impairments=Impairments(delay=0.02))
    pair.connect()
    channel = pair.server.open("full")
    pair.run(lambda: channel.state is ChannelState.OPEN)
    pair.run(seconds=1)
    channel.send_bytes(bytes(5_000))
    attacker = Attacker(pair)
    attacker.send(encode_data(WHOLE_MESSAGE, (attacker.next_tsn, 0, 0, 50), b"\x03" + bytes(11)))
    assert len(pair.server.table) == 1


def test_fuzz_open_untrusted() -> None:
    """``CookieJar.open_untrusted`` raises exactly ``Malformed``."""
    jar, rng = CookieJar(random.Random(1)), random.Random(2)
    for size in [0, 1, 80, 100, *(rng.randrange(200) for _ in range(200))]:
        with pytest.raises(Malformed):
            jar.open_untrusted(rng.randbytes(size))


def damaged(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randrange(5)):
        changed[rng.randrange(len(changed))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.getrandbits(8)))
    return bytes(changed)


@pytest.mark.parametrize("seed", range(3))
def test_fuzz_handle_packet_untrusted(make_pair: Callable[..., Any], seed: int) -> None:
    """``handle_packet_untrusted``, and all that it calls for each chunk, raise exactly ``Malformed`` in every state.

    So do ``handle_data_untrusted``, ``handle_init_untrusted``, ``handle_init_ack_untrusted``,
    ``handle_cookie_echo_untrusted`` and ``handle_chunk_untrusted`` (RE-CONFIG); at its outside nothing is raised.
    """
    rng = random.Random(seed)
    for file in CORPUS:
        pair = make_pair(seed=seed)
        pair.connect()
        if seed:
            channel = pair.client.open("fuzzed")
            pair.run(seconds=0.1)
            if seed == 2 and channel.state is ChannelState.OPEN:
                channel.send_text("outstanding")
                pair.server.shutdown(pair.now)
        engine, seeds = pair.server, [file.read_bytes(), *pair.client_host.sent]
        attack(engine, pair, seeds, rng)
        assert engine.association._inbound._held() < 2 * 1024 * 1024


def attack(engine: DataChannels, pair: Any, seeds: list[bytes], rng: random.Random) -> None:
    tag = engine.association._tcb.local_tag.to_bytes(4, "big")
    ports = (5000).to_bytes(2, "big") * 2
    for number in range(40):
        data = damaged(rng.choice(seeds), rng)
        if number % 4:  # past the gates of ports, tag and checksum
            data = ports + (tag if number % 3 else bytes(4)) + bytes(4) + data[12:]
        engine.handle_datagram(data, pair.now)
        assert all(len(packet) <= 1163 for packet in engine.datagrams_to_send())
        while engine.next_event() is not None:
            pass


def test_fuzzed_association_goes_on_with_honest_packets(pair: Any) -> None:
    channel = pair.client.open("honest")
    pair.run(lambda: channel.state is ChannelState.OPEN)
    rng = random.Random(5)
    for file in CORPUS:
        for _ in range(5):
            pair.server.handle_datagram(damaged(file.read_bytes(), rng), pair.now)  # with no valid tag
    channel.send_text("still here")
    assert pair.run(lambda: any(isinstance(event, TextReceived) for event in pair.server_events))
    assert not any(isinstance(event, BytesReceived) for event in pair.server_events)
    assert pair.server.association.malformed_packets > 100
