"""What plugins were asked for is counted and timed, wherever the guard is, and who is too slow is named."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import pytest
import trio
from glottis import CodecSpec, ConfigurationError, EncoderSettings, Malformed, PluginError
from glottis.plugins import Plugin, guarded, load_plugins
from glottis.plugins.codecs import guarded_codec
from glottis.plugins.guard import guarded_agent, guarded_async, uncounted
from glottis.plugins.report import figures, table_of_figures
from glottis.plugins.timing import Timing
from support.installed import installed_plugins

PCMU: CodecSpec = installed_plugins().codecs.find("PCMU").spec


def plugin() -> Plugin:
    return Plugin("mine", "my-dist", "2.1")


def fail(*_: object) -> NoReturn:
    raise ValueError


def counted(plugin: Plugin) -> dict[str, tuple[int, int]]:
    """Calls and errors."""
    return {row["askedFor"]: (row["calls"], row["errors"]) for row in figures([plugin])}


def test_quantiles_are_of_all_calls_within_a_fifth() -> None:
    timing = Timing("plugin mine: encode")
    for microseconds in range(1, 1001):
        timing.note(1000 * microseconds)
    assert (timing.calls, timing.total, timing.longest) == (1000, 500_500_000, 1_000_000)
    assert 500_000 <= timing.quantile(0.5) <= 600_000
    assert 990_000 <= timing.quantile(0.99) <= 1_000_000


def test_without_a_call_there_are_no_times() -> None:
    assert Timing("plugin mine: encode").quantile(0.99) == 0


@pytest.mark.parametrize("nanoseconds", [0, 1, 10**15])
def test_any_time_has_a_class(nanoseconds: int) -> None:
    timing = Timing("plugin mine: encode")
    timing.note(nanoseconds)
    assert timing.quantile(0.5) == nanoseconds


def test_who_is_too_slow_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    timing = plugin().timing("encode of opus", limit=20_000_000, patience=3)
    for nanoseconds in (30_000_000, 1000, 30_000_000, 20_000_000):
        timing.note(nanoseconds)
    assert caplog.messages == []
    for _ in range(5):
        timing.note(35_000_000)
    assert caplog.messages == ["plugin mine (my-dist 2.1): encode of opus took 35 ms, and has 20, 3 times now"]
    assert timing.overruns == 7


def test_a_call_into_a_plugin_is_counted_and_its_errors_are() -> None:
    mine = plugin()
    guarded(mine, "greet", str, 1)
    with pytest.raises(ConfigurationError):
        guarded(mine, "greet", raising(ConfigurationError))  # which is not the plugin's fault
    with pytest.raises(PluginError):
        guarded(mine, "greet", fail)
    uncounted(mine, "what greet returned", str, 1)
    assert counted(mine) == {"greet": (3, 1)}


def raising(error: type[Exception]) -> Callable[..., Any]:
    def function(*_: object) -> NoReturn:
        raise error

    return function


async def test_who_is_asked_and_cancelled_has_not_failed(autojump_clock: trio.testing.MockClock) -> None:
    mine = plugin()
    with trio.move_on_after(1):
        await guarded_async(mine, "authenticate", trio.sleep_forever)
    assert counted(mine) == {"authenticate": (1, 0)}
    with pytest.raises(PluginError):
        await guarded_async(mine, "authenticate", fail)
    assert counted(mine) == {"authenticate": (2, 1)}


async def test_calls_of_an_agent_are_counted_and_those_that_it_ended_by_an_error(
    autojump_clock: trio.testing.MockClock,
) -> None:
    mine = plugin()

    async def converse(call: Any) -> None:
        if call is None:
            fail()
        await trio.sleep_forever()

    agent = guarded_agent(mine, "parrot", converse)
    with trio.move_on_after(1):
        await agent(object())  # type: ignore[arg-type]
    with pytest.raises(ValueError):  # noqa: PT011 — it comes out as it is
        await agent(None)  # type: ignore[arg-type]
    assert counted(mine) == {"agent parrot": (2, 1)}


def test_every_frame_of_a_codec_is_counted() -> None:
    mine = plugin()
    codec = guarded_codec(mine, PCMU)
    encoder, decoder = codec.create_encoder(EncoderSettings(8000)), codec.create_decoder(8000)
    payloads = [encoder.encode(bytes(320)) for _ in range(3)]
    decoder.decode(payloads[0])
    decoder.conceal(160)
    assert counted(mine) == {
        "create_decoder of PCMU": (1, 0),
        "create_encoder of PCMU": (1, 0),
        "encode of PCMU": (3, 0),
        "decode of PCMU": (1, 0),
        "conceal of PCMU": (1, 0),
    }


class Failing:
    def __init__(self, error: type[Exception]) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return raising(self._error)


@pytest.mark.parametrize(("raised", "seen", "errors"), [(Malformed, Malformed, 0), (KeyError, PluginError, 1)])
def test_what_is_no_payload_is_not_the_codecs_error(
    raised: type[Exception], seen: type[Exception], errors: int
) -> None:
    mine = plugin()
    decoder = guarded_codec(mine, replace(PCMU, create_decoder=lambda _: Failing(raised))).create_decoder(8000)
    with pytest.raises(seen):
        decoder.decode(b"x")
    assert counted(mine)["decode of PCMU"] == (1, errors)


def test_an_import_and_a_hook_are_counted_too() -> None:
    echo = next(plugin for plugin in load_plugins().plugins if plugin.name == "echo")  # nothing of it was used yet
    assert counted(echo) == {"import": (1, 0), "register_agents": (1, 0)}


def test_the_table_has_a_line_for_all_that_was_asked_for() -> None:
    mine = plugin()
    for nanoseconds in (500, 2_500_000):
        mine.timing("encode of opus").note(nanoseconds)
    mine.timing("decode of opus")
    heading, line = table_of_figures(figures([mine])).splitlines()
    assert heading.split()[:3] == ["PLUGIN", "DISTRIBUTION", "VERSION"]
    assert " ".join(line.split()) == "mine my-dist 2.1 encode of opus 2 0 0 2.5 ms 566 ns 2.5 ms"
