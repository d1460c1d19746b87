import random
from collections.abc import Callable
from typing import Any

import pytest
from glottis.sctp import AssociationEstablished, AssociationFailed, SctpAssociation, SctpLimits, State
from glottis.testing.impairments import Impairments
from glottis.wire.sctp import (
    ChunkType,
    Parameter,
    encode_chunk,
    encode_packet,
    parse_packet_untrusted,
    parse_parameters_untrusted,
)
from glottis.wire.sctp_chunks import DTLS_ERROR_DETECTION, Cause, Init, ParameterType, parse_init_untrusted

PION_INIT = bytes.fromhex(
    "1388138800000000180a8ffd0100001af0d64e4b00100000ffffffff5645d4948008000682c00000"  # 3.2.19
)


def association(seed: int = 0, **settings: Any) -> SctpAssociation:
    return SctpAssociation(rng=random.Random(seed), **settings)


def init(tag: int = 7, window: int = 100_000, streams: int = 10, *parameters: Parameter) -> bytes:
    value = Init(tag, window, streams, streams, 1000, parameters).encode()
    return encode_packet((5000, 5000, 0), [encode_chunk(ChunkType.INIT, value)])


def chunks(packet: bytes) -> list[tuple[int, bytes]]:
    _, spans = parse_packet_untrusted(packet, zero_checksum_accepted=True)
    return [(chunk_type, packet[start:end]) for chunk_type, _, start, end in spans]


def only_chunk(packets: list[bytes]) -> tuple[int, bytes]:
    [packet] = packets
    [chunk] = chunks(packet)
    return chunk


def answer(engine: SctpAssociation, packet: bytes, now: float = 0.0) -> list[bytes]:
    engine.handle_datagram(packet, now)
    return engine.datagrams_to_send()


def parameter_types(packets: list[bytes]) -> set[int]:
    """Those of an INIT or INIT ACK, but for the cookie."""
    _, value = only_chunk(packets)
    return {parameter.type for parameter in parse_init_untrusted(value).parameters} - {ParameterType.STATE_COOKIE}


def cookie_echo_for(packets: list[bytes]) -> bytes:
    _, value = only_chunk(packets)
    ack = parse_init_untrusted(value)
    cookie = next(parameter.value for parameter in ack.parameters if parameter.type == ParameterType.STATE_COOKIE)
    return encode_packet((5000, 5000, ack.initiate_tag), [encode_chunk(ChunkType.COOKIE_ECHO, cookie)])


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_association_comes_up_whoever_connects(make_pair: Callable[..., Any], both: bool, loss: float) -> None:
    for seed in range(10):
        pair = make_pair(seed=seed, impairments=Impairments(delay=0.03, loss=loss, jitter=0.01, duplication=0.1))
        pair.client.connect(pair.now)
        if both:
            pair.server.connect(pair.now)
        up = lambda: pair.client.association.state is pair.server.association.state is State.ESTABLISHED  # noqa: B023, E731
        assert pair.run(up, seconds=60)
        assert pair.client_events == pair.server_events == [AssociationEstablished(1024)]


def test_two_round_trips_are_enough(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(impairments=Impairments(delay=0.1))
    pair.connect()
    pair.run(lambda: bool(pair.client_events and pair.server_events))
    assert pair.now == pytest.approx(0.4, abs=0.11)


def test_init_flood_leaves_no_state() -> None:
    engine = association()
    for tag in range(1, 500):
        [packet] = answer(engine, init(tag))
        assert len(packet) < 300
    assert engine.state is State.CLOSED
    assert engine.next_event() is None


def test_cookie_echo_brings_the_association_up_and_repeated_ones_are_acknowledged() -> None:
    engine = association()
    echo = cookie_echo_for(answer(engine, init()))
    assert only_chunk(answer(engine, echo, 1.0))[0] == ChunkType.COOKIE_ACK
    assert engine.state is State.ESTABLISHED
    assert only_chunk(answer(engine, echo, 2.0))[0] == ChunkType.COOKIE_ACK
    assert engine.next_event() == AssociationEstablished(10)
    assert engine.next_event() is None


def test_forged_cookie_is_ignored() -> None:
    engine = association()
    echo = cookie_echo_for(answer(engine, init()))
    header, [(_, _, start, end)] = parse_packet_untrusted(echo)
    for position in range(0, end - start, 7):
        forged = bytearray(echo[start:end])
        forged[position] ^= 1
        assert answer(engine, encode_packet(header, [encode_chunk(ChunkType.COOKIE_ECHO, bytes(forged))])) == []
    assert engine.state is State.CLOSED


def test_cookie_of_another_endpoint_is_ignored() -> None:
    echo = cookie_echo_for(answer(association(1), init()))
    assert answer(association(2), echo) == []


def test_old_cookie_is_answered_with_stale_cookie() -> None:
    engine = association()
    echo = cookie_echo_for(answer(engine, init()))
    chunk_type, value = only_chunk(answer(engine, echo, 61.0))
    assert chunk_type == ChunkType.ERROR
    [cause] = parse_parameters_untrusted(value)
    assert (cause.type, int.from_bytes(cause.value, "big")) == (Cause.STALE_COOKIE, 1_000_000)
    assert engine.state is State.CLOSED


def test_peer_whose_cookie_was_stale_begins_again() -> None:
    client, server = association(1), association(2)
    client.connect(0.0)
    echo = answer(client, answer(server, client.datagrams_to_send()[0])[0])[0]
    stale = answer(server, echo, 100.0)[0]
    again = answer(client, stale, 100.0)
    assert only_chunk(again)[0] == ChunkType.INIT
    answer(client, answer(server, answer(client, answer(server, again[0], 100.1)[0], 100.1)[0], 100.2)[0], 100.2)
    assert client.state is server.state is State.ESTABLISHED


@pytest.mark.parametrize(
    "packet", [init(tag=0), init(window=1499), init(streams=0)], ids=["zero tag", "small window", "no streams"]
)
def test_impossible_init_is_ignored(packet: bytes) -> None:
    assert answer(association(), packet) == []


def test_init_beside_another_chunk_is_ignored() -> None:
    chunk = encode_chunk(ChunkType.INIT, Init(7, 100_000, 1, 1, 1).encode())
    assert answer(association(), encode_packet((5000, 5000, 0), [chunk, encode_chunk(ChunkType.COOKIE_ACK)])) == []


def test_huge_numbers_of_streams_are_cut_to_our_limit() -> None:
    engine = association(limits=SctpLimits(max_streams=16))
    answer(engine, cookie_echo_for(answer(engine, init(7, 100_000, 65535))))
    assert engine.next_event() == AssociationEstablished(16)


def test_high_bits_of_an_unknown_parameter_decide_what_happens() -> None:
    supported = Parameter(ParameterType.FORWARD_TSN_SUPPORTED, b"")
    reported = {}
    for parameter_type in (0x3F00, 0x7F00, 0xBF00, 0xFF00):
        packet = init(7, 100_000, 1, Parameter(parameter_type, b"abc"), supported)
        ack = parse_init_untrusted(only_chunk(answer(association(), packet))[1])
        reported[parameter_type] = any(p.type == ParameterType.UNRECOGNIZED_PARAMETER for p in ack.parameters)
    assert reported == {0x3F00: False, 0x7F00: True, 0xBF00: False, 0xFF00: True}


def test_parameters_behind_addresses_are_still_read() -> None:
    addresses = [Parameter(5, bytes(4)), Parameter(ParameterType.SUPPORTED_ADDRESS_TYPES, bytes(4))]
    engine = association()
    packet = init(7, 100_000, 1, *addresses, Parameter(ParameterType.FORWARD_TSN_SUPPORTED, b""))
    answer(engine, cookie_echo_for(answer(engine, packet)))
    assert engine._tcb.peer is not None
    assert engine._tcb.peer.forward_tsn


def test_many_unknown_parameters_do_not_swell_the_answer() -> None:
    unknown = [Parameter(0xFF00 + number, bytes(20)) for number in range(40)]
    [packet] = answer(association(), init(7, 100_000, 1, *unknown))
    assert len(packet) <= 1163


def test_init_ack_without_a_cookie_is_aborted() -> None:
    engine = association()
    engine.connect(0.0)
    engine.datagrams_to_send()
    local_tag = engine._tcb.local_tag
    ack = encode_chunk(ChunkType.INIT_ACK, Init(7, 100_000, 1, 1, 1).encode())
    [abort] = answer(engine, encode_packet((5000, 5000, local_tag), [ack]))
    assert chunks(abort)[0][0] == ChunkType.ABORT
    assert engine.next_event() == AssociationFailed("the peer's INIT ACK has no cookie")


def test_cookie_that_fits_no_packet_is_aborted() -> None:
    engine = association()
    engine.connect(0.0)
    engine.datagrams_to_send()
    local_tag = engine._tcb.local_tag
    cookie = Parameter(ParameterType.STATE_COOKIE, bytes(1300))
    ack = encode_chunk(ChunkType.INIT_ACK, Init(7, 100_000, 1, 1, 1, (cookie,)).encode())
    [abort] = answer(engine, encode_packet((5000, 5000, local_tag), [ack]))
    assert chunks(abort)[0][0] == ChunkType.ABORT


def test_init_is_repeated_with_back_off_until_given_up() -> None:
    engine = association(limits=SctpLimits(max_init_retransmits=4))
    engine.connect(0.0)
    moments = [0.0 for _ in engine.datagrams_to_send()]
    while (timeout := engine.next_timeout()) is not None:
        engine.handle_timeout(timeout)
        moments += [timeout for _ in engine.datagrams_to_send()]
    assert moments == [0.0, 1.0, 3.0, 6.0, 9.0]
    assert engine.next_event() == AssociationFailed("the peer did not answer the handshake")


def test_restart_of_the_peer_ends_the_association(make_pair: Callable[..., Any]) -> None:
    pair = make_pair()
    pair.connect()
    pair.run(lambda: bool(pair.client_events and pair.server_events))
    server = pair.server.association
    restarted = association(99)
    restarted.connect(1.0)
    echo = answer(restarted, answer(server, restarted.datagrams_to_send()[0], 1.0)[0], 1.0)[0]
    abort = answer(server, echo, 1.0)[0]
    answer(restarted, abort, 1.0)
    assert server.next_event() == AssociationFailed("the peer restarted the association")
    assert restarted.next_event() == AssociationFailed("aborted by the peer: user initiated abort", by_peer=True)


def test_zero_checksum_is_used_only_if_both_offer_it(make_pair: Callable[..., Any]) -> None:
    for offered in (True, False):
        pair = make_pair(zero_checksum=offered)
        pair.connect()
        channel = pair.client.open("x")
        pair.run(lambda: channel.state.value == "open")  # noqa: B023
        zeros = [packet[8:12] == b"\0\0\0\0" for packet in pair.client_host.sent]
        assert zeros[0] is False
        assert zeros[-1] is offered


ZERO_CHECKSUM = Parameter(ParameterType.ZERO_CHECKSUM_ACCEPTABLE, DTLS_ERROR_DETECTION)
EXTENSIONS = {ParameterType.FORWARD_TSN_SUPPORTED, ParameterType.SUPPORTED_EXTENSIONS}


def test_init_ack_offers_zero_checksum_only_to_who_offers_it() -> None:
    assert parameter_types(answer(association(), PION_INIT)) == EXTENSIONS
    assert parameter_types(answer(association(), init(7, 100_000, 1, ZERO_CHECKSUM))) == EXTENSIONS | {0x8001}
    shy = association(zero_checksum=False)
    assert parameter_types(answer(shy, init(7, 100_000, 1, ZERO_CHECKSUM))) == EXTENSIONS


def repeated_init(engine: SctpAssociation) -> list[bytes]:
    """What T1 sends."""
    timeout = engine.next_timeout()
    assert timeout is not None
    engine.handle_timeout(timeout)
    return engine.datagrams_to_send()


def test_repeated_init_goes_without_what_the_peer_may_not_know() -> None:
    engine = association()
    engine.connect(0.0)
    assert parameter_types(engine.datagrams_to_send()) == EXTENSIONS | {0x8001}
    assert [parameter_types(repeated_init(engine)) for _ in range(3)] == [set(), set(), set()]


def test_repeated_init_offers_again_what_the_peer_offers_too() -> None:
    engine = association()
    engine.connect(0.0)
    answer(engine, PION_INIT)
    assert parameter_types(repeated_init(engine)) == {ParameterType.SUPPORTED_EXTENSIONS}
    answer(engine, init(7, 100_000, 1, ZERO_CHECKSUM))
    assert parameter_types(repeated_init(engine)) == {ParameterType.SUPPORTED_EXTENSIONS, 0x8001}


def init_ack(engine: SctpAssociation, *parameters: Parameter) -> bytes:
    cookie = Parameter(ParameterType.STATE_COOKIE, b"cookie")
    value = Init(7, 100_000, 10, 10, 1000, (cookie, *parameters)).encode()
    return encode_packet((5000, 5000, engine._tcb.local_tag), [encode_chunk(ChunkType.INIT_ACK, value)])


def test_peer_without_any_extension_is_reached_by_the_repeated_init() -> None:
    engine = association()
    engine.connect(0.0)
    repeated_init(engine)
    assert only_chunk(answer(engine, init_ack(engine), 1.1)) == (ChunkType.COOKIE_ECHO, b"cookie")
    answer(engine, encode_packet((5000, 5000, engine._tcb.local_tag), [encode_chunk(ChunkType.COOKIE_ACK)]), 1.2)
    assert engine.state is State.ESTABLISHED


def test_init_goes_again_when_the_answer_to_a_bare_one_shows_what_the_peer_knows() -> None:
    engine = association()
    engine.connect(0.0)
    repeated_init(engine)
    ack = init_ack(engine, Parameter(ParameterType.SUPPORTED_EXTENSIONS, b"\x82\xc0"))
    assert parameter_types(answer(engine, ack, 1.1)) == {ParameterType.SUPPORTED_EXTENSIONS}
    assert only_chunk(answer(engine, ack, 1.2))[0] == ChunkType.COOKIE_ECHO


def test_init_lost_on_the_way_costs_no_extension(make_pair: Callable[..., Any]) -> None:
    for seed in range(20):
        pair = make_pair(seed=seed, impairments=Impairments(delay=0.02, loss=0.3))
        pair.client.connect(0.0)
        ends = [pair.client.association, pair.server.association]
        assert pair.run(lambda: all(end.state is State.ESTABLISHED for end in ends))  # noqa: B023
        assert all(end._tcb.peer.re_config and end._tcb.peer.forward_tsn for end in ends)


@pytest.mark.parametrize(("connecting", "within"), [("both", 0.1), ("pion", 0.1), ("gateway", 1.2)])
def test_peer_that_drops_what_it_does_not_know_is_up_with_the_first_repetition(
    old_pion: Any, connecting: str, within: float
) -> None:
    if connecting != "gateway":
        old_pion.client.connect(0.0)
    if connecting != "pion":
        old_pion.server.connect(0.0)
    channel = old_pion.client.open("chat")
    assert old_pion.run(lambda: old_pion.server.association.state is State.ESTABLISHED)
    assert old_pion.now < within
    assert old_pion.run(lambda: channel.state.value == "open", seconds=0.1)


def test_report_of_unknown_parameters_goes_once_beside_the_cookie() -> None:
    engine = association()
    engine.connect(0.0)
    engine.datagrams_to_send()
    [packet] = answer(engine, init_ack(engine, Parameter(0xFF00, b"?")))
    assert [chunk_type for chunk_type, _ in chunks(packet)] == [ChunkType.COOKIE_ECHO, ChunkType.ERROR]
    assert only_chunk(repeated_init(engine)) == (ChunkType.COOKIE_ECHO, b"cookie")


def test_list_of_extensions_announces_forward_tsn_too() -> None:
    engine = association()
    answer(engine, cookie_echo_for(answer(engine, PION_INIT)))
    assert engine._tcb.peer is not None
    assert engine._tcb.peer.forward_tsn
    assert engine._tcb.peer.re_config


def test_peer_that_drops_packets_without_a_checksum_gets_them_with_one(pair: Any) -> None:
    def is_refused(packet: bytes) -> bool:
        return packet[8:12] == b"\0\0\0\0"

    pair.client_host.drop = is_refused
    channel = pair.client.open("chat")
    pair.client.handle_timeout(pair.now)
    assert is_refused(pair.client.datagrams_to_send()[0])
    assert pair.run(lambda: channel.state.value == "open", seconds=2)
    assert not is_refused(pair.client_host.sent[-1])


def test_packets_for_other_ports_or_with_a_foreign_tag_are_ignored(pair: Any) -> None:
    engine = pair.server.association
    abort = encode_chunk(ChunkType.ABORT)
    good_tag = parse_packet_untrusted(pair.client_host.sent[-1], zero_checksum_accepted=True)[0][2]
    for header in [(5000, 5000, good_tag ^ 1), (5001, 5000, good_tag), (5000, 5001, good_tag), (5000, 5000, 0)]:
        assert answer(engine, encode_packet(header, [abort]), pair.now) == []
    assert engine.state is State.ESTABLISHED
    answer(engine, encode_packet((5000, 5000, good_tag), [abort]), pair.now)
    assert engine.state is State.CLOSED


def test_packet_out_of_the_blue_is_answered_with_abort_but_abort_is_not() -> None:
    engine = association()
    data = encode_packet((5000, 5000, 77), [encode_chunk(ChunkType.HEARTBEAT, b"\0\1\0\4")])
    [packet] = answer(engine, data)
    assert parse_packet_untrusted(packet)[0] == (5000, 5000, 77)
    assert chunks(packet)[0][0] == ChunkType.ABORT
    assert answer(engine, packet) == []


def test_who_connects_twice_sends_one_init() -> None:
    client = association()
    client.connect(0.0)
    assert only_chunk(client.datagrams_to_send())[0] == ChunkType.INIT
    client.connect(0.0)
    assert client.datagrams_to_send() == []
