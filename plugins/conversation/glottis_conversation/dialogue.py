"""One conversation: listens, thinks and speaks at the same time, and yields to the caller."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any, Final

import trio
from glottis import Call, TextMessage, TypedMessage

from glottis_conversation.aside import Asides
from glottis_conversation.chain import NoneWorks
from glottis_conversation.client import Client
from glottis_conversation.floor import OneFloor
from glottis_conversation.history import History
from glottis_conversation.keys import numbers
from glottis_conversation.kinds import ToolFunction
from glottis_conversation.latency import Waterfall
from glottis_conversation.listening import Listener, Said
from glottis_conversation.orders import Orders
from glottis_conversation.parts import chain_of, detector_of, mind_of, tools_of, voice_of
from glottis_conversation.sentences import is_only
from glottis_conversation.settings import ConversationConfig
from glottis_conversation.speech import SOFTLY, Sentence, Speech
from glottis_conversation.telling import Role, Teller
from glottis_conversation.thinking import Answer

MAX_WAITING: Final = 16
"""Things that the caller has said or written, and that wait for an answer; then who writes has to wait."""
MAX_PIECES: Final = 20
"""Of what is said without a pause, or with short ones, before it is answered: of ``max_turn_seconds``, ten minutes."""
FAREWELL_SECONDS: Final = 10.0
"""For the last words of a call."""
POLITE_SECONDS: Final = 2.0
"""A caller who speaks is given to finish, before the agent speaks up."""


class Dialogue:
    """Of one call. ``functions`` are tools beside those of the configuration."""

    def __init__(self, call: Call, config: ConversationConfig, functions: Sequence[ToolFunction] = ()) -> None:
        self._call = call
        self._config = config
        self._teller = Teller(call)
        self._client = Client(call, config, self._teller)
        self._history = History(config.instructions, config.history_messages)
        self._floor = OneFloor(call, self._history, speak_up=self._put_in, hang_up=self.hang_up)
        self._turn_detector = config.turn_detector.make()
        self._floor.tools = tools_of(config, self._floor, functions, self.hang_up)
        self._mind = mind_of(config, self._floor.tools)
        self._voice = voice_of(config, call, self._floor.manner)
        self._hearing = chain_of("recogniser", config.stt, config.stt_fallbacks)
        self._listener = Listener(
            call,
            config,
            self._hearing,
            caller_is=self._teller.caller_is,
            spoke=self._hesitate,
            insists=self._insist,
            partly=self._hear_partly,
            said=self._take,
            is_pushed=lambda: self._client.tells_turns,
        )
        self._send, self._receive = trio.open_memory_channel[Said](MAX_WAITING)
        self._orders = self._take_orders()
        self._notices: deque[Said] = deque()
        """That have to be said next."""
        self._speech: Speech | None = None
        self._scope: trio.CancelScope | None = None
        self._unheard: list[str] = []
        """Of the speech that was interrupted last."""
        self._heard = ""
        """Of the last speech."""
        self._is_told = False
        """Whether the client was told words of it, so that it is to know what was heard of them: nothing, maybe."""
        self._is_held = False
        """Whether the agent has fallen silent, or soft, and may go on."""
        self._is_answering = False
        self._items = count(1)
        self._saying = ""
        """The item of the last speech."""
        self._is_over = False
        self._is_late = False
        """Whether the call has lasted for as long as it may."""

    def _take_orders(self) -> Orders:
        return Orders(
            self._client,
            self._listener,
            self._history,
            Asides(self._mind, self._client, self._history, self._teller),
            interrupt=self._interrupt,
            is_answering=lambda: self._is_answering,
            send=self._send.send,
        )

    async def run(self) -> None:
        """To its end."""
        async with trio.open_nursery() as nursery:
            self._floor.nursery = nursery
            detector = detector_of(self._config) if self._hearing else None
            self._client.greet(self._mind, self._voice, is_heard=detector is not None)
            nursery.start_soon(self._teller.run)
            nursery.start_soon(self._read)
            nursery.start_soon(self._watch_keys)
            if detector is not None:
                nursery.start_soon(self._listener.run, detector)
            with trio.move_on_after(self._config.max_seconds):
                await self._talk()
                self._is_over = True
            if not self._is_over:
                self._is_late = True
                with trio.move_on_after(FAREWELL_SECONDS):
                    await self._say([self._config.farewell])
            await self._teller.drain(1.0)
            nursery.cancel_scope.cancel()

    async def hang_up(self) -> None:
        """End the call, after what is said with this was heard."""
        self._is_over = True

    def _put_in(self, text: str) -> None:
        if self._floor.nursery is not None:
            self._floor.nursery.start_soon(self._send.send, Said(text, is_notice=True))

    # What the caller does

    async def _read(self) -> None:
        async for message in self._call.messages:
            if isinstance(message, TextMessage) and message.text.strip():
                await self._take(Said(message.text.strip(), trio.current_time()))
            elif isinstance(message, TypedMessage) and self._floor.nursery is not None:
                self._orders.obey(message, self._floor.nursery)

    async def _watch_keys(self) -> None:
        async for keys in numbers(self._call, self._interrupt):
            await self._take(Said(keys, trio.current_time()))

    async def _take(self, said: Said) -> None:
        """Something was said: who speaks to be heard interrupts, who hums along does not."""
        if said.item:
            self._teller.committed(said.item, said.text, is_failure=said.is_failure)
            self._history.fill(said.item, said.text)
            return
        is_beside = said.is_spoken and self._has_floor and not self._means_something(said.text)
        if is_beside and not (said.is_failure and self._is_held):
            self._go_on()
            return
        if not said.is_spoken or self._client.may_interrupt:
            self._interrupt()
        await self._send.send(said)

    def _means_something(self, text: str) -> bool:
        return not is_only(text, self._config.backchannels)

    @property
    def _is_sounding(self) -> bool:
        return self._teller.state == "speaking"

    @property
    def _has_floor(self) -> bool:
        """Whether the agent speaks, or would if nobody else did."""
        return self._is_held or self._is_sounding

    def _hear_partly(self, text: str) -> None:
        self._teller.transcript("user", text, is_final=False)
        if self._has_floor and self._client.may_interrupt and self._means_something(text):
            self._interrupt()

    def _hesitate(self) -> None:
        """Somebody speaks, but may only hum along: what that means is not known before it is understood."""
        if self._is_held or not self._client.may_interrupt:
            return
        if self._speech is None or not self._is_sounding:
            self._interrupt()
        elif self._config.while_unsure != "speak" and not self._is_late:
            self._is_held = True
            if self._config.while_unsure == "soften":
                self._speech.go_on(SOFTLY)
            else:
                self._speech.hold()
                self._teller.state_is("listening")

    def _insist(self) -> None:
        if self._client.may_interrupt:
            self._interrupt()

    def _go_on(self) -> None:
        """From where that was."""
        if self._is_held and self._speech is not None:
            self._is_held = False
            self._speech.go_on()
            self._teller.state_is("speaking")

    def _interrupt(self) -> None:
        """Fall silent within a frame, but for the last words to who does not stop."""
        if self._speech is not None and self._scope is not None and not self._is_late:
            self._speech.cancel()
            self._scope.cancel()

    # What the agent does

    async def _talk(self) -> None:
        await self._say([self._config.greeting])
        prompts = iter(self._config.idle_prompts)
        while not self._is_over:
            said = self._notices.popleft() if self._notices else await self._next_said()
            if said is not None and said.is_notice:
                await self._announce(said)
            elif said is not None:
                prompts = iter(self._config.idle_prompts)
                await self._respond(said)
            elif (prompt := next(prompts, None)) is not None:
                await self._say([prompt])
            else:
                await self._say([self._config.farewell])
                return

    async def _next_said(self) -> Said | None:
        """All that the caller says until it is the agent's turn; None for nothing in a long time."""
        self._teller.state_is("listening")
        can_idle = self._config.idle_prompts and not self._floor.is_busy
        said = await self._heard_within(self._config.idle_seconds if can_idle else float("inf"))
        for _ in range(MAX_PIECES):
            if said is None or not said.is_spoken or said.is_failure:
                break
            more = await self._heard_within(self._client.patience(self._turn_detector.patience(said.text)))
            if more is not None and more.is_notice:
                self._notices.append(more)
            if more is None or more.is_notice:
                break
            if more.is_wanted:
                return replace(said, is_wanted=True, wishes=more.wishes)
            if more.text:
                joined = f"{said.text} {more.text}".strip()
                said = Said(joined, more.ended_at, more.is_spoken)
        return said

    async def _heard_within(self, seconds: float) -> Said | None:
        """The next that is said; who has begun by then is waited for."""
        with trio.move_on_after(seconds):
            return await self._receive.receive()
        return await self._receive.receive() if self._listener.is_hearing else None

    async def _announce(self, notice: Said) -> None:
        """To a caller who goes on speaking, too; again, if not a word of it was heard."""
        with trio.move_on_after(POLITE_SECONDS):
            await self._listener.wait_quiet()
        await self._say([notice.text])
        if not self._heard:
            self._notices.append(notice)

    async def _respond(self, said: Said) -> None:
        if said.is_failure:
            await self._say([self._config.not_understood])
        elif self._unheard and not said.is_wanted and not self._means_something(said.text):
            await self._say(self._unheard)
        elif said.text:
            text = await self._mind.clearest(said.text, said.again)
            item = self._new_item("user")
            self._teller.transcript("user", text, item=item)
            self._history.add_user(text, item)
            if not said.is_spoken or said.is_wanted or self._client.is_answered_at_once:
                await self._answer(said)
        elif said.is_wanted or (self._history.awaits_answer and self._client.is_answered_at_once):
            await self._answer(said)

    async def _say(self, texts: Sequence[str]) -> None:
        """Words of the configuration's own, or again what was interrupted."""
        texts = [text for text in texts if text]

        async def produce(speech: Speech) -> None:
            for text in texts:
                speech.say(text)

        def remember(speech: Speech) -> bool:
            self._history.add_assistant(speech.heard(), self._saying)
            return False

        if texts:
            await self._speak(produce, remember, lambda _: None, {})

    async def _answer(self, said: Said) -> None:
        self._teller.state_is("thinking")
        turns = self._config.turns
        waterfall = Waterfall(turns.hangover_ms if said.is_spoken else 0, said.ended_at)
        if said.is_spoken:
            waterfall.reached("stt")
        answers: list[Answer] = []
        self._history.instructions = self._client.instructions(said.wishes)

        async def produce(speech: Speech) -> None:
            mind = self._client.mind(self._mind, said.wishes)
            answers.append(Answer(mind, self._history, speech, partial(waterfall.reached, "llm")))
            try:
                await answers[0].find(lambda: self._is_over)
            except NoneWorks:
                speech.say(self._config.apology)

        def began(sentence: Sentence) -> None:
            if not waterfall.is_told:
                waterfall.is_told = True
                waterfall.reached("filler" if sentence.is_aside else "tts")
                self._teller.turn(waterfall.total_ms, waterfall.parts)

        def remember(_: Speech) -> bool:
            return bool(answers) and answers[0].remember(self._saying)

        self._is_answering = True
        self._history.hold()
        try:
            await self._speak(produce, remember, began, said.wishes, has_filler=True)
        finally:
            self._is_answering = False
            self._history.release()

    async def _speak(
        self,
        produce: Callable[[Speech], Awaitable[None]],
        remember: Callable[[Speech], bool],
        began: Callable[[Sentence], None],
        wishes: Mapping[str, Any],
        *,
        has_filler: bool = False,
    ) -> None:
        """Say what is produced, until all of it was heard or the caller interrupts."""
        numbers = count(1)

        def tell(sentence: Sentence) -> None:
            began(sentence)
            said = [each.text for each in speech.sentences[: next(numbers)] if not each.is_aside]
            if not sentence.is_written:
                self._teller.state_is("speaking")
            if not sentence.is_aside:
                self._is_told = True
                self._teller.transcript(
                    "agent", " ".join(said), is_final=False, is_written=sentence.is_written, item=self._saying
                )
            self._teller.state_is("speaking")

        self._is_told, self._saying = False, self._new_item("agent")
        speech = self._speech = Speech(self._client.voice(self._voice, wishes), tell)
        with trio.CancelScope() as self._scope:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(speech.run)
                    if has_filler and self._config.filler:
                        nursery.start_soon(self._fill, speech)
                    await produce(speech)
                    speech.complete()
            finally:
                self._speech, self._is_held = None, False
                speech.cancel()
                self._finish(speech, remember)

    def _finish(self, speech: Speech, remember: Callable[[Speech], bool]) -> None:
        is_cut = remember(speech)
        self._unheard, self._heard = speech.unheard, speech.heard()
        if self._heard or self._is_told:
            is_written = all(each.is_written for each in speech.sentences)
            self._teller.transcript(
                "agent",
                self._heard,
                is_interrupted=bool(self._unheard),
                is_written=is_written,
                is_cut=is_cut,
                item=self._saying,
            )

    def _new_item(self, role: Role) -> str:
        return f"{role}_{next(self._items)}"

    async def _fill(self, speech: Speech) -> None:
        """Before the answer, or in it, while a tool runs: once, or it would be a tune for who waits."""
        if await speech.is_silent_for(self._config.filler_after_ms / 1000):
            speech.say(self._config.filler, is_aside=True)
