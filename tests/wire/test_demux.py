import random
from pathlib import Path

import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.demux import (
    PacketKind,
    classify,
    is_stun_request,
    is_stun_response,
    stun_local_ufrag_untrusted,
    stun_transaction_id_untrusted,
)
from glottis.wire.stun import Attribute, MessageClass, build_stun
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

VECTORS = Path(__file__).parents[1] / "vectors" / "stun"
TRANSACTION = bytes(range(12))


def request(*attributes: tuple[int, bytes]) -> bytes:
    return build_stun(MessageClass.REQUEST, TRANSACTION, attributes, key=b"secret")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", PacketKind.UNKNOWN),
        (b"\x00", PacketKind.STUN),
        (b"\x03", PacketKind.STUN),
        (b"\x04", PacketKind.UNKNOWN),
        (b"\x10", PacketKind.UNKNOWN),
        (b"\x14", PacketKind.DTLS),
        (b"\x3f", PacketKind.DTLS),
        (b"\x40\x00", PacketKind.TURN_CHANNEL),
        (b"\x4f", PacketKind.TURN_CHANNEL),
        (b"\x50", PacketKind.UNKNOWN),
        (b"\x80", PacketKind.RTP),
        (b"\x80\x6f", PacketKind.RTP),
        (b"\x80\xbf", PacketKind.RTP),
        (b"\x80\xc8", PacketKind.RTCP),
        (b"\xbf\xdf", PacketKind.RTCP),
        (b"\x80\xe0", PacketKind.RTP),
        (b"\xc0", PacketKind.UNKNOWN),
    ],
)
def test_first_bytes_tell_the_protocol(data: bytes, kind: PacketKind) -> None:
    assert classify(data) is kind


def test_receivers_ufrag_is_found_behind_other_attributes() -> None:
    data = request(
        (Attribute.SOFTWARE, b"a browser"), (Attribute.PRIORITY, bytes(4)), (Attribute.USERNAME, b"ours:yours")
    )
    assert is_stun_request(data)
    assert stun_local_ufrag_untrusted(data) == "ours"


def test_rfc5769_request_names_its_receiver() -> None:
    assert stun_local_ufrag_untrusted((VECTORS / "rfc5769" / "reqstc.bin").read_bytes()) == "evtj"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(request((Attribute.USERNAME, b"ours:yours"))[:30], id="cut within the username"),
        pytest.param(request((Attribute.PRIORITY, bytes(4))), id="no username"),
        pytest.param(request((Attribute.USERNAME, b"oursyours")), id="no colon"),
        pytest.param(request((Attribute.USERNAME, b"our:yours")), id="too short"),
        pytest.param(request((Attribute.USERNAME, 257 * b"o" + b":yours")), id="too long"),
        pytest.param(request((Attribute.USERNAME, b"o\xff\0rs:yours")), id="not ICE characters"),
        pytest.param(bytes(20) + request((Attribute.USERNAME, b"ours:yours")), id="no magic cookie"),
    ],
)
def test_request_without_receiver_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        stun_local_ufrag_untrusted(data)


@pytest.mark.parametrize("message_class", [MessageClass.SUCCESS, MessageClass.ERROR])
def test_response_is_known_by_its_transaction(message_class: MessageClass) -> None:
    data = build_stun(message_class, TRANSACTION, [])
    assert is_stun_response(data)
    assert not is_stun_request(data)
    assert stun_transaction_id_untrusted(data) == TRANSACTION


def test_indication_is_neither_request_nor_response() -> None:
    data = build_stun(MessageClass.INDICATION, TRANSACTION, [])
    assert not is_stun_request(data)
    assert not is_stun_response(data)


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda tail: request()[:20] + tail))
@settings(max_examples=examples(200), derandomize=True)
def test_any_bytes_have_a_ufrag_or_are_malformed(data: bytes) -> None:
    """Fuzz: ``stun_local_ufrag_untrusted`` raises nothing but ``Malformed``."""
    assert classify(data) in PacketKind
    try:
        ufrag = stun_local_ufrag_untrusted(data)
    except Malformed:
        return
    assert 4 <= len(ufrag) <= 256


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda tail: request()[:8] + tail))
@settings(max_examples=examples(100), derandomize=True)
def test_any_bytes_have_a_transaction_or_are_malformed(data: bytes) -> None:
    """Fuzz: ``stun_transaction_id_untrusted`` raises nothing but ``Malformed``."""
    try:
        transaction_id = stun_transaction_id_untrusted(data)
    except Malformed:
        return
    assert len(transaction_id) == 12


def test_mutated_requests_have_a_ufrag_or_are_malformed() -> None:
    """Fuzz: ``stun_local_ufrag_untrusted`` raises nothing but ``Malformed`` on seeds with changed and missing bytes."""
    rng = random.Random(7983)
    seeds = [path.read_bytes() for path in sorted(VECTORS.rglob("*")) if path.is_file()]
    found = 0
    for _ in range(10_000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            stun_local_ufrag_untrusted(bytes(data[: rng.randrange(20, 200)]))
            found += 1
        except Malformed:
            pass
    assert found > 50
