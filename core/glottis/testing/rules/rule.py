"""A rule that a plugin keeps or breaks, and the verdict on it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, NoReturn, TypeVar

from glottis.barrier import stop
from glottis.contracts.errors import NotInstalled, PluginError
from glottis.plugins.blame import first_of
from glottis.plugins.failures import describe, message_of

SubjectT = TypeVar("SubjectT")

PAGE: Final = "docs/testing-a-plugin.md"
"""Has a section for each rule."""


class Broken(AssertionError):
    """A rule does not hold. The message says what was seen, and what is expected."""


class NotTried(Exception):
    """A rule cannot be tried with what is known of the plugin. The message says what is missing."""


class DoesNotApply(Exception):
    """A plugin has nothing that a rule is about. The message says why."""


class Outcome(Enum):
    """What came of a rule."""

    HOLDS = "ok"
    BROKEN = "FAIL"
    NOT_TRIED = "skip"
    DOES_NOT_APPLY = "n/a"


_OUTCOMES: Final[Mapping[type[Exception], Outcome]] = {
    NotTried: Outcome.NOT_TRIED,
    DoesNotApply: Outcome.DOES_NOT_APPLY,
}


@dataclass(frozen=True, slots=True)
class Rule(Generic[SubjectT]):
    """``what`` is one sentence; ``check`` raises ``Broken``, ``NotTried``, or whatever the plugin raises."""

    kind: str
    name: str
    what: str
    check: Callable[[SubjectT], None]

    @property
    def link(self) -> str:
        """To the section of the documentation that explains it."""
        return f"{PAGE}#{self.kind}-{self.name}"


def rules_of(kind: str, *table: tuple[str, str, Callable[[SubjectT], None]]) -> tuple[Rule[SubjectT], ...]:
    """The rules of one kind: of each its name, what holds, and the check."""
    return tuple(Rule(kind, name, what, check) for name, what, check in table)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one rule; ``reason`` is empty if it holds."""

    rule: Rule[object]
    outcome: Outcome
    reason: str = ""

    def __str__(self) -> str:
        line = f"{self.outcome.value:4}  {self.rule.name:24}  {self.rule.what}"
        return f"{line}\n      {self.reason}\n      see {self.rule.link}" if self.reason else line


def expect(holds: bool, reason: str) -> None:
    """Raises ``Broken`` unless it holds."""
    if not holds:
        raise Broken(reason)


def judge(rule: Rule[SubjectT], subject: SubjectT) -> Verdict:
    """Try one rule. Whatever the plugin raises is a reason, and no error."""
    reasons: list[BaseException] = []
    try:
        rule.check(subject)
    except BaseException as error:
        stop(error, reasons.append)
    if not reasons:
        return Verdict(_plain(rule), Outcome.HOLDS)
    first = first_of(reasons[0])
    if (missing := missing_library(first)) is not None:
        return Verdict(_plain(rule), Outcome.NOT_TRIED, message_of(missing))
    outcome = next((outcome for kind, outcome in _OUTCOMES.items() if isinstance(first, kind)), Outcome.BROKEN)
    return Verdict(_plain(rule), outcome, _reason(first))


def missing_library(error: BaseException) -> NotInstalled | None:
    """What has led to the error, if it is that."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, NotInstalled):
        cause = cause.__cause__
    return cause


def require(rules: Iterable[Rule[SubjectT]], subject: SubjectT) -> None:
    """Try rules; raises ``Broken`` for the first that does not hold."""
    for rule in rules:
        verdict = judge(rule, subject)
        if verdict.outcome is Outcome.BROKEN:
            raise Broken(f"{verdict.reason} ({rule.link})")


def _reason(error: BaseException) -> str:
    if isinstance(error, Broken | NotTried | DoesNotApply | PluginError):
        return message_of(error)
    return f"raised {describe(error)}"


def _plain(rule: Rule[SubjectT]) -> Rule[object]:
    """A verdict is for reading: what the rule is of does not matter any more."""
    return Rule(rule.kind, rule.name, rule.what, _tried)


def _tried(subject: object) -> NoReturn:
    raise NotImplementedError
