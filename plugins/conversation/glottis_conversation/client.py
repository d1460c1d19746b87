"""What the client wishes of a conversation, as far as its settings let clients have wishes."""

from collections.abc import Mapping
from dataclasses import replace
from secrets import token_hex
from typing import Any, Final

import trio
from glottis import Call, ClientFunction, Wishes
from glottis.contracts.wishes import WISHES

from glottis_conversation.chain import Chain
from glottis_conversation.kinds import Choosing, Paced, TextToSpeech, Tool, ToolCall
from glottis_conversation.parts import chain_of
from glottis_conversation.settings import ConversationConfig
from glottis_conversation.speech import Voice
from glottis_conversation.telling import Teller
from glottis_conversation.thinking import MAX_RESULT, Mind

MAX_GIVEN_UP: Final = 32
CHARACTERS_PER_TOKEN: Final = 4
"""Roughly: what a model's own tokens are, only that knows."""

EAGERNESS: Final = {"low": (2.0, 1.0, 8.0), "medium": (1.0, 0.0, 4.0), "high": (0.5, 0.0, 2.0)}
"""What the turn detector's seconds are multiplied by, and their bounds."""


class Client:
    """Of one call. Its wishes may be others for each answer."""

    def __init__(self, call: Call, config: ConversationConfig, teller: Teller) -> None:
        self._call = call
        self._config = config
        self._teller = teller
        self._outputs: dict[str, trio.MemorySendChannel[str]] = {}
        """By the calls of its functions that wait for them."""
        self._given_up: dict[str, ToolCall] = {}
        """Calls that nobody waits for any longer: the caller has interrupted, or it has taken too long."""
        self._wished: object = None
        self._read = Wishes()
        """What is made of that."""
        self._voices: dict[str, Chain[TextToSpeech]] = {}

    @property
    def has_wishes(self) -> bool:
        """Whether it may have any."""
        return bool(self._config.wishes)

    @property
    def may_instruct(self) -> bool:
        """Whether it may tell the model what to do."""
        return "instructions" in self._config.wishes

    @property
    def _wishes(self) -> Wishes:
        """They are asked for with each frame, and read when there are others."""
        metadata = self._call.info.metadata
        if metadata.get(WISHES) is not self._wished:
            self._wished, self._read = metadata.get(WISHES), Wishes.of(metadata)
        return self._read

    def _with(self, of_one: Mapping[str, Any]) -> Wishes:
        """With those that are for one answer alone."""
        if not of_one:
            return self._wishes
        of_all = self._call.info.metadata.get(WISHES)
        return Wishes.of({WISHES: {**(of_all if isinstance(of_all, Mapping) else {}), **of_one}})

    def greet(self, mind: Mind, voice: Voice, *, is_heard: bool) -> None:
        """Tell it what its wishes are good for."""
        if not self._config.wishes:
            return
        allowed = self._config.wishes
        model: object = mind.chain.first
        speaker: object = voice.chain.first
        also = {
            "detection": is_heard and "turns" in allowed,
            "eagerness": is_heard and "turns" in allowed,
            "pace": isinstance(speaker, Paced) and "speech" in allowed,
            "choice": isinstance(model, Choosing) and "functions" in allowed,
        }
        voices = list(self._config.voices) if "speech" in allowed else []
        self._teller.honoured(
            [*allowed, "respond", "items", "asides", *(name for name, is_so in also.items() if is_so)], voices
        )

    def instructions(self, of_one: Mapping[str, Any]) -> str:
        """The configuration's, and the client's behind them."""
        wished = self._with(of_one).instructions if "instructions" in self._config.wishes else ""
        return "\n\n".join(text for text in (self._config.instructions, wished) if text)

    def mind(self, mind: Mind, of_one: Mapping[str, Any]) -> Mind:
        """With the client's functions as tools, but for those whose names are taken, and no longer than it wants."""
        wishes, allowed = self._with(of_one), self._config.wishes
        if "length" in allowed and wishes.max_tokens is not None:
            most = min(mind.max_characters, CHARACTERS_PER_TOKEN * wishes.max_tokens)
            mind = replace(mind, max_characters=most)
        if "functions" not in allowed or wishes.choice == "none":
            return mind
        tools = {tool.name: tool for tool in mind.tools}
        for function in wishes.functions:
            tools.setdefault(function.name, self._tool(function))
        must = wishes.chosen if wishes.chosen in tools else "" if wishes.choice == "required" else None
        return replace(mind, tools=list(tools.values()), must_call=must)

    def voice(self, voice: Voice, of_one: Mapping[str, Any]) -> Voice:
        """The one that it wants to hear, or none."""
        wishes = self._with(of_one)
        voice = replace(voice, sends_texts=wishes.texts)
        if "speech" not in self._config.wishes:
            return voice
        if not wishes.speaks:
            return replace(voice, chain=Chain("voice", []))
        return replace(voice, pace=wishes.pace, chain=self._chain(wishes.voice, voice.chain))

    def _chain(self, name: str, chain: Chain[TextToSpeech]) -> Chain[TextToSpeech]:
        if name not in self._config.voices:
            return chain
        if name not in self._voices:
            self._voices[name] = chain_of("voice", self._config.voices[name], ()).before(chain)
        return self._voices[name]

    @property
    def is_answered_at_once(self) -> bool:
        """Whether what it says is; else it says when."""
        return "turns" not in self._config.wishes or (self._wishes.answers and self._wishes.detection)

    def patience(self, seconds: float) -> float:
        """How long it is waited for more of it, where its turn would be waited on for so many seconds."""
        if "turns" not in self._config.wishes or (eagerness := self._wishes.eagerness) == "":
            return seconds
        factor, least, most = EAGERNESS[eagerness]
        return min(max(factor * seconds, least), most)

    @property
    def may_interrupt(self) -> bool:
        """Whether it does by speaking."""
        return "turns" not in self._config.wishes or (self._wishes.interruptions and self._wishes.detection)

    @property
    def tells_turns(self) -> bool:
        """Whether it says when something was said: push to talk."""
        return "turns" in self._config.wishes and not self._wishes.detection

    def put_out(self, data: Mapping[str, Any]) -> tuple[ToolCall, str] | None:
        """One of its functions has run. What nobody waits for any longer is for the history: the call, and its result.

        What was never called, or has come before, is nothing.
        """
        match data:
            case {"callId": str(call_id), "output": str(output)}:
                if (outputs := self._outputs.pop(call_id, None)) is not None:
                    outputs.send_nowait(output)
                elif (call := self._given_up.pop(call_id, None)) is not None:
                    return call, output[:MAX_RESULT]
        return None

    def give_up_waiting(self) -> bool:
        """It wants the answer to go on without what comes of its functions; false if nobody waits for that."""
        is_any = bool(self._outputs)
        for call_id in list(self._outputs):
            self._outputs[call_id].close()
        return is_any

    def _give_up(self, call: ToolCall) -> None:
        self._given_up[call.id] = call
        if len(self._given_up) > MAX_GIVEN_UP:
            del self._given_up[next(iter(self._given_up))]

    def _tool(self, function: ClientFunction) -> Tool:
        async def run(arguments: Mapping[str, Any]) -> str:
            call_id = f"call_{token_hex(8)}"
            self._outputs[call_id], outputs = trio.open_memory_channel[str](1)
            try:
                self._teller.function_call(call_id, function.name, arguments)
                return await outputs.receive()
            except trio.EndOfChannel:
                return "It was called; what comes of it is not known."
            finally:
                if self._outputs.pop(call_id, None) is not None:
                    self._give_up(ToolCall(function.name, arguments, call_id))

        return Tool(function.name, function.description, function.parameters, run)
