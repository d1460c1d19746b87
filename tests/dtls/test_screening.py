"""Only what can be the peer's next words reaches OpenSSL while nothing is proved."""

from glottis.dtls.screening import Screen, Verdict
from glottis.wire.dtls_record import ContentType, DtlsRecord, HandshakeType


def handshake(kind: HandshakeType, number: int, body: bytes = bytes(38)) -> DtlsRecord:
    """A record with one whole message."""
    length = len(body).to_bytes(3)
    message = bytes([kind]) + length + number.to_bytes(2) + bytes(3) + length + body
    return DtlsRecord(ContentType.HANDSHAKE, 0, bytes(13) + message)


def test_a_server_may_ask_once_for_a_hello_with_a_cookie_and_its_messages_count_on() -> None:
    screen = Screen(client=True)
    request = handshake(HandshakeType.HELLO_VERIFY_REQUEST, 0)
    assert screen.judge(request) is Verdict.ADMIT
    assert screen.judge(handshake(HandshakeType.SERVER_HELLO, 1)) is Verdict.ADMIT
    assert screen.judge(request) is Verdict.DISCARD
    assert screen.judge(handshake(HandshakeType.CERTIFICATE, 2)) is Verdict.ADMIT
    assert screen.judge(handshake(HandshakeType.SERVER_HELLO_DONE, 9)) is Verdict.DISCARD


def test_a_server_that_has_said_hello_asks_for_no_cookie() -> None:
    screen = Screen(client=True)
    assert screen.judge(handshake(HandshakeType.SERVER_HELLO, 0)) is Verdict.ADMIT
    assert screen.judge(handshake(HandshakeType.HELLO_VERIFY_REQUEST, 0)) is Verdict.DISCARD
