"""Why there is no address: by name, and without asking again and again."""

from collections.abc import Callable

import pytest
from glottis.turn import Alternate, Failed, LongTermCredentials
from glottis.wire.address import Address
from support.turn_server import ALLOCATE
from turn.conftest import CREDENTIALS, SERVER, Scene

MakeScene = Callable[..., Scene]
OTHER = Address("198.51.100.9", 3478)


def test_wrong_password_is_told_after_one_try(scene: MakeScene) -> None:
    one = scene(credentials=LongTermCredentials("user", "wrong"))
    assert one.fail() == Failed("the server does not accept the credentials", 401)
    assert one.server.requests[ALLOCATE] == 2


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(CREDENTIALS)


def test_server_that_wants_credentials_gets_none_where_there_are_none(scene: MakeScene) -> None:
    one = scene(credentials=None)
    assert one.fail() == Failed("the server asks for credentials, and there are none", 401)


@pytest.mark.parametrize(
    ("code", "phrase"),
    [
        (403, "policy"),
        (440, "family"),
        (441, "other credentials"),
        (442, "UDP"),
        (486, "as many allocations"),
        (508, "no address"),
        (599, "refused"),
    ],
)
def test_refusal_is_told_by_name(scene: MakeScene, code: int, phrase: str) -> None:
    one = scene(server={"refuse": lambda message: code})
    failed = one.fail()
    assert failed.code == code
    assert phrase in failed.reason
    assert one.server.requests[ALLOCATE] == 2
    assert one.allocation.next_timeout() is None


@pytest.mark.parametrize("relay", ["0.0.0.0", "224.0.0.1", "169.254.1.1", "2001:db8::1"])
def test_address_that_nobody_can_send_to_is_refused(scene: MakeScene, relay: str) -> None:
    one = scene(server={"relay": relay})
    assert one.fail().reason == "the server lends no usable address"


# Other servers


def test_alternate_server_is_named_and_can_be_asked(scene: MakeScene) -> None:
    one = scene(server={"alternate": OTHER})
    one.start()
    assert one.client.events == [Alternate(OTHER)]
    following = one.allocation.redirected(OTHER)
    assert following.server == OTHER


@pytest.mark.parametrize("host", ["224.0.0.1", "0.0.0.0", "169.254.169.254", "127.0.0.1"])
def test_alternate_server_that_is_none_is_refused(scene: MakeScene, host: str) -> None:
    one = scene(server={"alternate": Address(host, 3478)})
    assert one.fail() == Failed("the server names no usable alternate", 300)


def test_servers_that_name_each_other_are_given_up(scene: MakeScene) -> None:
    one = scene(server={"alternate": OTHER})
    one.start()
    one.client.allocation = one.allocation.redirected(OTHER)
    one.server.address, one.server.alternate = OTHER, SERVER
    one.network.attach(one.server, OTHER)
    assert one.fail() == Failed("servers name each other as alternates", 300)


def test_row_of_servers_is_followed_a_little_way(scene: MakeScene) -> None:
    one = scene()
    for hop in range(4):
        one.client.events.clear()
        here = Address(f"198.51.100.{20 + hop}", 3478)
        one.client.allocation = one.allocation.redirected(here)
        one.server.address, one.server.alternate = here, Address(f"198.51.100.{21 + hop}", 3478)
        one.network.attach(one.server, here)
        one.start()
    assert one.client.events == [Failed("too many servers name another one", 300)]
