"""The rules of providers of STUN and TURN servers."""

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec
import trio

from glottis.contracts.errors import ConfigurationError
from glottis.contracts.ice_servers import (
    MAX_ICE_SERVERS,
    IceServer,
    IceServerProvider,
    IceServerProviderSpec,
    parse_ice_uri,
)
from glottis.contracts.info import CallInfo, Principal
from glottis.testing.rules import networks
from glottis.testing.rules.leftovers import Held, expect_ended
from glottis.testing.rules.rule import Broken, DoesNotApply, NotTried, expect, rules_of
from glottis.testing.rules.secrecy import overheard, secrets_in
from glottis.testing.rules.subject import Subject, check_description
from glottis.testing.rules.thread_time import LONGEST_STEP_MS, LongestStep
from glottis.testing.rules.trial import give_up, run_trial

IceSubject = Subject[IceServerProviderSpec]

CALL: Final = CallInfo("session", "campaign", client_identifier="caller")
CALLS: Final = (
    CALL,
    CallInfo("gateway", ""),
    CallInfo("session", "campaign", 7, "é\U0001f600:/?&=%00" * 16, principal=Principal("somebody's name")),
    CallInfo("session", "campaign", "business", metadata={"region": None}, dynamic_variables={"a": [1, {"b": 2}]}),
)
"""The gateway's own question, and those of callers who say odd things of themselves."""
PATIENCE: Final = 1.0
"""Seconds that a session waits for its servers."""
LEAST_LIFETIME: Final = 60.0
"""Seconds that credentials are good for at least: a call has to begin with them."""
_EXPIRING: Final = re.compile(r"(?P<expires_at>[0-9]{9,11})(:.*)?")
"""A user name of draft-uberti-behave-turn-rest §2.2."""
_MALFORMED: Final = (
    "",
    "http://turn.example.org",
    "turn:",
    "stun://stun.example.org",
    "stun:stun.example.org:70000",
    "turn:turn.example.org?transport=sctp",
    "stun:a b",
    "stun:[::1",
)


def check_servers(subject: IceSubject) -> None:
    """For calls of any kind; of the network nothing is to be had."""
    for call in CALLS:
        _check_usable(_answer(subject.make(), call, networks.refuse))


def _check_usable(servers: object) -> None:
    """As the gateway looks at what it gets."""
    if not isinstance(servers, list):
        raise Broken(f"get_ice_servers returned {type(servers).__name__}, expected a list of IceServer")
    expect(len(servers) <= MAX_ICE_SERVERS, f"{len(servers)} servers; the gateway takes {MAX_ICE_SERVERS}")
    for index, server in enumerate(servers):
        if not isinstance(server, IceServer):
            raise Broken(f"[{index}]: expected an IceServer, got {type(server).__name__}")
        try:
            server.check()
        except ValueError as error:
            raise Broken(f"[{index}]: no browser would take this server: {error}") from None


def _answer(provider: IceServerProvider, call: CallInfo, network: networks.Network) -> object:
    """Of one that cannot reach anybody; a failure of its own is an empty answer here, and has a rule of its own."""
    answers: list[object] = []

    async def scenario() -> None:
        network()
        answers.append(await _asked(provider, call))

    run_trial(scenario)
    return answers[0]


async def _asked(provider: IceServerProvider, call: CallInfo) -> object:
    try:
        return await provider.get_ice_servers(call)
    except OSError:
        return []


def check_failure(subject: IceSubject) -> None:
    """What it asks cannot be reached: it says so at once, or has no servers; and it can be asked again."""
    provider = subject.make()

    async def scenario() -> None:
        networks.refuse()
        await _asked(provider, CALL)  # what it keeps for good is there from now on
        before = Held.now()
        for _ in range(3):
            with trio.move_on_after(PATIENCE) as scope:
                await _asked(provider, CALL)
            expect(not scope.cancelled_caught, f"no answer in {PATIENCE:g} s when nothing can be reached")
            await trio.sleep(100)
        await expect_ended(before, "three questions have")

    run_trial(scenario)


def check_timeout(subject: IceSubject) -> None:
    """What it asks never answers: the gateway cancels it after a second, and it lets itself be cancelled."""
    provider = subject.make()

    async def scenario() -> None:
        networks.hang()
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_end_if_late)
                with trio.move_on_after(PATIENCE):
                    await _asked(provider, CALL)
                nursery.cancel_scope.cancel()
            await trio.sleep(100)

    run_trial(scenario)


async def _end_if_late() -> None:
    await trio.sleep(2 * PATIENCE)
    give_up(f"cancelled after {PATIENCE:g} s, it goes on for another: let trio.Cancelled pass")


def check_yields(subject: IceSubject) -> None:
    """A library that waits for a server by itself holds up all calls. Tried again, since others may have disturbed."""
    provider = subject.make()
    longest = min(_longest_step(provider) for _ in range(3))
    expect(
        longest <= LONGEST_STEP_MS,
        f"holds up all calls for {longest:.0f} ms: wait by trio, or in trio.to_thread.run_sync",
    )


def _longest_step(provider: IceServerProvider) -> float:
    async def scenario() -> None:
        networks.refuse()
        await _asked(provider, CALL)

    run_trial(scenario, [longest := LongestStep()])
    return longest.milliseconds


def check_crowd(subject: IceSubject) -> None:
    """Ten calls at a time, and one that changes what it has got."""
    provider = subject.make()

    async def scenario() -> None:
        networks.refuse()
        answers: list[object] = []

        async def ask() -> None:
            answers.append(await _asked(provider, CALL))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(ask)
        for answer in answers:
            _check_usable(answer)
        first = answers[0]
        if isinstance(first, list):
            length = len(first)
            first.append("what another call has put there")
            again = await _asked(provider, CALL)
            expect(
                isinstance(again, list) and len(again) <= length,
                "what one call does to its list is seen by the next: return a new list",
            )

    run_trial(scenario)


def check_expiry(subject: IceSubject) -> None:
    """Credentials that tell when they expire do so in good time."""
    servers = _answer(subject.make(), CALL, networks.refuse)
    for server in servers if isinstance(servers, list) else []:
        match = _EXPIRING.fullmatch(server.username or "")
        left = float(match["expires_at"]) - time.time() if match else LEAST_LIFETIME
        expect(left >= LEAST_LIFETIME, f"a credential that expires in {left:.0f} s; a call needs {LEAST_LIFETIME:g}")


def check_malformed(subject: IceSubject) -> None:
    """An operator who mistypes a URI is told at start-up, or the server is left out; clients are never told of it."""
    settings = subject.typed_settings()
    uris = _uris_in(settings)
    if not uris:
        raise DoesNotApply("has no setting with a STUN or TURN URI")
    for wrong in _MALFORMED:
        try:
            changed = _replaced(settings, uris[0], wrong)
            provider = replace(subject, settings=changed).make()
        except (ConfigurationError, ValueError, NotTried):
            continue
        try:
            _check_usable(_answer(provider, CALL, networks.refuse))
        except Broken as broken:
            raise Broken(f"the setting {wrong!r} in place of a URI reaches clients: {broken}") from None


def _uris_in(settings: object) -> list[str]:
    if isinstance(settings, str):
        try:
            parse_ice_uri(settings)
        except ValueError:
            return []
        return [settings]
    return [uri for item in _items(settings) for uri in _uris_in(item)]


def _items(settings: object) -> list[Any]:
    if isinstance(settings, msgspec.Struct):
        return [getattr(settings, name) for name in settings.__struct_fields__]
    if isinstance(settings, Mapping):
        return [*settings.values()]
    return [*settings] if isinstance(settings, list | tuple) else []


def _replaced(settings: Any, old: str, new: str) -> Any:
    """The same settings with another text in place of one. Raises what the settings' own checks raise."""
    if isinstance(settings, msgspec.Struct):
        changes = {name: _replaced(getattr(settings, name), old, new) for name in settings.__struct_fields__}
        return type(settings)(**changes)
    if isinstance(settings, Mapping):
        return {key: _replaced(value, old, new) for key, value in settings.items()}
    if isinstance(settings, list | tuple):
        return type(settings)(_replaced(item, old, new) for item in settings)
    return new if settings == old else settings


def check_secrets(subject: IceSubject) -> None:
    """In errors, in the log, and in its own words."""
    with overheard() as said:
        settings = subject.typed_settings()
        provider = subject.make()
        said += [repr(provider), repr(settings)]

        async def scenario() -> None:
            networks.refuse()
            try:
                said.append(repr(await provider.get_ice_servers(CALL)))
            except Exception as error:
                said.extend([str(error), repr(error)])

        run_trial(scenario)
    for secret in secrets_in(settings):
        expect(
            len(secret) < 8 or not any(secret in text for text in said),
            "a secret of the settings is in an error, in the log or in a repr: say what is wrong, and quote nothing",
        )


ICE_RULES: Final = rules_of(
    "ice",
    ("description", "the specification can be used, and makes a provider", check_description),
    ("servers", "each call gets a list of servers that browsers take", check_servers),
    ("failure", "what it asks cannot be reached: it answers at once, and leaves nothing behind", check_failure),
    ("timeout", "what it asks never answers: it ends when it is cancelled", check_timeout),
    ("yields", "to ask it never holds up calls", check_yields),
    ("crowd", "calls at the same time get lists of their own", check_crowd),
    ("expiry", "credentials last long enough to begin a call with", check_expiry),
    ("malformed-uris", "a malformed URI among its settings reaches no client", check_malformed),
    ("secrets", "no secret is in errors, logs or a repr", check_secrets),
)
