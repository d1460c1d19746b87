"""Extensions: which plugins are, and what becomes of those that fail in a call."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from glottis import (
    AudioFrame,
    CallInfo,
    ConfigurationError,
    Direction,
    FrameTap,
    StateChanged,
    Statistics,
    TextMessage,
    hookimpl,
)
from glottis.config import ResolvedConfig, load_config, render, resolve
from glottis.plugins import Plugin, load_plugins
from glottis.plugins.extensions import Extension
from glottis.plugins.observers import FORGIVEN, MAX_SLOW, SLOW, Observers
from glottis.plugins.processors import bind_processors
from glottis.rtp import FoundKeys
from support.gateway import CONFIG

INFO = CallInfo("s", "c")
KEYS = FoundKeys()
FRAME = AudioFrame(bytes(640), 16000, 960)
PLUGIN = Plugin("tester", "glottis-tester", "1.0", "tester")
Log = pytest.LogCaptureFixture


def tell(name: str, data: Mapping[str, Any]) -> None:
    """Nobody."""


class VolumeConfig(msgspec.Struct, frozen=True, kw_only=True):
    step: int = 1


class Volume:
    @hookimpl
    def extension_settings(self) -> type[VolumeConfig]:
        return VolumeConfig

    @hookimpl
    def audio_processors(self, direction: Direction, settings: VolumeConfig) -> Sequence[FrameTap]:
        return [adding(settings.step)] if direction == "input" else []


class Other:
    @hookimpl
    def session_observers(self) -> Sequence[object]:
        return []


def adding(step: int) -> FrameTap:
    """Makes another frame of each, which shows in what order processors come."""
    return lambda frame: AudioFrame(bytes([*frame.pcm[1:], step]), frame.sample_rate, frame.timestamp)


def resolved(directory: Path, config: str) -> ResolvedConfig:
    path = directory / "gateway.toml"
    path.write_text(CONFIG + config)
    return resolve(load_config(path, {}), load_plugins([Volume(), Other()]))


# Which are enabled


def test_installed_extensions_are_not_enabled(tmp_path: Path) -> None:
    config = resolved(tmp_path, "")
    assert config.extensions == ()
    assert config.campaigns["echo"].extensions == ()


def test_a_campaign_has_the_enabled_ones_in_their_order_or_its_own(tmp_path: Path) -> None:
    config = resolved(
        tmp_path,
        """
        [extensions]
        enabled = ["other", "Volume"]

        [extensions.settings.volume]
        step = 3

        [campaigns.plain]
        agent = "echo"
        extensions = []

        [campaigns.loud]
        agent = "echo"
        extensions = ["volume"]
        """,
    )
    names = {name: [one.name for one in campaign.extensions] for name, campaign in config.campaigns.items()}
    assert (names["echo"], names["plain"], names["loud"]) == (["Other", "Volume"], [], ["Volume"])
    assert config.campaigns["loud"].extensions[0] is config.campaigns["echo"].extensions[1]
    assert config.campaigns["loud"].extensions[0].settings == VolumeConfig(step=3)
    assert "[extensions.settings.Volume]\nstep = 3\n" in render(config)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ('[extensions]\nenabled = ["volum"]', "extensions.enabled[0]: no extension is named 'volum'; available: "),
        ('[extensions]\nenabled = ["volume", "Volume"]', "extensions.enabled[1]: 'Volume' is named twice"),
        ("[extensions.settings.nobody]\nx = 1", "extensions.settings.nobody: no extension is named 'nobody'"),
        (
            '[extensions]\nenabled = ["volume"]\n[extensions.settings.volume]\nstep = "high"',
            "extensions.settings.Volume.step: expected int, got str",
        ),
        ('[extensions.settings.volume]\nstep = "high"', "extensions.settings.volume.step: expected int, got str"),
        ("[extensions.settings.volume]\nstp = 3", "extensions.settings.volume.stp: unknown key, did you mean step?"),
        (
            '[ice_servers]\nproviders = []\n[ice_servers.settings.static]\nserver = "x"',
            "ice_servers.settings.static.server: unknown key, did you mean servers?",
        ),
        (
            '[campaigns.x]\nagent = "echo"\nextensions = ["nobody"]',
            "campaigns.x.extensions[0]: no extension is named 'nobody'",
        ),
    ],
)
def test_what_cannot_be_enabled_is_told(config: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolved(tmp_path, config)
    assert problem.lower() in str(caught.value).lower()


def test_plugins_tell_that_they_are_extensions() -> None:
    registry = load_plugins([Volume(), Other()])
    assert {"Volume", "Other"} <= {*registry.extensions.names}
    (volume,) = [plugin for plugin in registry.plugins if plugin.name == "Volume"]
    assert registry.registered_by(volume) == ["extension Volume"]


# Processors


def extension(name: str = "tester", **hooks: Callable[..., object]) -> Extension:
    return Extension(name, Plugin(name, f"glottis-{name}", "1.0", name), hooks)


def with_processors(*processors: object, name: str = "tester") -> Extension:
    return extension(name, audio_processors=lambda **arguments: list(processors))


class Count:
    def __init__(self) -> None:
        self.dropped = 0

    def __call__(self) -> None:
        self.dropped += 1


def test_processors_come_in_the_order_of_their_extensions() -> None:
    extensions = [with_processors(adding(1), adding(2)), with_processors(adding(3))]
    tap = bind_processors(extensions, INFO, "input", tell, KEYS, Count())
    assert tap is not None
    assert tap(FRAME).pcm[-3:] == bytes([1, 2, 3])


def test_frames_and_failures_of_processors_are_counted_for_each_plugin() -> None:
    good, bad = with_processors(adding(1)), with_processors(lambda frame: None, name="bad")
    tap = bind_processors([bad, good], INFO, "input", tell, KEYS, Count())
    assert tap is not None
    for _ in range(5):
        tap(FRAME)
    timings = [one.plugin.timing("processors of input") for one in (good, bad)]
    assert [(timing.calls, timing.errors) for timing in timings] == [(5, 0), (1, 1)]
    assert all(0 < timing.quantile(0.5) <= timing.longest for timing in timings)


def test_nothing_is_bound_where_there_is_no_processor() -> None:
    extensions = [extension(), with_processors()]
    assert bind_processors(extensions, INFO, "input", tell, KEYS, Count()) is None


def test_the_hook_is_told_of_which_call_and_direction() -> None:
    asked: list[Mapping[str, object]] = []

    def hook(**arguments: object) -> list[FrameTap]:
        asked.append(arguments)
        return []

    bind_processors([extension(audio_processors=hook)], INFO, "output", tell, KEYS, Count())
    assert asked == [{"call_info": INFO, "direction": "output", "tell": tell, "keys": KEYS, "settings": None}]


async def be_a_coroutine(frame: AudioFrame) -> AudioFrame:
    return frame


WRONG: Mapping[str, tuple[object, str]] = {
    "raises": (lambda frame: 1 / 0, "ZeroDivisionError"),
    "exits": (lambda frame: exit(1), "SystemExit"),
    "none": (lambda frame: None, "expected a frame of 320 samples at 16000 Hz, got NoneType"),
    "short": (lambda frame: AudioFrame(frame.pcm[2:], 16000), "got 319 at 16000 Hz"),
    "long": (lambda frame: AudioFrame(frame.pcm + b"\0\0", 16000), "got 321 at 16000 Hz"),
    "rate": (lambda frame: AudioFrame(frame.pcm, 8000), "got 320 at 8000 Hz"),
    "bytes": (lambda frame: frame.pcm, "got bytes"),
    "async": (be_a_coroutine, "got a coroutine: processors are synchronous"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_processor_that_fails_is_left_out_and_blamed_once(kind: str, caplog: Log) -> None:
    wrong, reason = WRONG[kind]
    count = Count()
    extensions = [with_processors(adding(1), wrong, adding(2), name="bad"), with_processors(adding(3))]
    tap = bind_processors(extensions, INFO, "output", tell, KEYS, count)
    assert tap is not None
    for _ in range(3):
        assert tap(FRAME).pcm[-3:] == bytes([1, 2, 3])
    (record,) = caplog.records
    text = logging.Formatter().format(record)
    assert "session s, output: a processor of plugin bad (glottis-bad 1.0) has failed, and is left out" in text
    assert reason in text
    assert count.dropped == 1


@pytest.mark.parametrize("result", [None, 7, [7]])
def test_a_hook_that_returns_no_processors_is_blamed_and_the_call_does_without(result: object, caplog: Log) -> None:
    bad = extension("bad", audio_processors=lambda **arguments: result)
    tap = bind_processors([bad, with_processors(adding(3))], INFO, "input", tell, KEYS, count := Count())
    assert tap is not None
    assert tap(FRAME).pcm[-1] == 3
    assert "plugin bad (glottis-bad 1.0)" in caplog.text
    assert count.dropped == 1


# Observers


class Notes:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def event(self, event: object) -> None:
        self.told.append(("event", event))

    def ended(self, reason: str, statistics: Statistics) -> None:
        self.told.append(("ended", reason, statistics))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def observed_by(*observers: object, clock: Clock | None = None, count: Count | None = None) -> Observers:
    hook = extension("bad", session_observers=lambda **arguments: observers)
    return Observers([hook], INFO, tell, Statistics, count or Count(), clock or Clock())


def test_observers_are_told_what_they_have_methods_for() -> None:
    notes = Notes()
    observers = observed_by(notes)
    observers.event(StateChanged(state="active"))
    observers.message_received(TextMessage("hello"))
    observers.ended("over", Statistics())
    assert notes.told == [("event", StateChanged(state="active")), ("ended", "over", Statistics())]
    assert observers.packet_watch("packet_sent") is None


def test_an_observer_that_raises_is_told_no_more_and_others_are(caplog: Log) -> None:
    class Bad(Notes):
        def event(self, event: object) -> None:
            raise KeyError("secret")

    bad, good, count = Bad(), Notes(), Count()
    observers = observed_by(bad, good, count=count)
    for _ in range(2):
        observers.event(StateChanged(state="active"))
    observers.ended("over", Statistics())
    assert (len(bad.told), len(good.told), count.dropped) == (0, 3, 1)
    (record,) = caplog.records
    assert record.getMessage() == "session s: plugin bad (glottis-bad 1.0) has failed in event, and is told no more"


def test_an_observer_that_is_async_is_told_no_more(caplog: Log) -> None:
    class Async:
        async def event(self, event: object) -> None:
            """Never begins."""

    observers = observed_by(Async(), count=(count := Count()))
    for _ in range(2):
        observers.event(StateChanged(state="active"))
    assert count.dropped == 1
    assert "plugin bad (glottis-bad 1.0): event is async; observers are synchronous" in caplog.text


def test_an_observer_that_is_slow_again_and_again_is_told_no_more_but_the_end(caplog: Log) -> None:
    class Slow(Notes):
        def event(self, event: object) -> None:
            super().event(event)
            clock.now += 2 * SLOW

    clock, count = Clock(), Count()
    slow = Slow()
    observers = observed_by(slow, clock=clock, count=count)
    for _ in range(MAX_SLOW + 2):
        observers.event(StateChanged(state="active"))
    assert (len(slow.told), count.dropped) == (MAX_SLOW, 1)
    assert "plugin bad (glottis-bad 1.0) holds up all calls, event the last time: it is told no more but" in caplog.text
    observers.ended("over", Statistics())
    assert slow.told[MAX_SLOW:] == [("ended", "over", Statistics())], "which what it has counted depends on"


def test_an_observer_that_is_seldom_slow_is_forgiven() -> None:
    class Preempted(Notes):
        def event(self, event: object) -> None:
            super().event(event)
            clock.now += 2 * SLOW if len(self.told) % (FORGIVEN + 1) == 0 else 0

    clock, count = Clock(), Count()
    observers = observed_by(Preempted(), clock=clock, count=count)
    for _ in range(10 * FORGIVEN):
        observers.event(StateChanged(state="active"))
    assert count.dropped == 0


@pytest.mark.parametrize("observer", [object(), None, 7])
def test_what_is_no_observer_is_blamed(observer: object, caplog: Log) -> None:
    count = Count()
    observed_by(observer, count=count)
    assert (
        "plugin bad (glottis-bad 1.0): what session_observers returned raised ValueError: expected objects with"
        in caplog.text
    )
    assert count.dropped == 1
