"""Files and pipes stand in for the kernel's."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from glottis.testing import ComponentContract
from glottis_panel import EvdevButton, EvdevConfig, SysfsConfig, SysfsLamp, register_components
from glottis_panel.evdev import EVENT


@pytest.mark.slow
class TestLampContract(ComponentContract):
    spec, _ = register_components()
    settings: ClassVar[Mapping[str, Any]] = {"led": "green"}


@pytest.mark.slow
class TestButtonContract(ComponentContract):
    _, spec = register_components()
    settings: ClassVar[Mapping[str, Any]] = {"device": "/dev/input/event0"}


def event(kind: int, code: int, value: int) -> bytes:
    return EVENT.pack(0, 0, kind, code, value)


def test_a_lamp_is_lit_in_its_states_as_brightly_as_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "green").mkdir()
    (tmp_path / "green" / "max_brightness").write_text("255\n")
    lamp = SysfsLamp(SysfsConfig(led="green", lit=("trouble",), directory=str(tmp_path)))
    for state, brightness in (("trouble", "255"), ("idle", "0"), ("off", "0")):
        lamp.show(state)
        assert (tmp_path / "green" / "brightness").read_text() == brightness


def test_a_button_hears_its_own_key_without_repetitions(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(event(0, 0, 0) + event(1, 30, 1) + event(1, 28, 1) + event(1, 28, 2) + event(1, 28, 0))
    button = EvdevButton(EvdevConfig(device=str(path), key=28))
    assert [button.wait(), button.wait()] == [True, False]
    with pytest.raises(OSError, match="the device has gone"):
        button.wait()


def test_any_key_counts_where_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(event(1, 30, 1))
    button = EvdevButton(EvdevConfig(device=str(path)))
    assert button.wait() is True
    with pytest.raises(OSError, match="the device has gone"):
        button.wait()


def test_a_button_that_is_plugged_in_later_is_found(tmp_path: Path) -> None:
    path = tmp_path / "events"
    button = EvdevButton(EvdevConfig(device=str(path)))
    with pytest.raises(FileNotFoundError):
        button.wait()
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    os.write(writer, event(1, 28, 1))
    assert button.wait() is True
    os.close(writer)
    with pytest.raises(OSError, match="the device has gone"):
        button.wait()
