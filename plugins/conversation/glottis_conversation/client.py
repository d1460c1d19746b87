"""What the client wishes of a conversation, as far as its settings let clients have wishes."""

from collections.abc import Mapping
from dataclasses import replace
from secrets import token_hex
from typing import Any, Final

import trio
from glottis import Call, ClientFunction, Wishes
from glottis.contracts.wishes import WISHES

from glottis_conversation.kinds import Tool
from glottis_conversation.settings import ConversationConfig
from glottis_conversation.telling import Teller
from glottis_conversation.thinking import Mind

NONE: Final = Wishes()


class Client:
    """Of one call. Its wishes may be others for each answer."""

    def __init__(self, call: Call, config: ConversationConfig, teller: Teller) -> None:
        self._call = call
        self._config = config
        self._teller = teller
        self._outputs: dict[str, trio.MemorySendChannel[str]] = {}
        """By the calls of its functions that wait for them."""
        self._wished: object = None
        self._read = NONE
        """What is made of that."""

    @property
    def _wishes(self) -> Wishes:
        """They are asked for with each frame, and read when there are others."""
        metadata = self._call.info.metadata
        if self._config.wishes and metadata.get(WISHES) is not self._wished:
            self._wished, self._read = metadata.get(WISHES), Wishes.of(metadata)
        return self._read

    def greet(self, *, is_heard: bool) -> None:
        """Tell it what its wishes are good for."""
        if self._config.wishes:
            by_hand = ["detection"] if is_heard and "turns" in self._config.wishes else []
            self._teller.honoured([*self._config.wishes, *by_hand, "respond"])

    @property
    def instructions(self) -> str:
        """The configuration's, and the client's behind them."""
        wished = self._wishes.instructions if "instructions" in self._config.wishes else ""
        return "\n\n".join(text for text in (self._config.instructions, wished) if text)

    def mind(self, mind: Mind) -> Mind:
        """With the client's functions as tools, but for those whose names are taken."""
        if "functions" not in self._config.wishes:
            return mind
        tools = {tool.name: tool for tool in mind.tools}
        for function in self._wishes.functions:
            tools.setdefault(function.name, self._tool(function))
        return replace(mind, tools=list(tools.values()))

    @property
    def is_answered_at_once(self) -> bool:
        """Whether what it says is; else it says when."""
        return "turns" not in self._config.wishes or (self._wishes.answers and self._wishes.detection)

    @property
    def may_interrupt(self) -> bool:
        """Whether it does by speaking."""
        return "turns" not in self._config.wishes or (self._wishes.interruptions and self._wishes.detection)

    @property
    def tells_turns(self) -> bool:
        """Whether it says when something was said: push to talk."""
        return "turns" in self._config.wishes and not self._wishes.detection

    def put_out(self, data: Mapping[str, Any]) -> None:
        """One of its functions has run; that nobody waits for any longer is nothing."""
        match data:
            case {"callId": str(call_id), "output": str(output)} if call_id in self._outputs:
                self._outputs.pop(call_id).send_nowait(output)

    def _tool(self, function: ClientFunction) -> Tool:
        async def run(arguments: Mapping[str, Any]) -> str:
            call_id = f"call_{token_hex(8)}"
            self._outputs[call_id], outputs = trio.open_memory_channel[str](1)
            try:
                self._teller.function_call(call_id, function.name, arguments)
                return await outputs.receive()
            finally:
                self._outputs.pop(call_id, None)

        return Tool(function.name, function.description, function.parameters, run)
