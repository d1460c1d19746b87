"""Lamps and buttons of plugins on a device: whatever they do, it goes on."""

import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from glottis import Button, ComponentSpec, Lamp, PluginError, hookimpl
from glottis.client.device.panel import Panel, parts_of
from glottis.client.device.running import panel_of
from glottis.client.device.settings import DeviceConfig
from glottis.client.device.state import DeviceState, State
from glottis.config.conversion import convert
from glottis.contracts.errors import ConfigurationError
from glottis.plugins import Registry, load_beside
from support.device import FAULTS, LOUD, Silent, config_of, eventually, running
from support.installed import installed_plugins
from support.patience import PATIENCE


class Hardware:
    """A lamp and a button, both in the hands of the test."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.answers: deque[Any] = deque()
        self.fault: Any = None
        self.free = threading.Semaphore(0)
        self.blocks = threading.Event()
        self.blocks.set()

    def show(self, state: str) -> Any:
        self.blocks.wait()
        self.shown.append(state)
        if isinstance(self.fault, BaseException):
            raise self.fault
        return self.fault

    def press(self, *answers: Any) -> None:
        self.answers.extend(answers)
        self.free.release(len(answers))

    def wait(self) -> Any:
        self.free.acquire()
        answer = self.answers.popleft()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @hookimpl
    def register_components(self) -> list[ComponentSpec[Any]]:
        return [ComponentSpec(kind, "bench", lambda settings: self) for kind in (Lamp, Button)]


def registry_of(hardware: Hardware) -> Registry:
    return load_beside(installed_plugins(), [hardware])


def panel(hardware: Hardware) -> Panel:
    registry, tables = registry_of(hardware), [{"name": "bench"}]
    return Panel(
        parts_of(Lamp, tables, "lamps", registry),  # type: ignore[type-abstract]
        parts_of(Button, tables, "buttons", registry),  # type: ignore[type-abstract]
    )


@asynccontextmanager
async def open_panel(hardware: Hardware) -> AsyncIterator[tuple[Panel, DeviceState, list[bool]]]:
    opened, state, presses = panel(hardware), DeviceState(100, is_held=True), list[bool]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(opened.run, state, presses.append)
        yield opened, state, presses
        hardware.press(False)  # so that no thread is left behind
        nursery.cancel_scope.cancel()
    hardware.blocks.set()


async def until(holds: Any) -> None:
    with trio.fail_after(PATIENCE):
        while not holds():  # noqa: ASYNC110
            await trio.sleep(0.001)  # a thread of the panel's has to come


async def test_a_lamp_shows_the_state_and_goes_out_at_the_end() -> None:
    hardware = Hardware()
    async with open_panel(hardware) as (_, state, _):
        for each in (State.IDLE, State.CONNECTING, State.TROUBLE):
            state.become(each)
            await until(lambda each=each: hardware.shown[-1:] == [each])
    assert hardware.shown == ["idle", "connecting", "trouble", "off"]


async def test_a_lamp_that_hangs_holds_nobody_up_and_shows_the_newest_state_afterwards() -> None:
    hardware = Hardware()
    hardware.blocks.clear()
    async with open_panel(hardware) as (_, state, presses):
        await trio.testing.wait_all_tasks_blocked()
        for each in (State.CONNECTING, State.LISTENING):
            state.become(each)
            await trio.testing.wait_all_tasks_blocked()
        hardware.press(True)
        await until(lambda: presses == [True])
        hardware.blocks.set()
        await until(lambda: hardware.shown == ["idle", "listening"])


@pytest.mark.parametrize("fault", [each for each in FAULTS if isinstance(each, BaseException)], ids=repr)
async def test_what_fails_is_told_once_with_its_plugin_and_tried_again(
    fault: BaseException, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    hardware = Hardware()
    hardware.fault = fault
    async with open_panel(hardware) as (opened, state, presses):
        hardware.press(fault, fault, "nonsense", 1, True, True, False)
        for each in (State.CONNECTING, State.LISTENING, State.IDLE):
            state.become(each)
            await until(lambda each=each: hardware.shown[-1:] == [each])
        await until(lambda: presses == [True, False])
        await until(lambda: opened.counters()["lamp_failures"] >= 3)
        assert opened.counters()["button_failures"] == 4
        assert opened.counters()["presses"] == 1
    errors = [record.getMessage() for record in caplog.records]
    assert len(errors) == 2
    assert all("plugin Hardware" in error for error in errors)


@pytest.mark.slow
async def test_a_device_is_told_by_its_button(tmp_path: Path) -> None:
    """Nothing is called: what is wished for is enough to know."""
    hardware = Hardware()
    config = config_of(tmp_path, "http://127.0.0.1:1", '[[buttons]]\nname = "bench"\n[retry]\nfirst = 60')
    async with running(config, panel=panel(hardware)) as device:
        hardware.press(True, False)
        await eventually(device, lambda: device.state.state is State.TROUBLE)
        assert device.answer("status")["panel"]["presses"] == 1
        hardware.press(True, False)
        await eventually(device, lambda: device.state.is_held)
        hardware.press(False)


async def test_pushed_to_talk_the_microphone_is_open_while_the_button_is_pressed(tmp_path: Path) -> None:
    hardware, sound = Hardware(), Silent()
    sound.pcm = LOUD
    more = '[talk]\nbutton = "push-to-talk"\n[[buttons]]\nname = "bench"\n[retry]\nfirst = 60'
    async with running(config_of(tmp_path, "http://127.0.0.1:1", more), sound, panel(hardware)) as device:
        assert device.state.is_muted
        hardware.press(True)
        await eventually(device, lambda: not device.state.is_muted)
        assert not device.state.is_held
        hardware.press(False)
        await eventually(device, lambda: device.state.is_muted)
        assert not device.state.is_held
        hardware.press(True)
        await eventually(device, lambda: not device.state.is_muted)
        hardware.press(False)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("led = 'x'", r"lamps\[0\].name: expected"),
        ("name = 'nobody'", r"lamps\[0\]: "),
        ("name = 'sysfs'", r"lamps\[0\].*led"),
        ("name = 'sysfs'\nled = 'x'\nspeed = 1", r"lamps\[0\].speed"),
    ],
)
def test_a_lamp_that_is_not_there_is_told_at_the_start(table: str, complaint: str, tmp_path: Path) -> None:
    config = config_of(tmp_path, "http://h", f"[[lamps]]\n{table}")
    with pytest.raises(ConfigurationError, match=complaint):
        panel_of(config, installed_plugins())


@pytest.mark.parametrize("fault", [*FAULTS, None], ids=repr)
def test_a_lamp_that_cannot_be_made_is_told_with_its_plugin(fault: Any) -> None:
    class Faulty:
        @hookimpl
        def register_components(self) -> list[ComponentSpec[Lamp]]:
            def create(settings: None) -> Any:
                if isinstance(fault, BaseException):
                    raise fault
                return fault

            return [ComponentSpec(Lamp, "faulty", create)]

    config = convert({"gateway": {"url": "http://h"}, "lamps": [{"name": "faulty"}]}, DeviceConfig)
    with pytest.raises(PluginError, match="Faulty"):
        panel_of(config, load_beside(installed_plugins(), [Faulty()]))
