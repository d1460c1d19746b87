from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from glottis.contracts.errors import LocalError
from glottis.dtls import (
    HANDSHAKE_TIMEOUT,
    MAX_APPLICATION_DATA,
    MTU,
    ApplicationData,
    Certificate,
    Closed,
    Connected,
    DtlsState,
    DtlsTransport,
    FailureCode,
)
from glottis.dtls.connection import Connection, OpenSslError
from glottis.testing.impairments import Impairments
from glottis.wire.dtls_record import DtlsRecord, split_records_untrusted
from glottis.wire.srtp_keys import (
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AES128_CM_HMAC_SHA1_80,
    SRTP_PROFILES,
    SrtpProfile,
)
from support.seeds import seeds

MakePair = Callable[..., Any]
LOSSY = Impairments(loss=0.3, duplication=0.1, delay=0.01, jitter=0.03)


def received_data(host: Any) -> list[bytes]:
    return [event.data for event in host.events if isinstance(event, ApplicationData)]


# The handshake


def test_both_ends_get_the_same_keys_crosswise(make_pair: MakePair) -> None:
    pair = make_pair()
    assert pair.connect()
    ours, theirs = pair.client.connected.keys, pair.server.connected.keys
    assert (ours.local_key, ours.local_salt) == (theirs.remote_key, theirs.remote_salt)
    assert (ours.remote_key, ours.remote_salt) == (theirs.local_key, theirs.local_salt)
    assert ours.local_key != ours.remote_key
    assert {host.transport.state for host in pair.hosts} == {DtlsState.CONNECTED}


def test_an_undisturbed_handshake_takes_two_round_trips_and_four_datagrams(make_pair: MakePair) -> None:
    pair = make_pair(impairments=Impairments(delay=0.02))
    assert pair.connect()
    assert pair.network.now == pytest.approx(0.08)
    assert [host.received for host in pair.hosts] == [2, 2]
    assert all(len(datagram.data) <= MTU for datagram in pair.network.delivered)


@pytest.mark.parametrize("seed", seeds(120))
def test_handshake_succeeds_at_thirty_percent_loss_with_reordering_and_duplicates(
    make_pair: MakePair, seed: int
) -> None:
    pair = make_pair(seed=seed, impairments=LOSSY)
    assert pair.connect(seconds=HANDSHAKE_TIMEOUT)
    assert pair.client.connected.keys.local_key == pair.server.connected.keys.remote_key


@pytest.mark.parametrize("number", range(4))
def test_a_lost_flight_costs_about_a_tenth_of_a_second(make_pair: MakePair, number: int) -> None:
    pair = make_pair(lost=[number], impairments=Impairments(delay=0.01))
    assert pair.connect()
    assert pair.network.now <= 0.04 + 0.15


def test_a_client_that_starts_long_before_the_server_is_heard_soon_after(make_pair: MakePair) -> None:
    pair = make_pair()
    pair.client.transport.start(0.0)
    pair.network.run(seconds=20)
    pair.server.transport.start(pair.network.now)
    assert pair.network.run(pair.both_connected, seconds=1.0)


def test_a_slow_path_is_not_flooded(make_pair: MakePair) -> None:
    pair = make_pair(impairments=Impairments(delay=0.5))
    assert pair.connect()
    assert sum(host.received for host in pair.hosts) <= 20


def test_the_last_flight_is_sent_again_for_a_peer_that_missed_it_for_seconds(make_pair: MakePair) -> None:
    pair = make_pair(lost=range(3, 25))
    assert pair.connect()
    assert pair.network.now > 1.0


def test_timers_rest_once_connected(make_pair: MakePair) -> None:
    pair = make_pair()
    pair.connect()
    pair.network.run(seconds=5)
    assert [host.transport.next_timeout() for host in pair.hosts] == [None, None]


def test_the_last_flight_is_not_repeated_to_a_peer_that_already_speaks(make_pair: MakePair) -> None:
    pair = make_pair()
    pair.connect()
    pair.client.transport.send(b"INIT")
    pair.network.run(lambda: received_data(pair.server))
    assert pair.server.transport.next_timeout() is None


def test_silence_fails_at_the_deadline(make_pair: MakePair) -> None:
    pair = make_pair(impairments=Impairments(loss=1.0))
    assert not pair.connect(seconds=HANDSHAKE_TIMEOUT - 0.01)
    assert [host.transport.state for host in pair.hosts] == [DtlsState.CONNECTING] * 2
    pair.network.run(seconds=0.02)
    for host in pair.hosts:
        assert [event.code for event in host.events] == [FailureCode.HANDSHAKE_TIMEOUT]
        assert host.transport.state is DtlsState.FAILED
        assert host.transport.next_timeout() is None


def test_a_transport_starts_once(make_pair: MakePair) -> None:
    pair = make_pair()
    pair.start()
    with pytest.raises(LocalError, match="started"):
        pair.client.transport.start(0.0)


# Profiles


@pytest.mark.parametrize(
    ("client", "server", "agreed"),
    [
        (SRTP_PROFILES, SRTP_PROFILES, AEAD_AES_128_GCM),
        ([AEAD_AES_256_GCM], SRTP_PROFILES, AEAD_AES_256_GCM),
        (SRTP_PROFILES, [AEAD_AES_256_GCM], AEAD_AES_256_GCM),
        ([AES128_CM_HMAC_SHA1_80], SRTP_PROFILES, AES128_CM_HMAC_SHA1_80),
        (SRTP_PROFILES, [AES128_CM_HMAC_SHA1_80], AES128_CM_HMAC_SHA1_80),
    ],
)
def test_the_first_common_profile_is_agreed(
    make_pair: MakePair, client: list[SrtpProfile], server: list[SrtpProfile], agreed: SrtpProfile
) -> None:
    pair = make_pair(client=Certificate.generate(profiles=client), server=Certificate.generate(profiles=server))
    assert pair.connect()
    for host in pair.hosts:
        keys = host.connected.keys
        assert keys.profile == agreed
        assert (len(keys.local_key), len(keys.remote_key)) == (agreed.key_length,) * 2
        assert (len(keys.local_salt), len(keys.remote_salt)) == (agreed.salt_length,) * 2


@pytest.mark.parametrize("server", [[AEAD_AES_256_GCM], []], ids=["others", "none"])
def test_no_common_profile_fails_by_name_at_both_ends(make_pair: MakePair, server: list[SrtpProfile]) -> None:
    pair = make_pair(
        client=Certificate.generate(profiles=[AEAD_AES_128_GCM]), server=Certificate.generate(profiles=server)
    )
    assert not pair.connect(seconds=1.0)
    for host in pair.hosts:
        assert [event.code for event in host.events] == [FailureCode.NO_SRTP_PROFILE]


def test_sessions_of_data_only_need_no_profile(make_pair: MakePair) -> None:
    pair = make_pair(server=Certificate.generate(profiles=[]), srtp=False)
    assert pair.connect()
    assert [host.connected for host in pair.hosts] == [Connected(None)] * 2


# Verification


@pytest.mark.parametrize("liar", ["client", "server"])
def test_a_wrong_fingerprint_fails_and_releases_nothing(make_pair: MakePair, liar: str) -> None:
    pair = make_pair()
    victim = pair.server if liar == "client" else pair.client
    victim.transport.set_remote_fingerprints([Certificate.generate().fingerprint])
    assert not pair.connect(seconds=5)
    assert [event.code for event in victim.events] == [FailureCode.FINGERPRINT_MISMATCH]
    assert victim.transport.state is DtlsState.FAILED
    with pytest.raises(LocalError):
        victim.transport.send(b"secret")


def test_the_peer_of_a_failed_verification_learns_of_the_end(make_pair: MakePair) -> None:
    pair = make_pair()
    pair.server.transport.set_remote_fingerprints([Certificate.generate().fingerprint])
    pair.connect(seconds=5)
    assert pair.client.events[-1] == Closed(remote=True)


def test_keys_and_data_wait_for_the_fingerprint(make_pair: MakePair, certificates: tuple[Certificate, ...]) -> None:
    pair = make_pair(fingerprints=False)
    pair.client.transport.set_remote_fingerprints([certificates[1].fingerprint])
    assert not pair.connect(seconds=1)
    for number in range(20):
        pair.client.transport.send(b"early %d" % number)
        pair.network.run(seconds=0.01)
    assert pair.server.events == []
    pair.server.transport.set_remote_fingerprints([certificates[0].fingerprint])
    pair.network.run(seconds=0.1)
    assert isinstance(pair.server.events[0], Connected)
    assert received_data(pair.server) == [b"early %d" % number for number in range(16)]  # bounded


def test_a_fingerprint_that_comes_late_and_is_wrong_discards_what_was_held(make_pair: MakePair) -> None:
    pair = make_pair(fingerprints=False)
    pair.connect(seconds=1)
    pair.server.transport.set_remote_fingerprints([Certificate.generate().fingerprint])
    pair.network.run(seconds=1)
    assert [event.code for event in pair.server.events] == [FailureCode.FINGERPRINT_MISMATCH]


def test_a_fingerprint_that_never_comes_fails_at_the_deadline(make_pair: MakePair) -> None:
    pair = make_pair(fingerprints=False)
    pair.connect(seconds=HANDSHAKE_TIMEOUT + 1)
    for host in pair.hosts:
        assert host.events[0].code is FailureCode.HANDSHAKE_TIMEOUT
        assert "fingerprint" in host.events[0].reason


@pytest.mark.parametrize("role", ["client", "server"])
def test_a_peer_with_an_rsa_certificate_connects(make_pair: MakePair, role: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert make_pair(**{role: Certificate.generate(key)}).connect()


# Application data and the end


def test_application_data_arrives_whole_both_ways(make_pair: MakePair) -> None:
    pair = make_pair()
    pair.connect()
    messages = [b"x", bytes(1000), bytes(range(256)) * 4, bytes(MAX_APPLICATION_DATA)]
    for sender, receiver in (pair.hosts, reversed(pair.hosts)):
        for message in messages:
            sender.transport.send(message)
        pair.network.run(seconds=1)
        assert received_data(receiver) == messages
    assert max(len(datagram.data) for datagram in pair.network.delivered) == MTU


def test_data_that_overtakes_the_last_flight_is_not_lost(make_pair: MakePair) -> None:
    pair = make_pair(lost=[3])
    pair.start()
    pair.network.run(lambda: pair.server.connected is not None)
    pair.server.transport.send(b"first words")
    assert pair.network.run(pair.both_connected, seconds=1)
    pair.network.run(seconds=0.1)
    assert received_data(pair.client) == [b"first words"]


@pytest.mark.parametrize("length", [0, MAX_APPLICATION_DATA + 1])
def test_application_data_is_never_fragmented(make_pair: MakePair, length: int) -> None:
    pair = make_pair()
    pair.connect()
    with pytest.raises(LocalError, match="1163"):
        pair.client.transport.send(bytes(length))


def test_application_data_needs_a_connection(certificates: tuple[Certificate, ...]) -> None:
    transport = DtlsTransport(certificate=certificates[0], client=True)
    with pytest.raises(LocalError, match="while new"):
        transport.send(b"hello")
    transport.start(0.0)
    with pytest.raises(LocalError, match="while connecting"):
        transport.send(b"hello")
    transport.close()
    with pytest.raises(LocalError, match="while closed"):
        transport.send(b"hello")


def test_replayed_application_data_is_dropped(make_pair: MakePair) -> None:
    pair = make_pair()
    pair.connect()
    pair.client.transport.send(b"once")
    pair.network.run(seconds=0.1)
    pair.forge(pair.network.delivered[-1].data, pair.server)
    assert received_data(pair.server) == [b"once"]


@pytest.mark.parametrize("role", [0, 1], ids=["client", "server"])
def test_closing_is_noticed_by_the_peer(make_pair: MakePair, role: int) -> None:
    pair = make_pair()
    pair.connect()
    closer, peer = pair.hosts[role], pair.hosts[1 - role]
    closer.transport.close()
    closer.transport.close()
    pair.network.run(seconds=1)
    assert closer.events[1:] == [Closed(remote=False)]
    assert peer.events[1:] == [Closed(remote=True)]
    assert {host.transport.state for host in pair.hosts} == {DtlsState.CLOSED}
    assert [host.transport.next_timeout() for host in pair.hosts] == [None, None]


def test_data_before_close_notify_in_the_same_datagram_is_delivered(make_pair: MakePair) -> None:
    pair = make_pair()
    pair.connect()
    pair.client.transport.send(b"goodbye")
    pair.client.transport.close()
    pair.forge(b"".join(pair.client.transport.datagrams_to_send()), pair.server)
    assert pair.server.events[1:] == [ApplicationData(b"goodbye"), Closed(remote=True)]


def test_a_connection_that_openssl_gives_up_fails_by_name(make_pair: MakePair, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(connection: Connection) -> Iterator[bytes]:
        yield b"last words"
        raise OpenSslError("tls alert internal error")

    pair = make_pair()
    pair.connect()
    monkeypatch.setattr(Connection, "receive", give_up)
    pair.client.transport.send(b"whatever")
    pair.network.run(lambda: pair.server.transport.state is not DtlsState.CONNECTED, seconds=1.0)
    assert pair.server.events[1] == ApplicationData(b"last words")
    assert pair.server.events[2].code is FailureCode.PROTOCOL_ERROR
    assert pair.server.transport.state is DtlsState.FAILED


def test_a_closed_transport_ignores_everything(make_pair: MakePair) -> None:
    pair = make_pair()
    pair.start()
    pair.server.transport.close()
    assert not pair.network.run(pair.both_connected, seconds=5)
    assert pair.server.events == [Closed(remote=False)]
    assert pair.server.transport.datagrams_to_send() == []
    pair.server.transport.handle_timeout(100.0)
    assert pair.server.events == [Closed(remote=False)]


# Fragments and repeats


def in_two_fragments(datagram: bytes, at: int = 60) -> list[bytes]:
    """A ClientHello's record as two records, as browsers send theirs (1,413 bytes in Chromium)."""
    header, body = datagram[13:25], datagram[25:]
    records = []
    for number, (offset, piece) in enumerate(((0, body[:at]), (at, body[at:]))):
        fragment = header[:6] + offset.to_bytes(3) + len(piece).to_bytes(3) + piece
        records.append(datagram[:5] + (100 + number).to_bytes(6) + len(fragment).to_bytes(2) + fragment)
    return records


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0, 1), (1, 1, 0, 0)])
def test_a_hello_in_two_datagrams_may_come_in_any_order(make_pair: MakePair, order: tuple[int, ...]) -> None:
    pair = make_pair()
    pair.start()
    [hello] = pair.client.transport.datagrams_to_send()
    for index in order:
        pair.forge(in_two_fragments(hello)[index], pair.server)
    assert pair.network.run(pair.both_connected, seconds=0.05)


def test_each_sending_of_an_unprotected_record_has_a_number_of_its_own(make_pair: MakePair) -> None:
    """A peer that met a record too early to use it would drop its repeat as a replay (RFC 6347 §4.2.4)."""
    pair = make_pair(seed=3, impairments=LOSSY)
    pair.connect()
    for host in pair.hosts:
        sent = {data for data, path in pair.network.delivered if path == host.path}
        records = [record for data in sent for record in split_records_untrusted(data) if record.epoch == 0]
        numbers = [record.data[5:11] for record in records]
        assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("seed", seeds(10))
def test_openssls_own_timer_has_no_say(make_pair: MakePair, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """It runs by the wall clock, so here it seems to have expired whenever OpenSSL writes."""
    written: dict[Connection, list[DtlsRecord]] = {}
    take_records = Connection.take_records

    def repeat_all(connection: Connection) -> list[DtlsRecord]:
        records = take_records(connection)
        before = written.setdefault(connection, [])
        written[connection] = before + records
        return before + records

    monkeypatch.setattr(Connection, "take_records", repeat_all)
    pair = make_pair(seed=seed, impairments=LOSSY if seed else Impairments(delay=0.01))
    assert pair.connect()
    if not seed:
        assert pair.network.now == pytest.approx(0.04)
        assert [host.received for host in pair.hosts] == [2, 2]


def test_discarded_datagrams_are_counted(make_pair: MakePair) -> None:
    pair = make_pair()
    pair.connect()
    for junk in (b"", b"\x16", b"\x80" * 100):
        pair.forge(junk, pair.server)
    assert pair.server.transport.discarded_datagrams == 3
