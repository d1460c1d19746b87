import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from aioice import stun as aioice_stun
from glottis.contracts.errors import Malformed
from glottis.wire.address import Address
from glottis.wire.stun import (
    Attribute,
    MessageClass,
    build_stun,
    encode_error_code,
    encode_unknown_attributes,
    encode_xor_address,
    parse_stun_untrusted,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

VECTORS = Path(__file__).parents[1] / "vectors" / "stun"
RFC5769_PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
RFC5769_TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
TRANSACTION = bytes(range(12))
KEY = b"a password of 24 letters"


def vector(name: str) -> bytes:
    return (VECTORS / "rfc5769" / f"{name}.bin").read_bytes()


def check(*attributes: tuple[int, bytes]) -> bytes:
    return build_stun(MessageClass.REQUEST, TRANSACTION, attributes, key=KEY)


def test_rfc5769_request_is_read_and_verified() -> None:
    message = parse_stun_untrusted(vector("reqstc"))
    assert message.is_signed_with(RFC5769_PASSWORD)
    assert not message.is_signed_with(RFC5769_PASSWORD + b"x")
    assert message.has_fingerprint
    assert (message.message_class, message.method, message.transaction_id) == (0, 1, RFC5769_TRANSACTION)
    assert message.username == b"evtj:h6vY"
    assert message.priority == 0x6E0001FF
    assert (message.ice_controlled, message.ice_controlling) == (0x932FF9B151263B36, None)


@pytest.mark.parametrize(
    ("name", "address"),
    [("respv4", Address("192.0.2.1", 32853)), ("respv6", Address("2001:db8:1234:5678:11:2233:4455:6677", 32853))],
)
def test_rfc5769_response_reveals_the_mapped_address(name: str, address: Address) -> None:
    message = parse_stun_untrusted(vector(name))
    assert message.message_class is MessageClass.SUCCESS
    assert message.is_signed_with(RFC5769_PASSWORD)
    assert message.xor_mapped_address == address
    written = encode_xor_address(address, RFC5769_TRANSACTION)
    assert written == message.attributes[Attribute.XOR_MAPPED_ADDRESS]


def test_rfc5769_long_term_request_is_read_without_a_fingerprint() -> None:
    message = parse_stun_untrusted(vector("reqltc"))
    assert message.username is not None
    assert message.username.decode() == "マトリックス"
    assert not message.has_fingerprint


def test_what_is_written_is_understood_by_another_implementation() -> None:
    data = check((Attribute.USERNAME, b"abcd:efgh"), (Attribute.PRIORITY, bytes((0, 0, 1, 2))))
    message = aioice_stun.parse_message(data)
    assert message.check_message_integrity(KEY)
    assert message.attributes["USERNAME"] == "abcd:efgh"
    assert message.attributes["PRIORITY"] == 258


def test_what_another_implementation_writes_is_understood() -> None:
    other = aioice_stun.Message(aioice_stun.Method.BINDING, aioice_stun.Class.RESPONSE, TRANSACTION)
    other.attributes["XOR-MAPPED-ADDRESS"] = ("2001:db8::7", 4242)
    other.add_message_integrity(KEY)
    message = parse_stun_untrusted(bytes(other))
    assert message.is_signed_with(KEY)
    assert message.xor_mapped_address == Address("2001:db8::7", 4242)


@given(
    message_class=st.sampled_from(MessageClass),
    method=st.integers(0, 0xFFF),
    transaction_id=st.binary(min_size=12, max_size=12),
    software=st.binary(max_size=60),
    key=st.none() | st.binary(max_size=40),
)
@settings(max_examples=examples(60), derandomize=True)
def test_what_is_written_can_be_read(
    message_class: MessageClass, method: int, transaction_id: bytes, software: bytes, key: bytes | None
) -> None:
    data = build_stun(message_class, transaction_id, [(Attribute.SOFTWARE, software)], method=method, key=key)
    message = parse_stun_untrusted(data)
    assert (message.message_class, message.method) == (message_class, method)
    assert message.transaction_id == transaction_id
    assert message.attributes[Attribute.SOFTWARE] == software
    assert key is None or message.is_signed_with(key)


@given(address=st.builds(Address, st.ip_addresses().map(str), st.integers(0, 65535)))
@settings(max_examples=examples(60), derandomize=True)
def test_mapped_address_survives_the_way(address: Address) -> None:
    value = encode_xor_address(address, TRANSACTION)
    data = build_stun(MessageClass.SUCCESS, TRANSACTION, [(Attribute.XOR_MAPPED_ADDRESS, value)])
    assert parse_stun_untrusted(data).xor_mapped_address == address


def test_unsigned_message_is_signed_with_no_key() -> None:
    message = parse_stun_untrusted(build_stun(MessageClass.REQUEST, TRANSACTION, []))
    assert not message.is_signed_with(b"")


def test_of_a_repeated_attribute_the_first_counts() -> None:
    message = parse_stun_untrusted(check((Attribute.USERNAME, b"first"), (Attribute.USERNAME, b"second")))
    assert message.username == b"first"


def test_unknown_attributes_are_reported_when_they_must_be_understood() -> None:
    message = parse_stun_untrusted(check((0x7F00, b"?"), (0x8F00, b"?"), (0xC057, bytes(4))))
    assert message.unknown_attributes == (0x7F00,)


def test_attributes_behind_the_integrity_are_ignored() -> None:
    signed = build_stun(MessageClass.REQUEST, TRANSACTION, [], key=KEY)[:-8]
    tail = Attribute.USE_CANDIDATE.to_bytes(2) + bytes(2) + bytes((0x7F, 0, 0, 0))
    data = signed[:2] + (len(signed) + len(tail) - 20).to_bytes(2) + signed[4:] + tail
    message = parse_stun_untrusted(data)
    assert message.is_signed_with(KEY)
    assert not message.use_candidate
    assert message.unknown_attributes == ()


def test_either_integrity_covers_what_precedes_it() -> None:
    data = build_stun(MessageClass.REQUEST, TRANSACTION, [(Attribute.SOFTWARE, b"x")], key=KEY, sha256=True)
    message = parse_stun_untrusted(data)
    assert message.is_signed_sha256_with(KEY)
    assert not message.is_signed_sha256_with(KEY + b"x")
    assert not message.is_signed_with(KEY)
    with pytest.raises(Malformed):
        parse_stun_untrusted(flip(data, 27))  # under the fingerprint
    assert not parse_stun_untrusted(check()).is_signed_sha256_with(KEY)


def test_addresses_and_lifetime_of_a_relay_are_read() -> None:
    peer, relayed = Address("192.0.2.1", 1), Address("2001:db8::7", 65535)
    attributes = [
        (Attribute.XOR_PEER_ADDRESS, encode_xor_address(peer, TRANSACTION)),
        (Attribute.XOR_RELAYED_ADDRESS, encode_xor_address(relayed, TRANSACTION)),
        (Attribute.ALTERNATE_SERVER, bytes((0, 1, 0x0D, 0x96, 192, 0, 2, 2))),
        (Attribute.LIFETIME, (600).to_bytes(4)),
    ]
    message = parse_stun_untrusted(build_stun(MessageClass.SUCCESS, TRANSACTION, attributes, method=3))
    assert (message.xor_peer_address, message.xor_relayed_address) == (peer, relayed)
    assert (message.alternate_server, message.lifetime) == (Address("192.0.2.2", 3478), 600)
    without = parse_stun_untrusted(check())
    assert (without.xor_peer_address, without.alternate_server, without.lifetime) == (None, None, None)


def test_error_response_carries_code_and_unknown_attributes() -> None:
    attributes = [
        (Attribute.ERROR_CODE, encode_error_code(420)),
        (Attribute.UNKNOWN_ATTRIBUTES, encode_unknown_attributes([0x7F00, 0x0002])),
    ]
    message = parse_stun_untrusted(build_stun(MessageClass.ERROR, TRANSACTION, attributes, key=KEY))
    assert message.error_code == 420
    assert message.attributes[Attribute.UNKNOWN_ATTRIBUTES] == bytes.fromhex("7f000002")


def flip(data: bytes, position: int, bits: int = 0xFF) -> bytes:
    return data[:position] + bytes((data[position] ^ bits,)) + data[position + 1 :]


GOOD = check((Attribute.USERNAME, b"abcd:efgh"), (Attribute.PRIORITY, bytes(4)))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD[:19], id="cut header"),
        pytest.param(flip(GOOD, 0, 0x40), id="not STUN's first bits"),
        pytest.param(flip(GOOD, 5), id="no magic cookie"),
        pytest.param(GOOD[:-4], id="cut body"),
        pytest.param(GOOD + bytes(4), id="more than the header says"),
        pytest.param(flip(GOOD, 23), id="attribute past the end"),
        pytest.param(flip(GOOD, 26), id="changed under the fingerprint"),
        pytest.param(check((Attribute.PRIORITY, bytes(3))), id="short priority"),
        pytest.param(check((Attribute.USE_CANDIDATE, b"x")), id="flag with a value"),
        pytest.param(check((Attribute.XOR_MAPPED_ADDRESS, b"\0\1" + bytes(7))), id="address of no family"),
        pytest.param(check((Attribute.XOR_MAPPED_ADDRESS, b"\0")), id="address of one byte"),
        pytest.param(check((Attribute.ERROR_CODE, b"\0\0\7\0")), id="error code 700"),
        pytest.param(check((Attribute.LIFETIME, bytes(3))), id="short lifetime"),
        pytest.param(check((Attribute.CHANNEL_NUMBER, bytes(2))), id="short channel number"),
        pytest.param(check((Attribute.ALTERNATE_SERVER, bytes(8))), id="server of no family"),
        pytest.param(check((Attribute.MESSAGE_INTEGRITY_SHA256, bytes(16))), id="cut integrity"),
        pytest.param(check((Attribute.NONCE, bytes(764))), id="endless nonce"),
        pytest.param(check((Attribute.USERNAME, bytes(514))), id="endless username"),
    ],
)
def test_what_is_no_stun_message_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_stun_untrusted(data)


def mutations(rng: random.Random, count: int) -> Iterator[bytes]:
    seeds = [path.read_bytes() for path in sorted(VECTORS.rglob("*")) if path.is_file()] + [GOOD]
    yield from seeds
    for _ in range(count):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 5)):
            if data:
                data[rng.randrange(len(data))] = rng.choice((0, 1, 4, 255, rng.randrange(256)))
        size = len(data) if rng.random() < 0.7 else rng.randrange(len(data) + 1)
        if rng.random() < 0.5 and size >= 20:  # past the first gate, to the attributes
            data[2:8] = (size - 20).to_bytes(2) + bytes.fromhex("2112a442")
        yield bytes(data[:size])


@pytest.mark.slow
def test_any_bytes_are_a_message_or_malformed() -> None:
    """Fuzz: ``parse_stun_untrusted`` raises nothing but ``Malformed``, and what it returns can be asked anything."""
    parsed = 0
    for data in mutations(random.Random(5769), 20_000):
        try:
            message = parse_stun_untrusted(data)
        except Malformed:
            continue
        parsed += 1
        message.is_signed_with(KEY)
        message.is_signed_sha256_with(KEY)
        properties = (message.username, message.priority, message.ice_controlled, message.ice_controlling)
        assert all(value is None or len(value) < 514 for value in properties if not isinstance(value, int))
        assert message.error_code is None or 300 <= message.error_code < 700
        for address in (message.xor_mapped_address, message.xor_relayed_address, message.xor_peer_address):
            assert address is None or address.port < 65536
        assert message.alternate_server is None or message.alternate_server.port < 65536
    assert parsed > 100
