"""The skills ``form``, which fills in a form of the operator's by talking, and ``message``, which takes a message."""

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated, Final

import msgspec
import trio
from glottis import ConfigurationError
from glottis_conversation import Floor, Request, Tool, tool_of
from msgspec import Meta

from glottis_skills.filling import Filling, Slot, Stage
from glottis_skills.manners import is_about_talking
from glottis_skills.phrases import mentions, plain

BEGINS: Final = 0.92
"""How certain it is that who says one of the phrases wants the form."""
PERHAPS: Final = 0.55
"""How certain an answer is that may have been misheard."""

_logger = logging.getLogger(__name__)


class FormConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the skill ``form``."""

    title: Annotated[str, Meta(min_length=1, max_length=40)]
    """Such as "booking"."""
    phrases: Annotated[tuple[str, ...], Meta(min_length=1)]
    """What callers say who want it, such as "book a table"."""
    slots: Annotated[tuple[Slot, ...], Meta(min_length=1, max_length=20)]
    """What it asks for, in this order."""
    file: str = ""
    """Each form becomes a line of JSON at its end. Empty: only the client is told, by the event ``form``."""
    thanks: str = "Thank you, I have noted it."
    """Said when it is complete."""

    def __post_init__(self) -> None:
        labels = [slot.label for slot in self.slots]
        if len(set(labels)) < len(labels):
            raise ConfigurationError(f"slots: expected a label of its own for each, got {', '.join(labels)}")


class MessageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the skill ``message``."""

    file: str = ""
    """Each message becomes a line of JSON at its end. Empty: only the client is told, by the event ``form``."""
    thanks: str = "Thank you, I will pass it on."
    """Said when it is complete."""

    def form(self) -> FormConfig:
        """A message, as a form."""
        return FormConfig(
            title="message",
            phrases=("take a message", "leave a message", "leave you a message", "call me back", "a message for"),
            slots=(
                Slot(label="name", ask="What is your name?", kind="name"),
                Slot(label="number", ask="What is your telephone number?", kind="phone"),
                Slot(label="message", ask="What is the message?"),
            ),
            file=self.file,
            thanks=self.thanks,
        )


class Form:
    """The skill ``form``, and the form that is filled in in one call. ``now`` is a clock for tests."""

    def __init__(self, config: FormConfig, now: Callable[[tzinfo | None], datetime] = datetime.now) -> None:
        self._config = config
        self._now = now
        self._filling: Filling | None = None
        self._phrases = [re.escape(_essence(phrase)) for phrase in config.phrases]
        if config.file and not Path(config.file).absolute().parent.is_dir():
            raise ConfigurationError(f"file: there is no directory {Path(config.file).absolute().parent}")

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """The one that fills it in."""
        labels = ", ".join(slot.label for slot in self._config.slots)

        async def fill_in(said: str) -> str:
            return await self._take(floor, said)

        return [
            tool_of(
                fill_in,
                self._hear,
                name="fill_in_" + "_".join(word for word in plain(self._config.title).split() if word.isidentifier()),
                description=(
                    f"Fill in the form {self._config.title!r} ({labels}), step by step: to begin it and after each"
                    " answer of the caller, call it with the caller's words, and say what it tells you to say."
                ),
                example=self._config.phrases[0],
            )
        ]

    async def _take(self, floor: Floor, said: str) -> str:
        if self._filling is None:
            self._filling = Filling(self._config.slots, self._now(None).date())
            return self._filling.begin(said)
        answer = self._filling.take(said)
        filling = self._filling
        if filling.stage in (Stage.DONE, Stage.GIVEN_UP):
            self._filling = None
        if filling.stage is Stage.DONE:
            return await self._keep(filling.values, floor)
        return answer or "All right, I leave it."

    def _hear(self, text: str) -> Request | None:
        if self._filling is not None:
            if is_about_talking(text):
                return None
            return Request({"said": text}, PERHAPS if self._filling.may_lack(text) else 1.0)
        return Request({"said": text}, BEGINS) if mentions(_essence(text), *self._phrases) else None

    async def _keep(self, values: Mapping[str, str], floor: Floor) -> str:
        await floor.call.send_event("form", {"title": self._config.title, "values": dict(values)})
        if self._config.file:
            line = {"at": self._now(None).isoformat(timespec="seconds"), "title": self._config.title, "values": values}
            try:
                await trio.to_thread.run_sync(_append, Path(self._config.file), json.dumps(line, ensure_ascii=False))
            except OSError as error:
                _logger.error("a form cannot be written to %s: %s", self._config.file, error.strerror)
                return "I am sorry, I could not keep that. Please try again later."
        return self._config.thanks


def message(config: MessageConfig) -> Form:
    """The skill ``message``."""
    return Form(config.form())


def _essence(text: str) -> str:
    """Without articles, which recognisers mishear."""
    return " ".join(word for word in plain(text).split() if word not in ("a", "an", "the", "some"))


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
