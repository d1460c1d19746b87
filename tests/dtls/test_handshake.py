"""A client's Finished that the server has had, while the server's own was lost."""

import pytest
from glottis.dtls import Certificate
from glottis.dtls.connection import Connection
from glottis.dtls.handshake import Handshake
from glottis.wire.dtls_record import DtlsRecord


def shake_hands_until_the_last_flight(client: Handshake, server: Connection) -> list[DtlsRecord]:
    """Returns the server's last flight, which gets lost."""
    client.advance(0.0)
    for _ in range(2):
        for record in client.records_to_send():
            server.feed([record])
            server.advance_handshake()
        flight = server.take_records()
        if not client.complete and not server.advance_handshake():
            client.handle_records(flight, 0.0)
    return flight


def test_a_new_finished_is_sent_where_openssl_gives_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy would be dropped as a replay (RFC 6347 §4.1.2.6), and the handshake would never end."""
    certificate = Certificate.generate()
    client, server = Handshake(certificate, client=True), Connection(certificate, client=False)
    lost = shake_hands_until_the_last_flight(client, server)
    assert not client.complete
    monkeypatch.setattr(client.connection, "resend_flight", lambda: lost)
    client.handle_timeout(1.0)
    assert client.records_to_send() == lost


def test_before_openssl_gives_one_the_flight_is_repeated_as_it_was() -> None:
    certificate = Certificate.generate()
    client, server = Handshake(certificate, client=True), Connection(certificate, client=False)
    shake_hands_until_the_last_flight(client, server)
    client.handle_timeout(1.0)
    assert [record.epoch for record in client.records_to_send()] == [0, 0, 0, 0, 1]
