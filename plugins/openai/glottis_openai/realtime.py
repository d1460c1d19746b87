"""The agent ``openai-realtime``: hands the caller's voice to a model that hears and speaks, and plays what it says."""

import logging
import math
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec
import trio
from glottis import Agent, Call, CampaignInfo, Malformed, TextMessage
from glottis_conversation import ToolCall, ToolFunction
from glottis_conversation.telling import Teller
from glottis_conversation.thinking import result_of
from glottis_conversation.tools import tool_of
from glottis_services import ServiceFailed
from glottis_services.takeover import check_campaign, with_takeover
from glottis_services.websocket import Connect, open_socket

from glottis_openai.realtime_events import (
    RATE,
    Error,
    Event,
    Item,
    Response,
    StatusDetails,
    audio_append,
    name_of,
    read_event_untrusted,
    response_create,
    session_update,
    tool_result,
    truncate,
    user_text,
)
from glottis_openai.realtime_settings import RealtimeConfig
from glottis_openai.realtime_speech import SpokenItem
from glottis_openai.settings import authorization

NAME: Final = "openai-realtime"
KEYS_SECONDS: Final = 2.0
"""After which what was pressed is complete; the hash key completes it at once."""
MAX_TOOL_CALLS: Final = 16
"""In one response."""
MAX_SPOKEN: Final = 16
"""Items that wait to be heard at a time: a service has one, or a few that follow each other."""
MAX_INTERRUPTED: Final = 16
"""Items that were interrupted lately: their last events are on their way then."""
FATAL: Final = frozenset({"session_expired", "insufficient_quota", "invalid_api_key", "model_not_found"})
"""Errors after which a session is of no use; the others are about one event."""

_logger = logging.getLogger(__name__)


def realtime(
    config: RealtimeConfig,
    campaign: CampaignInfo | None = None,
    *,
    tools: Sequence[ToolFunction] = (),
    connect: Connect | None = None,
) -> Agent:
    """The agent of these settings, whose model may call these ``tools``, too. ``connect`` is for tests."""
    check_campaign(NAME, RATE, config.when_failed, campaign)
    if config.turn_detection == "local":
        config.vad.make()
    for box in config.tools:
        box.make()

    async def converse(call: Call) -> None:
        conversation = RealtimeCall(call, config, tools)
        try:
            with trio.move_on_after(config.max_seconds):
                await conversation.run(connect)
        finally:
            conversation.end_speech()

    return with_takeover(NAME, config.when_failed, converse)


class RealtimeCall:
    """One call."""

    def __init__(self, call: Call, config: RealtimeConfig, functions: Sequence[ToolFunction]) -> None:
        self._call = call
        self._config = config
        self._teller = Teller(call)
        brought = [each for box in config.tools for each in box.make().functions(call)]
        self._tools = [tool_of(each) for each in (*functions, *brought, self.hang_up)]
        self._item: SpokenItem | None = None
        self._interrupted: deque[str] = deque(maxlen=MAX_INTERRUPTED)
        self._spoken = 0
        """Items of which not all was heard yet."""
        self._calls: list[Item] = []
        self._is_answering = self._owes_answer = self._is_spoken_to = self._has_session = False
        self._failures = 0
        self._waiting = trio.CancelScope()
        self._over = trio.Event()

    async def run(self, connect: Connect | None) -> None:
        """To its end. Raises ``ServiceFailed``."""
        config = self._config
        query = {"model": config.model}
        async with open_socket(config, "/realtime", query, authorization(config), connect) as self._socket:
            await self._socket.send(session_update(config, self._tools))
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for task in (self._teller.run, self._socket.watch, self._obey, self._read, self._watch_keys):
                    nursery.start_soon(task)
                nursery.start_soon(self._listen_locally if config.turn_detection == "local" else self._listen)
                self._teller.state_is("listening")
                if config.greeting:
                    await self._ask_for_answer(f"Say: {config.greeting}")
                await self._over.wait()
                if self._item is not None:
                    await self._item.utterance.done.wait()
                await self._teller.drain(1.0)
                nursery.cancel_scope.cancel()

    def end_speech(self) -> None:
        """What is said is complete: a call goes on as long as something is said."""
        if self._item is not None:
            self._item.end()

    async def hang_up(self) -> None:
        """End the call, after what is said with this was heard."""
        self._over.set()

    # What the caller does

    async def _listen(self) -> None:
        async for frame in self._call.audio:
            await self._socket.send(audio_append(frame.pcm))

    async def _listen_locally(self) -> None:
        async for turn in self._call.turns(self._config.vad.make(), self._config.turns):
            async for frame in turn.audio:
                await self._socket.send(audio_append(frame.pcm))
                if not self._is_spoken_to and turn.spoken_seconds * 1000 >= self._config.interrupt_ms:
                    self._is_spoken_to = True
                    await self._interrupt()
            if self._is_spoken_to:
                self._is_spoken_to = False
                await self._socket.send({"type": "input_audio_buffer.commit"})
                await self._ask_for_answer()
            else:
                await self._socket.send({"type": "input_audio_buffer.clear"})

    async def _read(self) -> None:
        async for message in self._call.messages:
            if isinstance(message, TextMessage) and message.text.strip():
                await self._take_text(message.text.strip())

    async def _watch_keys(self) -> None:
        keys = ""
        while True:
            with trio.move_on_after(KEYS_SECONDS if keys else math.inf):
                digit = (await anext(self._call.dtmf)).digit
                if digit != "#":
                    keys += digit
                    continue
            if keys:
                await self._take_text(keys)
            keys = ""

    async def _take_text(self, text: str) -> None:
        await self._interrupt()
        self._teller.transcript("user", text)
        await self._socket.send(user_text(text))
        await self._ask_for_answer()

    async def _ask_for_answer(self, instructions: str = "") -> None:
        """Only one is given at a time, and none to who speaks: then a later one is for this, too."""
        if self._is_answering or self._is_spoken_to:
            self._owes_answer = self._is_answering
            return
        self._expect_answer()
        await self._socket.send(response_create(instructions))

    def _expect_answer(self) -> None:
        self._teller.state_is("thinking")
        self._waiting.deadline = self._deadline = trio.current_time() + self._config.patience

    def _expect_nothing(self) -> None:
        self._waiting.deadline = self._deadline = math.inf

    async def _interrupt(self, *, is_cancelled: bool = False) -> None:
        """Fall silent, and let the model know what was heard; ``is_cancelled`` where it goes no further by itself."""
        item, self._item = self._item, None
        self._calls, self._owes_answer = [], False
        self._expect_nothing()
        heard_ms = None
        if item is not None and item.is_going_on:
            self._interrupted.append(item.id)
            heard_ms = item.cancel()
        if self._is_answering and not is_cancelled:
            self._is_answering = False
            await self._socket.send({"type": "response.cancel"})
        if item is not None and heard_ms is not None:
            await self._socket.send(truncate(item.id, heard_ms))
        self._teller.state_is("listening")

    # What the service says

    _deadline = math.inf

    async def _obey(self) -> None:
        while True:
            with trio.CancelScope(deadline=self._deadline) as self._waiting:
                message = await self._socket.receive()
            if self._waiting.cancelled_caught:
                raise ServiceFailed(f"{self._config.place} has not answered in time: check model, or raise patience")
            try:
                event = read_event_untrusted(message)
            except Malformed as error:
                raise ServiceFailed(f"{self._config.place}: {error}: check url and model") from None
            await self._handle(event)

    async def _handle(self, event: Event) -> None:
        match event.type:
            case "session.updated":
                self._has_session = True
            case "input_audio_buffer.speech_started":
                self._is_spoken_to = True
                self._teller.caller_is("speaking")
                await self._interrupt(is_cancelled=True)
            case "input_audio_buffer.speech_stopped":
                self._is_spoken_to = False
                self._teller.caller_is("silent")
                self._expect_answer()
            case "conversation.item.input_audio_transcription.completed" if event.transcript.strip():
                self._teller.transcript("user", event.transcript.strip())
            case "response.created":
                self._is_answering = True
                self._expect_answer()
            case "response.output_text.done" if event.text:
                await self._call.send_text(event.text)
            case "response.output_item.done" if event.item is not None and event.item.type == "function_call":
                self._calls = [*self._calls, event.item][:MAX_TOOL_CALLS]
            case "response.done":
                await self._finish(event)
            case "error":
                self._judge(event.error or Error())
            case _ if event.item_id and event.item_id not in self._interrupted:
                self._speak(event)

    def _speak(self, event: Event) -> None:
        match event.type:
            case "response.output_audio.delta":
                self._expect_nothing()
                self._item_of(event).add(event.pcm)
            case "response.output_audio_transcript.delta":
                self._item_of(event).add_text(event.delta)
            case "response.output_audio.done":
                self._item_of(event).end()

    def _item_of(self, event: Event) -> SpokenItem:
        if self._item is None or self._item.id != event.item_id:
            if self._spoken >= MAX_SPOKEN:
                raise ServiceFailed(f"{self._config.place} says {MAX_SPOKEN} things at a time: check model")
            self.end_speech()
            self._spoken += 1
            self._item = SpokenItem(event.item_id, self._call, partial(self._teller.state_is, "speaking"))
            self._nursery.start_soon(self._tell_end, self._item)
        return self._item

    async def _tell_end(self, item: SpokenItem) -> None:
        await item.utterance.done.wait()
        self._spoken -= 1
        if heard := item.heard:
            self._teller.transcript("agent", heard, is_interrupted=heard != item.text)
        if self._item is item and not self._is_answering:
            self._teller.state_is("listening")

    async def _finish(self, event: Event) -> None:
        self._is_answering = False
        self._expect_nothing()
        calls, self._calls = self._calls, []
        response = event.response or Response()
        self.end_speech()
        if response.status == "failed":
            await self._try_again(response.status_details)
            return
        self._failures = 0
        if calls and response.status != "cancelled":
            self._nursery.start_soon(self._run_tools, calls)
        elif self._owes_answer:
            self._owes_answer = False
            await self._ask_for_answer()
        elif self._item is None or not self._item.is_going_on:
            self._teller.state_is("listening")

    async def _run_tools(self, calls: Sequence[Item]) -> None:
        for item in calls:
            result = await self._result_of(item)
            await self._socket.send(tool_result(item.call_id or "", result))
        if not self._over.is_set():
            await self._ask_for_answer()

    async def _result_of(self, item: Item) -> str:
        try:
            arguments = msgspec.json.decode(item.arguments or "{}", type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return "error: the arguments are no JSON object"
        return await result_of(ToolCall(item.name or "", arguments), self._tools, self._config.patience)

    async def _try_again(self, details: StatusDetails | None) -> None:
        self._failures += 1
        name = name_of((details or StatusDetails()).error or Error())
        if self._failures > self._config.retries or name in FATAL:
            raise ServiceFailed(f"{self._config.place} could not answer ({name}): check the account and model")
        await self._ask_for_answer()

    def _judge(self, error: Error) -> None:
        name = name_of(error)
        if name in FATAL or not self._has_session:
            raise ServiceFailed(f"{self._config.place} refuses the session ({name}): check api_key and the settings")
        _logger.info("the service of the agent %s has refused one event: %s", NAME, name)
