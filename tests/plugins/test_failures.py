"""Errors are told of whatever they are, at a bounded length, and are not kept."""

import logging
import sys
import weakref
from collections.abc import Callable

import pytest
from glottis import PluginError
from glottis.plugins.failures import MAX_DESCRIPTION, blamed, describe, log_failure
from support.errors import ERRORS, Mute, Panic, Verbose

logger = logging.getLogger(__name__)


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_any_error_is_described_in_a_few_words(make: Callable[[], BaseException]) -> None:
    error = make()
    description = describe(error)
    assert description.startswith(f"{type(error).__name__}: ")
    assert len(description) < MAX_DESCRIPTION + 100


def test_what_cannot_be_said_is_said_to_be_so() -> None:
    assert describe(Mute()) == "Mute: (cannot say what it is)"
    assert describe(Verbose()).endswith("… (10000000 characters)")


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_any_error_is_logged_with_its_traceback(
    make: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    try:
        raise make()
    except BaseException as error:
        log_failure(logger, error, "%s failed", "it")
    [record] = caplog.records
    assert (record.levelname, record.getMessage()) == ("ERROR", "it failed")
    assert f"in {test_any_error_is_logged_with_its_traceback.__name__}" in caplog.text
    assert len(caplog.text) < 10_000


@pytest.mark.parametrize("relate", ["cause", "member"])
@pytest.mark.parametrize("kind", [Mute, Verbose])
def test_an_error_that_brings_such_a_one_along_is_logged_without_it(
    relate: str, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    error = PluginError("outer") if relate == "cause" else BaseExceptionGroup("outer", [kind(), ValueError()])
    error.__cause__ = kind()
    log_failure(logger, error, "it failed")
    assert "Unpresentable: " in caplog.text
    assert "outer" in caplog.text
    assert len(caplog.text) < 10_000


def test_endless_recursion_is_shown_by_its_ends(caplog: pytest.LogCaptureFixture) -> None:
    def here(depth: int) -> None:
        there(depth + 1)

    def there(depth: int) -> None:
        here(depth + 1)

    with pytest.raises(RecursionError) as raised:
        here(0)
    log_failure(logger, raised.value, "it failed")
    assert caplog.text.count("in here") + caplog.text.count("in there") < 60
    assert f"in {test_endless_recursion_is_shown_by_its_ends.__name__}" in caplog.text
    assert "RecursionError: " in caplog.text


def test_a_handler_that_fails_does_not_spread(caplog: pytest.LogCaptureFixture) -> None:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info:
                raise RecursionError

    handler = Handler()
    logger.addHandler(handler)
    try:
        log_failure(logger, ValueError(), "%s failed", "it")
    finally:
        logger.removeHandler(handler)
    assert caplog.messages[-1] == "it failed (its traceback cannot be shown: RecursionError)"


class Held:
    """What a frame holds."""


def test_a_logged_error_keeps_nothing_of_its_calls_alive() -> None:
    logger = logging.Logger("without pytest's handlers, which keep records")
    always_the_same = Panic("kept by the plugin")

    def call(held: Held) -> None:
        raise always_the_same

    def fail() -> weakref.ref[Held]:
        held = Held()
        try:
            call(held)
        except BaseException as error:
            log_failure(logger, PluginError("because of that").with_traceback(error.__traceback__), "it failed")
            log_failure(logger, error, "it failed")
        return weakref.ref(held)

    references = [fail() for _ in range(3)]
    assert [reference() for reference in references] == [None] * 3
    assert always_the_same.__traceback__ is None


def test_the_causes_tracebacks_are_let_go_too() -> None:
    cause = Panic()
    try:
        try:
            raise cause
        except Panic as error:
            raise PluginError("it") from error
    except PluginError as error:
        log_failure(logger, error, "it failed")
    assert cause.__traceback__ is None


def test_an_interrupt_is_nobodys_fault() -> None:
    with pytest.raises(KeyboardInterrupt):
        blamed(KeyboardInterrupt(), "plugin mine")
    with pytest.raises(BaseExceptionGroup) as passed:
        blamed(BaseExceptionGroup("two", [KeyboardInterrupt(), SystemExit()]), "plugin mine")
    assert str(passed.value.__cause__) == "two (1 sub-exception)"
    assert sys.exc_info() == (None, None, None)
