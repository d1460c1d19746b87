"""The rules of extensions beside their processors: of what observes sessions, and of lives beside the gateway's."""

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, get_args

import trio

from glottis.contracts.audio import EncodedPacket
from glottis.contracts.call import BytesMessage, TextMessage
from glottis.contracts.codec import CodecSpec, EncoderSettings
from glottis.contracts.events import (
    ConnectionChanged,
    Interrupted,
    MediaNegotiated,
    OtherEvent,
    Resumed,
    StateChanged,
    StatisticsReported,
)
from glottis.contracts.extensions import GatewayInfo, Incoming, Milestone
from glottis.contracts.statistics import Statistics
from glottis.plugins.observers import METHODS
from glottis.testing.rules.effort import expect_nothing_kept, milliseconds_of_work
from glottis.testing.rules.leftovers import Held, expect_ended
from glottis.testing.rules.rule import NotTried, expect, rules_of
from glottis.testing.rules.signals import melody, pieces, sample_count
from glottis.testing.rules.subject import installed
from glottis.testing.rules.trial import run_trial

MOST_MILLISECONDS: Final = 1.0
"""For one method: it holds up all calls."""
STOPPING: Final = 2.0
"""Seconds for a life to end, as the gateway grants them."""
_SETTLING: Final = 1.0
"""Seconds in which what goes on beside can come to an end."""


@dataclass(frozen=True, slots=True)
class ExtensionSubject:
    """Makes what the hooks of an extension return: ``observers`` those of a new call, ``lifespan`` one of a gateway."""

    observers: Callable[[], Sequence[object]]
    lifespan: Callable[[GatewayInfo], object]


Happening = tuple[str, tuple[object, ...]]
"""A method of ``SessionObserver``, and what it is told."""

EVENTS: Final = (
    StateChanged(state="connecting", reason=""),
    ConnectionChanged(state="connected", reason=""),
    MediaNegotiated(codec="opus", sample_rate=48000, frame_duration_ms=20),
    StatisticsReported(statistics=Statistics()),
    OtherEvent("transcript", {"role": "agent", "text": "At nine.", "final": True}),
    Interrupted(),
    Resumed(),
    StateChanged(state="ending", reason="the caller hung up"),
)
MESSAGES: Final = (TextMessage(""), TextMessage("é" * 1000, "chat"), BytesMessage(bytes(range(256)), "data"))


@cache
def _packets() -> tuple[tuple[EncodedPacket, CodecSpec], ...]:
    """Half a second by each codec that is installed, with a gap. Raises ``NotTried`` if there is none."""
    found = tuple(item for entry in installed().codecs for item in _spoken(entry.spec))
    if not found:
        raise NotTried("needs a codec, and none is installed")
    return found


def _spoken(spec: CodecSpec) -> list[tuple[EncodedPacket, CodecSpec]]:
    rate = spec.sample_rates[0]
    encoder = spec.create_encoder(EncoderSettings(sample_rate=rate))
    duration = spec.clock_rate // 50
    payloads = [encoder.encode(pcm) for pcm in pieces(melody(rate, 480), sample_count(rate, 20))]
    moments = [duration * (number + number // 12) for number in range(len(payloads))]
    return [
        (EncodedPacket(payload, spec.encoding_name, spec.clock_rate, moment, duration), spec)
        for payload, moment in zip(payloads, moments, strict=True)
    ]


def _call() -> list[Happening]:
    """All that may happen in a session."""
    happened: list[Happening] = [("event", (event,)) for event in EVENTS[:-1]]
    happened += [("reached", (milestone,)) for milestone in get_args(Milestone)]
    happened += [(method, (message,)) for message in MESSAGES for method in ("message_received", "message_sent")]
    happened += [(method, packet) for packet in _packets() for method in ("packet_received", "packet_sent")]
    happened += [("incoming", (kind, b"", float(number))) for number, kind in enumerate(get_args(Incoming))]
    return [*happened, ("event", EVENTS[-1:]), ("ended", ("the caller hung up", Statistics()))]


def _tell(observers: Sequence[object], happened: Sequence[Happening]) -> None:
    for method, told in happened:
        for observer in observers:
            if (function := getattr(observer, method, None)) is not None:
                function(*told)


def _tell_new(subject: ExtensionSubject, happened: Sequence[Happening]) -> None:
    _tell(subject.observers(), happened)


def check_observers(subject: ExtensionSubject) -> None:
    """Objects with plain methods."""

    async def scenario() -> None:
        for observer in subject.observers():
            _check_methods(observer)

    run_trial(scenario)


def _check_methods(observer: object) -> None:
    methods = {name: getattr(observer, name, None) for name in METHODS}
    known = {name: method for name, method in methods.items() if callable(method)}
    expect(bool(known), f"a {type(observer).__name__} has none of {', '.join(METHODS)}")
    waiting = [name for name, method in known.items() if inspect.iscoroutinefunction(method)]
    expect(not waiting, f"{', '.join(waiting)} of {type(observer).__name__} is async: it is to be a plain method")


def check_any_session(subject: ExtensionSubject) -> None:
    """A whole one, one that ends before it begins, and two at a time."""
    call = _call()

    async def scenario() -> None:
        _tell(subject.observers(), call[-1:])
        one, other = subject.observers(), subject.observers()
        for happening in call:
            _tell(one, [happening])
            _tell(other, [happening])
        await trio.sleep(_SETTLING)

    run_trial(scenario)


def check_observers_lateness(subject: ExtensionSubject) -> None:
    """They are called where it happens."""
    call = _call()

    async def scenario() -> None:
        for method in dict.fromkeys(name for name, _ in call):
            told = [happening for happening in call if happening[0] == method]
            each = milliseconds_of_work(partial(_tell_new, subject, told)) / len(told)
            expect(each <= MOST_MILLISECONDS, f"{method} takes {each:.1f} ms, expected {MOST_MILLISECONDS:g} at most")
        await trio.sleep(_SETTLING)

    run_trial(scenario)


def check_observers_leaks(subject: ExtensionSubject) -> None:
    """Of sessions that are over."""
    short = [happening for happening in _call() if not happening[0].startswith("packet")]

    async def scenario() -> None:
        expect_nothing_kept(partial(_tell_new, subject, short), "each session")
        await trio.sleep(_SETTLING)

    run_trial(scenario)


GATEWAY: Final = GatewayInfo("http://127.0.0.1:8080", "0.1.0", ("campaign",))


def _life(subject: ExtensionSubject) -> AbstractAsyncContextManager[Any]:
    made = subject.lifespan(GATEWAY)
    kind = type(made).__name__
    expect(isinstance(made, AbstractAsyncContextManager), f"returns a {kind}, expected an async context manager")
    assert isinstance(made, AbstractAsyncContextManager)
    return made


def check_lifespan(subject: ExtensionSubject) -> None:
    """What the hook returns."""
    _life(subject)


def check_lifespan_again(subject: ExtensionSubject) -> None:
    """One gateway after the other, as in tests."""

    async def scenario() -> None:
        for _ in range(2):
            async with _life(subject):
                await trio.sleep(_SETTLING)

    run_trial(scenario)


def check_lifespan_end(subject: ExtensionSubject) -> None:
    """When the gateway ends: then it is left, and cancelled only if that takes too long."""

    async def scenario() -> None:
        async with _life(subject):  # what it keeps for good is there from now on
            pass
        before = Held.now()
        with trio.move_on_after(10 * STOPPING):
            async with _life(subject):
                await trio.sleep(_SETTLING)
                began = trio.current_time()
        took = trio.current_time() - began
        expect(took <= STOPPING, f"takes {took:g} s to end, and has {STOPPING:g}")
        await expect_ended(before, "it has")

    run_trial(scenario)


OBSERVER_RULES: Final = rules_of(
    "observer",
    ("description", "observers have plain methods of SessionObserver", check_observers),
    ("any-session", "whatever happens in a session, nothing is raised", check_any_session),
    ("lateness", "a method takes little time", check_observers_lateness),
    ("leaks", "sessions that are over leave nothing behind", check_observers_leaks),
)
LIFESPAN_RULES: Final = rules_of(
    "lifespan",
    ("description", "the hook returns an async context manager", check_lifespan),
    ("again", "one gateway may come after another", check_lifespan_again),
    ("end", "it ends in time, and leaves no task or thread behind", check_lifespan_end),
)
