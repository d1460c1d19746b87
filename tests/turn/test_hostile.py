"""Whoever is on the way, or beside it, cannot make a client believe or do what its server has not said."""

import random
from collections.abc import Callable

import pytest
from glottis.turn import AllocationState, Failed, Received
from glottis.wire.address import Address
from glottis.wire.channel_data import build_channel_data
from glottis.wire.stun import (
    Attribute,
    MessageClass,
    build_stun,
    encode_error_code,
    encode_xor_address,
    parse_stun_untrusted,
)
from support.turn_server import (
    ALLOCATE,
    CREATE_PERMISSION,
    DATA,
    MD5_ONLY,
    REFRESH,
    SHA256_ONLY,
    data_indication,
)
from turn.conftest import PEER, RELAY, Scene

MakeScene = Callable[..., Scene]
COOKIE = b"obMatJos2"
STRANGER = Address("203.0.113.66", 6666)


def given(one: Scene, data: bytes) -> None:
    one.allocation.handle_datagram(data, one.network.now)


@pytest.mark.parametrize("signing", ["not", "wrongly"])
def test_response_that_the_server_has_not_signed_is_ignored(scene: MakeScene, signing: str) -> None:
    def forge(data: bytes) -> list[bytes]:
        message = parse_stun_untrusted(data)
        if message.message_class is not MessageClass.SUCCESS:
            return [data]
        lie = [(Attribute.XOR_RELAYED_ADDRESS, encode_xor_address(STRANGER, message.transaction_id))]
        lie.append((Attribute.LIFETIME, (600).to_bytes(4)))
        key = b"wrong" if signing == "wrongly" else None
        forged = build_stun(MessageClass.SUCCESS, message.transaction_id, lie, method=message.method, key=key)
        return [forged, data]

    one = scene(server={"replies": forge})
    assert one.allocate().relayed == Address(RELAY, 49152)
    assert one.allocation.ignored_datagrams >= 1


def test_unsigned_refusal_and_redirection_are_ignored(scene: MakeScene) -> None:
    def refuse_first(data: bytes) -> list[bytes]:
        message = parse_stun_untrusted(data)
        if message.message_class is not MessageClass.SUCCESS:
            return [data]
        plain = bytes((0, 1)) + STRANGER.port.to_bytes(2) + bytes((203, 0, 113, 66))
        lies = [
            [(Attribute.ERROR_CODE, encode_error_code(code)), (Attribute.ALTERNATE_SERVER, plain)]
            for code in (300, 403, 437, 486, 508)
        ]
        forged = [build_stun(MessageClass.ERROR, message.transaction_id, lie, method=message.method) for lie in lies]
        return [*forged, data]

    one = scene(server={"replies": refuse_first})
    one.allocate()
    one.talk(20)
    one.run(60)
    assert one.client.told(Failed) == []
    assert one.allocation.state is AllocationState.ALLOCATED


def test_unsigned_mismatch_alone_is_told_once_nothing_better_comes(scene: MakeScene) -> None:
    """Of another user's allocation the server cannot tell in a signed way; whoever else says so gains nothing."""

    def mismatch_only(data: bytes) -> list[bytes]:
        message = parse_stun_untrusted(data)
        if message.message_class is not MessageClass.SUCCESS:
            return [data]
        lie = [(Attribute.ERROR_CODE, encode_error_code(437))]
        return [build_stun(MessageClass.ERROR, message.transaction_id, lie, method=message.method)]

    one = scene(server={"replies": mismatch_only})
    assert one.fail().code == 437
    assert one.network.now > 5


def test_replayed_responses_are_ignored(scene: MakeScene) -> None:
    seen: list[bytes] = []

    def record(data: bytes) -> list[bytes]:
        seen.append(data)
        return [data, *seen]

    one = scene(server={"replies": record})
    one.allocate()
    one.talk(10)
    one.run(100)
    assert one.client.told(Failed) == []
    assert one.allocation.ignored_datagrams >= len(seen)
    assert one.server.requests[ALLOCATE] == 2


def test_response_to_another_method_is_none(scene: MakeScene) -> None:
    def change(data: bytes) -> list[bytes]:
        message = parse_stun_untrusted(data)
        if message.method != REFRESH:
            return [data]
        other = build_stun(
            message.message_class, message.transaction_id, [], method=CREATE_PERMISSION, key=one.server.key
        )
        return [other, data]

    one = scene(server={"replies": change})
    one.allocate()
    one.run(60)
    assert one.client.told(Failed) == []
    assert one.allocation.ignored_datagrams == 2


@pytest.mark.parametrize("form", ["channel", "indication"])
def test_data_of_strangers_is_ignored(scene: MakeScene, form: str) -> None:
    one = scene()
    one.allocate()
    one.talk(20)
    ignored = one.allocation.ignored_datagrams
    given(one, build_channel_data(0x4FFF, b"x") if form == "channel" else data_indication(b"x", STRANGER))
    assert one.client.told(Received) == []
    assert one.allocation.ignored_datagrams == ignored + 1


def test_data_that_comes_before_the_permission_is_ignored(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.say(b"hello")
    given(one, data_indication(b"x", PEER))
    assert one.allocation.next_event() is None
    assert one.allocation.ignored_datagrams == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x40\0\0\5four", id="a lie about a length"),
        pytest.param(b"\x4f", id="a piece of a channel's header"),
        pytest.param(b"\x80" + bytes(20), id="media"),
        pytest.param(build_stun(MessageClass.REQUEST, bytes(12), [], method=ALLOCATE), id="a request"),
        pytest.param(build_stun(MessageClass.SUCCESS, bytes(12), [], method=ALLOCATE), id="a response to nothing"),
        pytest.param(build_stun(MessageClass.INDICATION, bytes(12), [], method=DATA), id="data of nobody"),
        pytest.param(
            build_stun(
                MessageClass.INDICATION,
                bytes(12),
                [
                    (Attribute.XOR_PEER_ADDRESS, encode_xor_address(PEER, bytes(12))),
                    (0x7777, b""),
                    (Attribute.DATA, b""),
                ],
                method=DATA,
            ),
            id="data with what must be understood",
        ),
    ],
)
def test_what_means_nothing_is_ignored_and_counted(scene: MakeScene, data: bytes) -> None:
    one = scene()
    one.allocate()
    one.talk(2)
    ignored = one.allocation.ignored_datagrams
    given(one, data)
    assert one.allocation.next_event() is None
    assert one.allocation.ignored_datagrams == ignored + 1


# Whoever would weaken what protects the password


def without_algorithms(data: bytes) -> list[bytes]:
    message = parse_stun_untrusted(data)
    if message.message_class is not MessageClass.ERROR:
        return [data]
    attributes = [item for item in message.attributes.items() if item[0] != Attribute.PASSWORD_ALGORITHMS]
    kept = [(attribute, value) for attribute, value in attributes if attribute != Attribute.FINGERPRINT]
    return [build_stun(MessageClass.ERROR, message.transaction_id, kept, method=message.method)]


@pytest.mark.parametrize("features", [b"gAAA", b"AAAB", b"AAAD"])
def test_password_algorithms_cannot_be_removed_unseen(scene: MakeScene, features: bytes) -> None:
    one = scene(server={"algorithms": SHA256_ONLY, "nonce_prefix": COOKIE + features, "replies": without_algorithms})
    assert one.fail().reason == "the server's password algorithms were removed on the way"
    assert one.server.requests[ALLOCATE] == 1


def test_algorithms_cannot_be_removed_later_either(scene: MakeScene) -> None:
    one = scene(server={"algorithms": SHA256_ONLY})
    one.allocate()
    one.server.renew_nonce()
    one.server.replies = without_algorithms
    one.run(30)
    assert one.client.events[-1] == Failed("the server's password algorithms were removed on the way", 438)


def test_list_of_algorithms_that_was_changed_is_seen_by_the_server(scene: MakeScene) -> None:
    def weaken(data: bytes) -> list[bytes]:
        return [data.replace(SHA256_ONLY + MD5_ONLY, MD5_ONLY + SHA256_ONLY)[:-8]]

    def without_fingerprint(data: bytes) -> list[bytes]:
        (changed,) = weaken(data)
        return [changed[:2] + (len(changed) - 20).to_bytes(2) + changed[4:]]

    one = scene(server={"algorithms": SHA256_ONLY + MD5_ONLY, "replies": without_fingerprint})
    one.start()
    one.run(120)
    assert one.server.leases == {}


def test_endless_list_of_algorithms_is_read_a_little_way(scene: MakeScene) -> None:
    one = scene(server={"algorithms": bytes((0, 9, 0, 0)) * 100 + SHA256_ONLY})
    assert one.fail().reason == "the server knows none of our password algorithms"


def test_nonce_that_looks_like_an_announcement_is_none(scene: MakeScene) -> None:
    scene(server={"nonce_prefix": COOKIE + b"????"}).allocate()


def test_unknown_algorithms_alone_are_no_offer(scene: MakeScene) -> None:
    one = scene(server={"algorithms": bytes((0, 9, 0, 0))})
    assert one.fail().reason == "the server knows none of our password algorithms"


def test_challenge_without_a_nonce_is_none(scene: MakeScene) -> None:
    def without_nonce(data: bytes) -> list[bytes]:
        message = parse_stun_untrusted(data)
        error = [(Attribute.ERROR_CODE, encode_error_code(401))]
        return [build_stun(MessageClass.ERROR, message.transaction_id, error, method=message.method)]

    assert scene(server={"replies": without_nonce}).fail().code == 401


def test_username_can_be_kept_from_others(scene: MakeScene) -> None:
    """By its hash, where the server knows users by it."""
    asked: list[bool] = []
    one = scene(
        server={
            "nonce_prefix": COOKIE + b"QAAA",
            "refuse": lambda message: asked.append(
                Attribute.USERHASH in message.attributes and Attribute.USERNAME not in message.attributes
            ),
        }
    )
    one.allocate()
    assert asked == [True]


def test_any_bytes_leave_an_allocation_as_it_is() -> None:
    """Fuzz: whatever comes, ``accept_channel_data_untrusted`` included, ``Allocation`` raises nothing and goes on."""
    rng = random.Random(8656)
    one = Scene(server={"algorithms": SHA256_ONLY})
    one.allocate()
    one.talk(20)
    valid = [
        data_indication(b"hello", PEER),
        build_channel_data(0x4000, b"hello"),
        *(
            build_stun(message_class, bytes(12), [(Attribute.LIFETIME, bytes(4))], method=method, key=one.server.key)
            for message_class in (MessageClass.SUCCESS, MessageClass.ERROR)
            for method in range(10)
        ),
    ]
    for _ in range(5000):
        data = bytearray(rng.choice(valid))
        for _ in range(rng.randrange(3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        given(one, bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data))
    assert one.allocation.state is AllocationState.ALLOCATED
