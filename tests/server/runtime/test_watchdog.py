"""Who holds up the event loop is named while it does, and does not keep the process from ending."""

import gc
import inspect
import logging
import math
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import trio
import trio.testing
from glottis import Call
from glottis.server.runtime.pauses import Pauses
from glottis.server.runtime.stall_log import LINES, PERIOD
from glottis.server.runtime.turn import Turn, whose_turn
from glottis.server.runtime.watchdog import STALL, Heartbeat, StallReporter, watching
from msgspec.structs import replace
from support.phone import eventually
from support.plugins import TestPlugin, open_exchange_with

SNAILS = Turn("plugin snail (snails 1.0)", "snail", "s1", "crawl (snail.py:7)")


class Loop:
    """An event loop with a clock, under the eyes of a reporter."""

    def __init__(self) -> None:
        self.now = 100.0
        self.turn = SNAILS
        self.used = 7.0
        self.heartbeat = Heartbeat(lambda: self.now)
        self.pauses = Pauses(lambda: self.now)
        self.reporter = StallReporter(
            self.heartbeat,
            lambda: self.turn,
            self.pauses,
            clock=lambda: self.now,
            processor_time=lambda: self.used,
        )

    def work(self, seconds: float, *, looks: int) -> None:
        """One turn, on the processor, while the watchdog looks so many times."""
        self.heartbeat.after_io_wait(0)
        for _ in range(looks):
            self.pass_time(seconds / looks)
            self.reporter.look()
        if not looks:
            self.pass_time(seconds)
        self.heartbeat.before_io_wait(0)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.used += seconds


@pytest.fixture
def loop() -> Loop:
    return Loop()


def test_short_turns_and_long_rests_are_not_worth_a_line(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        loop.work(0.09, looks=2)
        loop.now += 0.05
        loop.reporter.look()
    assert caplog.messages == []


def test_who_blocks_the_loop_is_named_once_while_it_lasts_and_once_when_it_is_over(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    loop.work(0.5, looks=10)
    who = "plugin snail (snails 1.0), module snail in session s1"
    assert caplog.messages == [
        f"the event loop has been blocked for 150 ms by {who}, which is at: crawl (snail.py:7)",
    ]
    loop.reporter.look()
    loop.reporter.look()
    assert caplog.messages[1:] == [f"the event loop was blocked for 500 ms by {who}; all calls have stuttered"]


def test_many_short_tasks_in_one_turn_are_not_blamed_on_the_last_of_them(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    loop.heartbeat.after_io_wait(0)
    for session in ("s1", "s2", "s3"):
        loop.turn = Turn("plugin ant (ants 1.0)", "ant", session, "carry (ant.py:7)")
        loop.pass_time(0.05)
        loop.reporter.look()
    assert "by many things in one turn, now by plugin ant (ants 1.0), module ant in session s3" in caplog.text


def test_a_plugin_that_calls_this_and_that_is_one(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.heartbeat.after_io_wait(0)
    for module in ("snail", "json.decoder", "re"):
        loop.turn = replace(SNAILS, module=module)
        loop.pass_time(0.05)
        loop.reporter.look()
    assert "150 ms by plugin snail (snails 1.0), module re in session s1, which" in caplog.text


def test_each_stall_has_its_lines(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.work(0.2, looks=4)
    loop.work(0.2, looks=4)
    loop.reporter.look()
    assert len(caplog.messages) == 4


def test_of_many_stalls_the_log_has_the_first_and_a_sum_each_minute(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        loop.work(0.2, looks=4)
    loop.work(0.5, looks=10)
    loop.reporter.look()
    assert len(caplog.messages) == LINES
    loop.now += PERIOD
    loop.reporter.look()
    loop.reporter.look()
    assert caplog.messages[LINES:] == ["the event loop was blocked 6 more times, for 1500 ms in all, 500 ms at most"]
    loop.work(0.2, looks=4)
    assert len(caplog.messages) == LINES + 2


def test_a_minute_with_few_stalls_needs_no_sum(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.work(0.2, looks=4)
    loop.reporter.look()
    loop.now += PERIOD
    loop.reporter.look()
    assert len(caplog.messages) == 2


def test_a_stall_that_nobody_saw_is_told_without_a_name(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.reporter.look()
    loop.work(0.3, looks=0)
    loop.reporter.look()
    unseen = "by something that was over before it could be seen"
    assert caplog.messages == [f"the event loop was blocked for 300 ms {unseen}; all calls have stuttered"]


def test_a_machine_that_was_suspended_is_not_blamed_on_who_had_the_turn(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    loop.heartbeat.after_io_wait(0)
    loop.now += 3600
    loop.used += 0.001
    loop.heartbeat.before_io_wait(0)
    loop.reporter.look()
    [line] = caplog.messages
    assert line.startswith("the event loop was blocked for 3600000 ms because the machine was suspended")


def test_nobody_is_blamed_for_a_garbage_collection(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.heartbeat.after_io_wait(0)
    loop.pauses("start", {})
    loop.pass_time(0.2)
    loop.pauses("stop", {})
    loop.reporter.look()
    assert caplog.messages == []
    loop.heartbeat.before_io_wait(0)
    loop.reporter.look()
    assert caplog.messages == [
        "the event loop was blocked for 200 ms by a garbage collection; all calls have stuttered"
    ]


def test_who_blocks_after_a_garbage_collection_is_named(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.heartbeat.after_io_wait(0)
    loop.pauses("start", {})
    loop.pass_time(0.02)
    loop.pauses("stop", {})
    loop.pass_time(0.2)
    loop.reporter.look()
    assert "plugin snail" in caplog.text


def test_what_still_blocks_after_a_suspension_is_named(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.heartbeat.after_io_wait(0)
    loop.now += 3600
    loop.reporter.look()
    loop.pass_time(0.05)
    loop.reporter.look()
    assert "plugin snail" in caplog.text


def test_what_kept_nobody_waiting_is_no_stall(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.heartbeat.after_io_wait(0)
    loop.pass_time(2 * STALL)
    loop.heartbeat.begin_anew()
    loop.heartbeat.before_io_wait(0)
    loop.reporter.look()
    assert caplog.messages == []
    loop.work(2 * STALL, looks=0)
    loop.reporter.look()
    assert len(caplog.messages) == 1


def test_the_heartbeat_stands_still_while_the_loop_waits(loop: Loop) -> None:
    assert loop.heartbeat.began == math.inf
    loop.heartbeat.after_io_wait(0)
    assert loop.heartbeat.began == loop.now
    loop.now += STALL / 2
    loop.heartbeat.before_io_wait(0)
    assert loop.heartbeat.last_stall == (-math.inf, -math.inf)


def test_without_a_plugin_the_innermost_module_of_glottis_is_named() -> None:
    scope = {"__name__": "glottis.sctp.stream", "whose_turn": whose_turn, "sys": sys}
    exec("def scan():\n return whose_turn(sys._getframe(), [])\nturn = scan()", scope)
    turn = scope["turn"]
    assert isinstance(turn, Turn)
    assert str(turn) == "module glottis.sctp.stream"
    assert turn.stack.endswith(" > scan (<string>:2)")


async def test_between_two_tasks_no_plugin_is_blamed() -> None:
    scope = {"__name__": "trio._core._run", "whose_turn": whose_turn, "sys": sys}
    exec("def run(task, plugins):\n return whose_turn(sys._getframe(), plugins)", scope)
    plugin = SimpleNamespace(owns=lambda module: True)
    turns: list[object] = []

    async def child() -> None:
        turns.append(scope["run"](trio.lowlevel.current_task(), [plugin]))  # type: ignore[operator]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(child)
    assert list(map(str, turns)) == ["module unknown"]


class Released(logging.Handler):
    """Ends a stall as soon as the log names the plugin. A busy machine may hold up the loop elsewhere, too."""

    def __init__(self) -> None:
        super().__init__()
        self.named = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if is_about_the_plugin(record.getMessage()):
            self.named.set()


def is_about_the_plugin(line: str) -> bool:
    return "has been blocked" in line and "by plugin TestPlugin (given directly)" in line


def the_line(caplog: pytest.LogCaptureFixture) -> str:
    [line] = filter(is_about_the_plugin, caplog.messages)
    return line


@pytest.fixture
def released() -> Iterator[Released]:
    handler = Released()
    logging.getLogger("glottis").addHandler(handler)
    yield handler
    logging.getLogger("glottis").removeHandler(handler)


def block(released: Released) -> None:
    assert released.named.wait(30)


async def test_an_agent_that_blocks_is_named_with_session_and_stack_while_it_blocks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, released: Released
) -> None:
    async def snail(call: Call) -> None:
        block(released)
        await trio.sleep_forever()

    async with open_exchange_with(tmp_path, TestPlugin(snail=snail)) as exchange:
        phone = await exchange.call("snail")
        await eventually(released.named.is_set)
        await phone.hang_up()
    line = the_line(caplog)
    assert f"in session {phone.session_id}" in line
    assert "snail (" in line
    assert "test_watchdog.py:" in line


async def test_a_background_task_of_an_agent_is_found_by_its_nursery(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, released: Released
) -> None:
    async def snail(call: Call) -> None:
        async def crawl() -> None:
            block(released)

        call.nursery.start_soon(crawl)
        await trio.sleep_forever()

    plugin = TestPlugin(snail=snail)
    async with open_exchange_with(tmp_path, plugin) as exchange:
        phone = await exchange.call("snail")
        await eventually(released.named.is_set)
        await phone.hang_up()
    line = the_line(caplog)
    assert f"in session {phone.session_id}" in line
    assert "crawl (" in line


class Surprise(BaseException):
    """No ``Exception``."""


class Looks:
    """Counts those of a watchdog, each of which may be surprised."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, surprise: bool = False) -> None:
        self._made = threading.Semaphore(0)
        self._surprise = surprise
        monkeypatch.setattr(StallReporter, "look", self._look)

    def _look(self) -> None:
        self._made.release()
        if self._surprise:
            raise Surprise

    async def go_on(self) -> None:
        """Wait for a few that begin from now on."""
        while self._made.acquire(blocking=False):
            pass
        for _ in range(3):
            assert await trio.to_thread.run_sync(self._made.acquire, True, 30)


async def test_the_watch_goes_on_after_a_signal_that_is_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    handled: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda signum, frame: handled.append(signum))
    looks = Looks(monkeypatch)
    try:
        with watching([]) as watchdog, watchdog.guarding_exit({signal.SIGTERM: 60.0}):
            os.kill(os.getpid(), signal.SIGUSR1)
            await looks.go_on()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled == [signal.SIGUSR1]


async def test_the_watch_goes_on_after_whatever_surprises_it_and_tells_of_the_first(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = Looks(monkeypatch, surprise=True)
    with watching([]):
        await looks.go_on()
    [record] = caplog.records
    assert record.getMessage() == "the watchdog could not see who has the event loop"
    assert record.exc_info


async def test_nothing_is_kept_of_whose_turn_it_was() -> None:
    class Session:
        """Something that only its task refers to."""

    async def serve() -> None:
        session = Session()
        left.append(weakref.ref(session))
        try:
            await trio.sleep_forever()
        finally:
            whose_turn(inspect.currentframe(), [])

    left: list[weakref.ref[Session]] = []
    gc.disable()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert left[0]() is None
    finally:
        gc.enable()


LOOP = """
def run(session):
    whose_turn(sys._getframe(), [])
    session = None
    return reference()
"""
DEBUGGED = """
def run(session):
    sys._getframe().f_trace = lambda *_: None
    variables = locals()
    whose_turn(sys._getframe(), [])
    return variables["session"]
"""
OTHERS = """
def run(session):
    variables = locals()
    whose_turn(sys._getframe(), [])
    return variables["session"]
"""


@pytest.mark.parametrize(
    ("module", "source", "kept"),
    [("glottis.media", LOOP, False), ("glottis.media", DEBUGGED, True), ("example", OTHERS, True)],
    ids=["ours", "debugged", "others"],
)
def test_a_loop_that_goes_on_holds_nothing_that_is_over_and_others_lose_nothing(
    module: str, source: str, kept: bool
) -> None:
    class Session:
        """Something that only the loop refers to."""

    scope: dict[str, object] = {"__name__": module, "whose_turn": whose_turn, "sys": sys}
    exec(source, scope)
    session = Session()
    scope["reference"] = weakref.ref(session)
    handed_over = [session]
    del session
    run = cast(Callable[[Session], object], scope["run"])
    is_kept = run(handed_over.pop()) is not None
    assert is_kept == kept
