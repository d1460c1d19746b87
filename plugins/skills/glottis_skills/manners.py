"""Skills of talking itself: ``repeat``, ``voice``, ``help``, ``goodbye`` and ``courtesy``."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from glottis_conversation import Floor, Request, Tool, tool_of

from glottis_skills.phrases import WHOLLY, heard, mentions, says

PACES: Final = (0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5)
STEP_DB: Final = 5.0
LOUDEST_DB: Final = 15.0
LIKE_THIS: Final = "Like this?"
Change = Literal["slower", "faster", "louder", "quieter", "as before"]
MAX_EXAMPLES: Final = 5

_REPEAT: Final = (
    r"repeat(?: (?:that|it|this|yourself|the last one))?(?: again| once more)?",
    r"say (?:that|it) (?:again|once more)",
    r"(?:again|once more|one more time|come again|pardon(?: me)?|what did you say|what was that|beg your pardon)",
    r"i (?:did not|didn't) (?:hear|catch|get|understand) (?:that|you)",
    r"say again",
)
_GOODBYE: Final = (
    r"(?:good[- ]?bye?|bye|bye bye|bye-bye|see you|farewell|hang up|end (?:the|this) call)"
    r"(?: (?:now|later|then|soon))?",
    r"(?:that's|that is|that was) (?:all|it|everything)",
    r"(?:thanks|thank you)(?: very much| a lot| so much)? (?:and )?(?:good[- ]?bye?|bye)(?: bye| now| then)?",
    r"i (?:have to|must|need to) go(?: now)?",
)
_GREETINGS: Final = (r"(?:hello|hi|hey|good (?:morning|day|afternoon|evening))(?: there)?",)
_THANKS: Final = (
    r"(?:many |okay )?(?:thanks|thank you)(?: (?:very much|so much|a lot|again|indeed|for [\w' ]{1,30}))?",
)
_HELP: Final = (r"help(?: me)?", r"what (?:can|do) you do", r"what (?:can|may) i (?:say|ask)(?: you)?", r"i need help")
_SPEAK: Final = r"(?:(?:speak|talk|go|say (?:it|that)|repeat (?:it|that)|a bit|a little|much|more|bit|little) )*"
_CHANGES: Final[dict[Change, str]] = {
    "slower": "slower|slowly|slow down|too fast",
    "faster": "faster|quicker|quickly|speed up|too slow|too slowly",
    "louder": "louder|speak up|too quiet|can't hear you|cannot hear you",
    "quieter": "quieter|softer|quietly|softly|too loud",
    "as before": "normally|normal speed|normal voice",
}
_REPEAT_SAYINGS: Final = ("repeat that", "repeat the last one", "say that again", "say it again", "what did you say")
_GOODBYE_SAYINGS: Final = ("goodbye", "thank you goodbye", "that is all", "hang up")
_GREETING_SAYINGS: Final = ("good morning", "good afternoon", "good evening")
_THANKS_SAYINGS: Final = ("thank you very much", "thank you", "thanks a lot")
_HELP_SAYINGS: Final = ("what can you do", "what can i say", "help me", "i need help", "i need some help")
_SPEAK_SAYINGS: Final = (
    "speak up",
    "slow down",
    *(
        f"speak {little}{how}"
        for little in ("", "a little ", "a bit ", "more ")
        for how in ("slower", "faster", "louder", "quieter", "softer", "slowly", "quickly")
    ),
)


class Repeat:
    """Says the last again."""

    def __init__(self, settings: None) -> None: ...

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """One that repeats."""

        async def repeat() -> str:
            """What was said last, word by word."""
            return last_said(floor) or "I have not said anything yet."

        return [
            tool_of(
                repeat,
                heard(_REPEAT, ("repeat that", "say that again", "can you repeat")),
                example="say that again",
                sayings=_REPEAT_SAYINGS,
            )
        ]


def last_said(floor: Floor) -> str:
    """By the agent, as far as the caller has heard it."""
    said = (message.text for message in reversed(floor.history) if message.role == "assistant" and message.text)
    return next(said, "")


class VoiceSkill:
    """Speaks slower, faster, louder and quieter, from now on."""

    def __init__(self, settings: None) -> None: ...

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """One that changes it."""

        async def change_voice(change: Change) -> str:
            """Speak otherwise from now on."""
            manner = floor.manner
            if change == "as before":
                manner.pace, manner.gain_db = 1.0, 0.0
            elif change in ("slower", "faster"):
                manner.pace = _next_pace(manner.pace, 1 if change == "faster" else -1)
            else:
                step = STEP_DB if change == "louder" else -STEP_DB
                manner.gain_db = min(LOUDEST_DB, max(-LOUDEST_DB, manner.gain_db + step))
            return f"{LIKE_THIS} {last_said(floor).removeprefix(LIKE_THIS).strip()}".strip()

        return [tool_of(change_voice, _hear_change, example="speak slower", sayings=_SPEAK_SAYINGS)]


def is_about_talking(text: str) -> bool:
    """Whether somebody who is asked something does not answer, but wants it said again, or otherwise, or help."""
    changes = f"{_SPEAK}(?:{'|'.join(_CHANGES.values())})"
    return says(text, *_REPEAT, changes, *_HELP, *_GOODBYE) is not None


def _next_pace(pace: float, step: int) -> float:
    at = min(range(len(PACES)), key=lambda each: abs(PACES[each] - pace))
    return PACES[min(len(PACES) - 1, max(0, at + step))]


def _hear_change(text: str) -> Request | None:
    for change, words in _CHANGES.items():
        if mentions(text, words):
            return Request({"change": change}, WHOLLY if says(text, f"{_SPEAK}(?:{words})") else 0.9)
    return None


class HelpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the skill ``help``."""

    about: str = ""
    """Said first to who asks for help: what the assistant is for."""


class Help:
    """Tells what may be asked."""

    def __init__(self, config: HelpConfig) -> None:
        self._about = config.about

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """One that helps."""

        async def list_abilities() -> str:
            """What callers may ask."""
            examples = [tool.example for tool in floor.tools if tool.example][:MAX_EXAMPLES]
            listed = f"You can say, for example: {'; '.join(examples)}." if examples else ""
            return f"{self._about} {listed}".strip() or "Just ask."

        hear = heard(_HELP, ("help", "what can you do", "what can i ask", "what can i say"))
        return [tool_of(list_abilities, hear, sayings=_HELP_SAYINGS)]


class GoodbyeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the skill ``goodbye``."""

    words: str = "Goodbye."
    """The last of a call."""


class Goodbye:
    """Ends the call."""

    def __init__(self, config: GoodbyeConfig) -> None:
        self._words = config.words

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """The one that every conversation has, with a rule."""

        async def hang_up() -> None:
            """End the call, after what is said with this was heard."""
            await floor.hang_up()

        def hear(text: str) -> Request | None:
            if says(text, *_GOODBYE):
                return Request(certainty=WHOLLY, before=self._words)
            if mentions(text, "good-?bye?", "bye", "hang up"):
                return Request(certainty=0.6, before=self._words)
            return None

        return [tool_of(hang_up, hear, sayings=_GOODBYE_SAYINGS)]


class CourtesyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the skill ``courtesy``."""

    hello: str = "Hello. What can I do for you?"
    """To who greets."""
    welcome: str = "You are welcome."
    """To who thanks."""


class Courtesy:
    """Answers who greets and who thanks."""

    def __init__(self, config: CourtesyConfig) -> None:
        self._config = config

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """One for each."""

        async def greet() -> str:
            """Answer a greeting."""
            return self._config.hello

        async def accept_thanks() -> str:
            """Answer thanks."""
            return self._config.welcome

        return [
            tool_of(greet, heard(_GREETINGS), sayings=_GREETING_SAYINGS),
            tool_of(accept_thanks, heard(_THANKS), sayings=_THANKS_SAYINGS),
        ]
