"""Lamps and buttons of plugins. Whatever they do, the device goes on: none has the event loop, and all may raise."""

import logging
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Generic, TypeVar, cast

import msgspec
import trio

from glottis.client.device.backoff import BackOff
from glottis.client.device.state import DeviceState
from glottis.config.components import typed_settings
from glottis.contracts.errors import ConfigurationError, PluginError
from glottis.contracts.panel import OFF, Button, Lamp
from glottis.plugins import Plugin, Registry, create
from glottis.plugins.guard import uncounted

T = TypeVar("T")

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
DEBOUNCE: Final = 0.02
"""Seconds between two changes of a button that count: contacts bounce, and one that returns at once floods nobody."""
LAST_LOOK: Final = 0.5
"""Seconds that lamps have to go out when the device ends."""

logger = logging.getLogger(__name__)


class Part(msgspec.Struct, Generic[T], frozen=True):
    """A lamp or a button, and whose it is."""

    plugin: Plugin
    name: str
    does: T


def parts_of(kind: type[T], tables: Iterable[Mapping[str, Any]], key: str, registry: Registry) -> list[Part[T]]:
    """Those that the file names. Raises ``ConfigurationError`` and ``PluginError``."""
    return [_part(kind, table, f"{key}[{index}]", registry) for index, table in enumerate(tables)]


def _part(kind: type[T], table: Mapping[str, Any], path: str, registry: Registry) -> Part[T]:
    settings = dict(table)
    name = settings.pop("name", None)
    if not isinstance(name, str):
        raise ConfigurationError(f"{path}.name: expected the name of a component")
    try:
        found = registry.components_of(kind).find(name)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    typed = typed_settings(registry, found, settings, path)
    try:
        return Part(found.plugin, name, create(found.plugin, found.spec, typed))
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}.{error}") from None


class Panel:
    """What a device shows, and how it is told without the socket."""

    def __init__(self, lamps: Iterable[Part[Lamp]] = (), buttons: Iterable[Part[Button]] = ()) -> None:
        self._lamps = tuple(lamps)
        self._buttons = tuple(buttons)
        self._counts = dict.fromkeys(("lamp_failures", "button_failures", "presses"), 0)

    def counters(self) -> dict[str, int]:
        """What has failed, and how often a button was pressed."""
        return dict(self._counts)

    async def run(self, state: DeviceState, pressed: Callable[[bool], object]) -> None:
        """Until cancelled; ``pressed`` hears of each change of a button."""
        async with trio.open_nursery() as nursery:
            for lamp in self._lamps:
                nursery.start_soon(self._show, lamp, state)
            for button in self._buttons:
                nursery.start_soon(self._watch, button, pressed)

    async def _show(self, lamp: Part[Lamp], state: DeviceState) -> None:
        thread, shown = _Thread(lamp), ""
        try:
            while True:
                changed = state.changed
                if shown != state.state:
                    shown = state.state.value
                    await self._try(thread, "lamp_failures", lamp.does.show, shown)
                else:
                    await changed.wait()
        finally:
            with trio.move_on_after(LAST_LOOK, shield=True):
                await self._try(thread, "lamp_failures", lamp.does.show, OFF)

    async def _watch(self, button: Part[Button], pressed: Callable[[bool], object]) -> None:
        thread, back_off = _Thread(button), BackOff(FIRST_PAUSE, LONGEST_PAUSE, random.SystemRandom())
        is_down = False
        while True:
            answer = await self._try(thread, "button_failures", _asked, button)
            if answer is None:
                await trio.sleep(back_off.next_pause())
                continue
            back_off.reset()
            if answer != is_down:
                is_down = answer
                self._counts["presses"] += is_down
                pressed(is_down)
            await trio.sleep(DEBOUNCE)

    async def _try(self, thread: "_Thread", count: str, function: Callable[..., T], *arguments: object) -> T | None:
        try:
            return await thread.run(function, *arguments)
        except PluginError as error:
            self._counts[count] += 1
            if not thread.has_failed:
                thread.has_failed = True
                logger.error("%s; from now on it is only counted", error, exc_info=error)
            return None


class _Thread:
    """Of one lamp or button: at most one call of it is under way, and who hangs in it takes no other's thread."""

    def __init__(self, part: Part[Any]) -> None:
        self._plugin = part.plugin
        self._name = part.name
        self._limiter = trio.CapacityLimiter(1)
        self.has_failed = False

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Raises ``PluginError``. Who is cancelled leaves the call alone: the thread ends with the process."""
        return await trio.to_thread.run_sync(
            cast("Callable[..., T]", uncounted),
            self._plugin,
            self._name,
            function,
            *arguments,
            abandon_on_cancel=True,
            limiter=self._limiter,
        )


def _asked(button: Part[Button]) -> bool:
    answer: object = button.does.wait()
    if type(answer) is not bool:
        raise PluginError(f"wait is to return whether it is pressed, and has returned a {type(answer).__name__}")
    return answer
