"""What a stranger can do who forges the peer's address: delay a handshake a little, never end it."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from glottis.dtls import HANDSHAKE_TIMEOUT, ApplicationData, Certificate, DtlsState, DtlsTransport
from glottis.testing.impairments import Impairments
from support.seeds import seeds

MakePair = Callable[..., Any]
CORPUS = sorted((Path(__file__).parents[1] / "vectors/dtls").glob("*.bin"))


def client_hello() -> bytes:
    stranger = DtlsTransport(certificate=Certificate.generate(), client=True)
    stranger.start(0.0)
    return stranger.datagrams_to_send()[0]


def record(content_type: int, fragment: bytes, *, epoch: int = 0, number: int = 7) -> bytes:
    header = bytes([content_type, 0xFE, 0xFD]) + epoch.to_bytes(2) + number.to_bytes(6)
    return header + len(fragment).to_bytes(2) + fragment


def handshake(message_type: int, message_seq: int, body: bytes, *, number: int = 7) -> bytes:
    length = len(body).to_bytes(3)
    fragment = bytes([message_type]) + length + message_seq.to_bytes(2) + bytes(3) + length + body
    return record(22, fragment, number=number)


def noise(seed: int) -> list[bytes]:
    """Records with sound headers and nonsense inside, and some with nonsense all over."""
    rng = random.Random(seed)
    sound = [
        record(
            rng.randrange(20, 24),
            rng.randbytes(rng.randrange(80)),
            epoch=rng.randrange(3),
            number=rng.choice((rng.randrange(9), 2**48 - 1)),
        )
        for _ in range(30)
    ]
    return sound + [rng.randbytes(rng.randrange(100)) for _ in range(10)]


FATAL_ALERT = record(21, b"\x02\x28")
CLOSE_NOTIFY = record(21, b"\x01\x00")
EARLY_CHANGE = record(20, b"\x01", number=2**40)
ATTACKS = {
    "hello": [client_hello()],
    "alert": [FATAL_ALERT],
    "close": [CLOSE_NOTIFY],
    "change": [EARLY_CHANGE],
    "noise": noise(0),
    "all": [client_hello(), FATAL_ALERT, CLOSE_NOTIFY, EARLY_CHANGE, *noise(1), client_hello()],
    "corpus": [path.read_bytes() for path in CORPUS],
}


@pytest.mark.parametrize("victims", ["client", "server", "both"])
@pytest.mark.parametrize("delivered", range(5))
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_stranger_cannot_end_a_handshake_at_any_moment(
    make_pair: MakePair, attack: str, delivered: int, victims: str
) -> None:
    pair = make_pair(impairments=Impairments(delay=0.01))
    pair.start()
    pair.network.run(lambda: len(pair.network.delivered) >= delivered, seconds=1.0)
    for host in pair.hosts if victims == "both" else [getattr(pair, victims)]:
        for data in ATTACKS[attack]:
            pair.forge(data, host)
    assert pair.network.run(pair.both_connected, seconds=5.0)
    pair.client.transport.send(b"still here")
    pair.network.run(seconds=0.1)
    assert pair.server.events[-1] == ApplicationData(b"still here")


@pytest.mark.parametrize("seed", seeds(30))
def test_a_stranger_who_goes_on_for_two_seconds_only_delays(make_pair: MakePair, seed: int) -> None:
    pair = make_pair(seed=seed, impairments=Impairments(delay=0.02, jitter=0.02, loss=0.1))
    rng = random.Random(seed)
    pair.start()
    while pair.network.now < 2.0:
        pair.forge(rng.choice(ATTACKS["all"]), rng.choice(pair.hosts))
        pair.network.run(seconds=rng.uniform(0.0, 0.2))
    assert pair.network.run(pair.both_connected, seconds=HANDSHAKE_TIMEOUT)


def forgery(rng: random.Random) -> bytes:
    """Handshake messages that pass every check which can be made without keys, among other things."""
    message = handshake(
        rng.choice([1, 2, 3, 11, 12, 13, 14, 15, 16, 20]),
        rng.randrange(6),
        rng.randbytes(rng.choice([0, 2, 40, 100])),
        number=rng.choice([3, 2**47]),
    )
    finished = record(22, rng.randbytes(40), epoch=1, number=rng.randrange(3))
    return rng.choice([message, FATAL_ALERT, finished, rng.choice(ATTACKS["all"])])


@pytest.mark.parametrize("seed", seeds(100))
def test_forged_messages_cost_fresh_attempts_and_no_more(make_pair: MakePair, seed: int) -> None:
    rng = random.Random(seed)
    loss = rng.choice([0.0, 0.1, 0.3])
    pair = make_pair(seed=seed, impairments=Impairments(loss=loss, delay=0.02, jitter=0.02, duplication=0.1))
    pair.start()
    pair.network.run(seconds=rng.uniform(0.0, 0.12))
    for _ in range(rng.randrange(1, 6)):
        pair.forge(forgery(rng), rng.choice(pair.hosts))
        pair.network.run(seconds=rng.uniform(0.0, 0.05))
    assert pair.network.run(pair.both_connected, seconds=HANDSHAKE_TIMEOUT)


@pytest.mark.parametrize("message_seq", [4, 5])
def test_a_message_forged_ahead_does_not_break_the_association_later(make_pair: MakePair, message_seq: int) -> None:
    pair = make_pair(impairments=Impairments(delay=0.01))
    pair.start()
    pair.network.run(lambda: pair.client.received > 0)
    for victim, message_type in ((pair.client, 14), (pair.server, 15)):
        pair.forge(handshake(message_type, message_seq, b""), victim)
    assert pair.network.run(pair.both_connected, seconds=1.0)
    pair.client.transport.send(b"hello")
    pair.network.run(seconds=1.0)
    assert pair.server.events[1:] == [ApplicationData(b"hello")]


def test_a_record_numbered_far_ahead_does_not_make_the_others_too_old(make_pair: MakePair) -> None:
    pair = make_pair(impairments=Impairments(delay=0.01))
    pair.start()
    pair.network.run(lambda: pair.client.received > 0)
    pair.forge(handshake(11, 9, bytes(40), number=2**48 - 1), pair.server)
    assert pair.network.run(pair.both_connected, seconds=0.1)


def test_junk_after_the_handshake_does_no_harm(make_pair: MakePair) -> None:
    pair = make_pair()
    pair.connect()
    pair.network.run(seconds=5)
    for host in pair.hosts:
        for data in [data for seed in range(100) for data in noise(seed)] + ATTACKS["all"] + ATTACKS["corpus"]:
            pair.forge(data, host)
            assert host.transport.state is DtlsState.CONNECTED
    pair.client.transport.send(b"still here")
    pair.network.run(seconds=5)
    assert pair.server.events[1:] == [ApplicationData(b"still here")]
    assert pair.client.events[1:] == []


def test_strangers_do_not_get_more_bytes_than_they_send(make_pair: MakePair) -> None:
    """A server answers a hello with a flight of seven hundred bytes: once, not for each repeat."""
    pair = make_pair()
    pair.server.transport.start(0.0)
    first, second = client_hello(), client_hello()
    for _ in range(1000):
        pair.forge(first, pair.server)
        pair.forge(second, pair.server)
    sent = pair.server.transport.datagrams_to_send()
    assert len(sent) == 1


def test_a_connected_server_repeats_its_last_flight_at_a_bounded_rate(make_pair: MakePair) -> None:
    pair = make_pair()
    pair.connect()
    pair.network.run(seconds=10)
    for _ in range(1000):
        pair.forge(handshake(16, 2, bytes(40)), pair.server)
    assert len(pair.server.transport.datagrams_to_send()) == 1


@pytest.mark.parametrize("state", ["new", "waiting", "hello sent", "connected"])
@pytest.mark.parametrize("seed", range(5))
def test_fuzz_datagrams_never_raise(make_pair: MakePair, state: str, seed: int) -> None:
    """handle_datagram takes untrusted bytes and raises nothing: mutated records of a real handshake and a corpus."""
    pair, model = make_pair(), make_pair()
    model.connect()
    seeds = [datagram.data for datagram in model.network.delivered] + ATTACKS["corpus"]
    victim = pair.client if state == "hello sent" else pair.server
    if state == "connected":
        pair.connect()
    elif state != "new":
        victim.transport.start(0.0)
    rng = random.Random(seed)
    for step in range(300):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        victim.transport.handle_datagram(
            bytes(data[: rng.choice((len(data), rng.randrange(len(data) + 1)))]), step / 50
        )
        victim.transport.handle_timeout(step / 50)
        assert len(victim.transport.datagrams_to_send()) <= 4
