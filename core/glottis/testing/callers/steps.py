"""What a caller does, one step after the other, and what is expected of the agent."""

import json
import re
from pathlib import PurePath
from typing import Annotated, Final

from msgspec import Meta, Struct

from glottis.calls.dtmf import tones_of
from glottis.contracts.audio import AudioFrame
from glottis.contracts.errors import ConfigurationError

Seconds = Annotated[float, Meta(ge=0, le=3600)]


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One thing that the caller does or expects: exactly one of these, but for the last four.

    What is said is the path of a WAV file or, in Python, an ``AudioFrame`` of any length.
    """

    say: str | AudioFrame | None = None
    interrupt: str | AudioFrame | None = None
    """Said once the agent has been speaking for ``after_s``."""
    wait_s: Seconds | None = None
    press: str | None = None
    """Keys."""
    write: str | None = None
    """A text, by a data channel."""
    expect_sound: bool | None = None
    """The agent speaks, or ``false``: it is silent for all of ``within_s``."""
    expect_silence_s: Seconds | None = None
    """The agent comes to be silent for so long."""
    expect_words: str | None = None
    """What the agent says then, as the recogniser understands it."""
    expect_text: str | None = None
    """A regular expression: the agent writes a text in which it is found."""
    expect_digits: str | None = None
    """The agent presses these keys."""
    expect_end: bool | None = None
    """The agent ends the call."""
    after_s: Seconds = 0.5
    within_s: Seconds | None = None
    """How long an expectation waits, from the beginning of its step; else as long as the caller has patience."""
    word_errors: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """The word error rate up to which words are as expected."""
    goes_on: bool = False
    """The next step begins at once, while this is being said."""

    def __post_init__(self) -> None:
        does = [name for name in ACTIONS if getattr(self, name) is not None]
        if not does:
            raise ConfigurationError(f"say: expected this, or another of {', '.join(ACTIONS)}")
        if len(does) > 1:
            raise ConfigurationError(f"{does[1]}: is one step, and {does[0]} another")
        if self.press is not None:
            try:
                tones_of(self.press)
            except ValueError as error:
                raise ConfigurationError(f"press: {error}") from None
        if self.expect_text is not None:
            try:
                re.compile(self.expect_text)
            except re.error as error:
                raise ConfigurationError(f"expect_text: is no regular expression: {error}") from None

    @property
    def action(self) -> str:
        """Which of them it is."""
        return next(name for name in ACTIONS if getattr(self, name) is not None)

    def __str__(self) -> str:
        value = getattr(self, self.action)
        if isinstance(value, AudioFrame):
            return f"{self.action} {value.duration:g} s of sound"
        shown = PurePath(value).name if self.action in ("say", "interrupt") else value
        return f"{self.action} {json.dumps(shown, ensure_ascii=False)}"


ACTIONS: Final = (
    "say",
    "interrupt",
    "wait_s",
    "press",
    "write",
    "expect_sound",
    "expect_silence_s",
    "expect_words",
    "expect_text",
    "expect_digits",
    "expect_end",
)


class Done(Struct, frozen=True, kw_only=True):
    """What has come of a step."""

    step: str
    start_s: float
    end_s: float
    problem: str = ""
    """What came in place of what was expected; empty if all is well."""
    came: str = ""
    word_error_rate: float | None = None
