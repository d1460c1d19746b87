"""The loop of a device: wait for a wish to talk, call, talk, and begin again, for ever."""

import logging
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final, Protocol

import trio

from glottis.audio import level_dbfs
from glottis.barrier import stop
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_client_call
from glottis.client.connection import CallFailed
from glottis.client.device.backoff import BackOff
from glottis.client.device.panel import Panel
from glottis.client.device.settings import DeviceConfig
from glottis.client.device.sound import Sound
from glottis.client.device.state import DeviceState, State
from glottis.client.device.status import StatusServer, listening_at
from glottis.contracts.audio import FRAME_SECONDS

STEADY: Final = 10.0
"""Seconds of a call after which the gateway counts as well."""
AUDIBLE_DBFS: Final = -50.0
STILL_SPEAKING: Final = 0.4
"""Seconds that the agent may pause between words."""

logger = logging.getLogger(__name__)


class OpenCall(Protocol):
    """As ``open_client_call``."""

    def __call__(
        self, request: CallRequest, *, waits: Callable[[int], object]
    ) -> AbstractAsyncContextManager[ClientCall]: ...


class Device:
    """Runs until it is cancelled."""

    def __init__(
        self,
        config: DeviceConfig,
        request: CallRequest,
        sound: Sound,
        rng: random.Random,
        panel: Panel | None = None,
        open_call: OpenCall = open_client_call,
    ) -> None:
        self._config = config
        self._request = request
        self._sound = sound
        self._panel = panel or Panel()
        self._open_call = open_call
        self._back_off = BackOff(config.retry.first, config.retry.longest, rng)
        self.state = DeviceState(config.sound.volume, is_held=config.talk.begin != "always")
        self.state.is_muted = self._is_pushed_to_talk
        self._last_sound = self._last_heard = 0.0

    def answer(self, line: str) -> dict[str, Any]:
        """What a client of the status gets for a line."""
        wrong = self.state.obey(line)
        if wrong:
            return {"error": wrong}
        return self.state.document() | {"sound": self._sound.counters(), "panel": self._panel.counters()}

    @property
    def _is_pushed_to_talk(self) -> bool:
        return bool(self._config.buttons) and self._config.talk.button == "push-to-talk"

    def press(self, is_down: bool) -> None:
        """A button was pressed or released."""
        if self._is_pushed_to_talk:
            self.state.obey("unmute" if is_down else "mute")
        if is_down:
            self.state.obey("talk" if self._is_pushed_to_talk or self.state.is_held else "hang-up")

    async def run(self, ready: Callable[[], object] = lambda: None) -> None:
        """Raises ``ConfigurationError`` before it is ``ready``, and nothing later."""
        path = self._config.status.path
        with listening_at(path) if path else nullcontext() as listener:
            async with trio.open_nursery() as nursery:
                if listener:
                    server = StatusServer(self.answer, lambda: self.state.changed)
                    nursery.start_soon(server.serve, listener)
                nursery.start_soon(self._sound.run)
                nursery.start_soon(self._panel.run, self.state, self.press)
                ready()
                await self._go_on_for_ever()

    async def _go_on_for_ever(self) -> None:
        while True:
            await self._wish()
            failure = await self._attempt()
            if failure is None and not self._is_to_call_again:
                self.state.become(State.IDLE)
                continue
            pause = self._back_off.next_pause(failure)
            if failure is None:
                self.state.become(State.IDLE)
            else:
                logger.warning("%s; again in %.1f s", failure, pause)
            with trio.CancelScope() as self.state.scope:
                await trio.sleep(pause)
            self.state.scope = None
            if self.state.is_held:
                self.state.become(State.IDLE)

    @property
    def _is_to_call_again(self) -> bool:
        return self._config.talk.begin == "always" and not self.state.is_held

    async def _wish(self) -> None:
        """Until somebody wants a call."""
        if not self.state.is_held:
            return
        async with trio.open_nursery() as nursery:
            if self._config.talk.begin == "level":
                nursery.start_soon(self._wake_by_level)
            await self.state.wanted.wait()
            nursery.cancel_scope.cancel()

    async def _wake_by_level(self) -> None:
        talk, loud = self._config.talk, 0.0
        self._sound.forget()  # the end of the last call does not begin another
        while loud < talk.level_seconds:
            frame = self.state.captured(await self._sound.take())
            loud = loud + FRAME_SECONDS if level_dbfs(frame) > talk.level_dbfs else 0.0
        self.state.talk()

    async def _attempt(self) -> BaseException | None:
        """A call; returns why there was none, or why it broke."""
        self.state.become(State.CONNECTING)
        failures: list[BaseException] = []
        with trio.CancelScope() as self.state.scope:
            try:
                await self._call()
            except BaseException as error:
                stop(error, failures.append)
        self.state.scope = None
        is_wanted_still = self._config.talk.begin == "always" or (failures and self._config.talk.begin == "command")
        if not is_wanted_still:
            self.state.hang_up()
        if not failures:
            return None
        self.state.failures += 1
        self.state.last_error = _in_words(failures[0])
        self.state.become(State.TROUBLE)
        return failures[0]

    async def _call(self) -> None:
        async with self._open_call(self._request, waits=lambda place: self.state.become(State.WAITING)) as call:
            await self._talk(call)
        if call.gateway_restarts:  # nobody has wanted that end
            raise CallFailed("the gateway stops or restarts")

    async def _talk(self, call: ClientCall) -> None:
        """Until the call ends, which cancels it."""
        await call.connected.wait()
        began = trio.current_time()
        self._last_sound, self._last_heard = began, began - STILL_SPEAKING
        self.state.calls += 1
        self.state.become(State.LISTENING)
        call.nursery.start_soon(self._listen, call)
        call.nursery.start_soon(self._watch, call, began)
        self._sound.forget()  # what was heard before would be delay
        while True:
            frame = self.state.captured(await self._sound.take())
            if level_dbfs(frame) > self._config.talk.level_dbfs:
                self._last_sound = trio.current_time()
            await call.say(frame)

    async def _listen(self, call: ClientCall) -> None:
        async for frame in call.audio:
            if level_dbfs(frame) > AUDIBLE_DBFS:
                self._last_sound = self._last_heard = trio.current_time()
                self.state.become(State.SPEAKING)
            self._sound.write(self.state.played(frame))

    async def _watch(self, call: ClientCall, began: float) -> None:
        """Every tenth of a second, what time alone changes."""
        longest = self._config.talk.end_after_silence
        while True:
            await trio.sleep(0.1)
            now = trio.current_time()
            if now - began >= STEADY:
                self._back_off.reset()
            if now - self._last_heard >= STILL_SPEAKING:
                self.state.become(State.LISTENING)
            if longest and now - self._last_sound >= longest:
                call.hang_up("silence")


def _in_words(error: BaseException) -> str:
    return str(error) or type(error).__name__
