"""An auth scheme that breaks its contract is named; what it may do, it may do behind the guard too."""

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from glottis import (
    AuthenticationFailed,
    AuthRequest,
    Forbidden,
    Malformed,
    PluginError,
    Principal,
)
from glottis.plugins import Plugin
from glottis.plugins.auth import GuardedAuthScheme

REQUEST = AuthRequest("POST", "/", {}, "192.0.2.1")


class Scheme:
    """Does what it is told."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act

    async def authenticate(self, request: AuthRequest) -> Any:
        return self._act()


def returning(value: Any) -> GuardedAuthScheme:
    return GuardedAuthScheme(Scheme(lambda: value), Plugin("mine", "my-dist", "2.1"))


def raising(error: BaseException) -> GuardedAuthScheme:
    def fail() -> None:
        raise error

    return GuardedAuthScheme(Scheme(fail), Plugin("mine", "my-dist", "2.1"))


async def test_values_of_the_contract_pass() -> None:
    assert await returning(None).authenticate(REQUEST) is None
    principal = Principal("Zoë <zoe@example.org>", {"role": "admin"})
    assert await returning(principal).authenticate(REQUEST) is principal


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("alice", "returned str, expected a Principal or None"),
        (True, "returned bool, expected a Principal or None"),
    ],
)
async def test_wrong_principal_is_the_plugins_fault(value: Any, complaint: str) -> None:
    with pytest.raises(PluginError, match=rf"^plugin mine \(my-dist 2\.1\): authenticate .*{complaint}"):
        await returning(value).authenticate(REQUEST)


async def test_principal_that_cannot_be_made_is_the_plugins_fault() -> None:
    scheme = GuardedAuthScheme(Scheme(lambda: Principal("a\nINFO glottis: all is well")), Plugin("mine"))
    with pytest.raises(PluginError, match=r"^plugin mine .*: authenticate raised ValueError: Principal\.name: "):
        await scheme.authenticate(REQUEST)


async def test_values_of_the_schemes_own_types_are_checked_too() -> None:
    class Anyone(Principal):
        def __post_init__(self) -> None:
            """Takes anything."""

    class Trap(Principal):
        @property
        def name(self) -> str:
            raise SystemExit("trapped")

        def __init__(self) -> None:
            """It has nothing."""

    member = Anyone("alice")
    assert await returning(member).authenticate(REQUEST) is member
    with pytest.raises(
        PluginError, match=r"^plugin mine .*: the Principal of authenticate raised ValueError: Principal"
    ):
        await returning(Anyone("a\nb")).authenticate(REQUEST)
    with pytest.raises(PluginError, match=r"^plugin mine .*: the Principal of authenticate raised SystemExit: trapped"):
        await returning(Trap()).authenticate(REQUEST)


@pytest.mark.parametrize("error", [AuthenticationFailed("TOKEN_EXPIRED", "Too late."), Forbidden("No.")])
async def test_refusals_pass(error: Exception) -> None:
    with pytest.raises(type(error)):
        await raising(error).authenticate(REQUEST)


async def test_a_refusal_that_is_always_the_same_keeps_no_request() -> None:
    refusal = AuthenticationFailed("TOKEN_INVALID", "No.")
    scheme = raising(refusal)
    lengths = []
    for _ in range(3):
        with pytest.raises(AuthenticationFailed):
            await scheme.authenticate(REQUEST)
        lengths.append(len(list(traceback.walk_tb(refusal.__traceback__))))
    assert lengths == [lengths[0]] * 3


class Speechless(Forbidden):
    """Cannot say why."""

    def __str__(self) -> str:
        raise SystemExit


NUMBER: Any = 7


@pytest.mark.parametrize(
    ("refusal", "complaint"),
    [
        (AuthenticationFailed(NUMBER, "No."), "ValueError: code: expected str, got int"),
        (AuthenticationFailed("NO\nWAY", "No."), "ValueError: code: expected a name in one line"),
        (
            AuthenticationFailed("NO", "No. " * 251),
            "ValueError: expected at most 1000 characters, got 1004",
        ),
        (Speechless("No."), "SystemExit: "),
    ],
)
async def test_refusals_that_nobody_can_be_told_are_the_plugins_fault(refusal: Exception, complaint: str) -> None:
    with pytest.raises(PluginError, match=rf"^plugin mine .*: the refusal of authenticate raised {complaint}"):
        await raising(refusal).authenticate(REQUEST)


@pytest.mark.parametrize("error", [RuntimeError("oops"), SystemExit("oops"), Malformed("oops"), GeneratorExit("oops")])
async def test_other_errors_are_the_plugins_fault(error: BaseException) -> None:
    scheme = raising(error)
    with pytest.raises(PluginError, match=rf"authenticate raised {type(error).__name__}: .*oops") as raised:
        await scheme.authenticate(REQUEST)
    assert raised.value.__cause__ is error


async def test_method_that_should_have_been_a_coroutine_is_the_plugins_fault() -> None:
    class Synchronous(Scheme):
        def authenticate(self, request: AuthRequest) -> Any:
            return Principal("alice")

    with pytest.raises(PluginError, match="authenticate raised TypeError"):
        await GuardedAuthScheme(Synchronous(lambda: None), Plugin("mine")).authenticate(REQUEST)
