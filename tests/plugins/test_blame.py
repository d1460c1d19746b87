import pytest
import trio
from glottis import PluginError
from glottis.plugins import Plugin
from glottis.plugins.blame import culprit

JSON = Plugin("json-agent", "json-dist", "1.0", package="json")
MINE = Plugin("mine", package=__name__)


def failure() -> Exception:
    import json

    try:
        json.loads("{")
    except ValueError as error:
        return error
    pytest.fail("did not raise")


def test_the_plugin_whose_code_raised_is_named_with_its_distribution() -> None:
    assert culprit(failure(), [JSON]) == "plugin json-agent (json-dist 1.0), module json"


def test_who_called_is_to_blame_rather_than_who_was_called() -> None:
    assert culprit(failure(), [JSON, MINE]) == f"plugin mine (given directly), module {__name__}"


def test_without_a_plugin_the_module_is_named() -> None:
    assert culprit(failure(), []) == "module json.decoder"


def test_a_plugin_error_says_itself_whose_it_is() -> None:
    error = PluginError("plugin mine (given directly): codec X: encode returned None")
    assert culprit(error, [JSON]) == culprit(ExceptionGroup("one", [error]), [JSON]) == str(error)


def test_of_a_group_the_first_error_counts() -> None:
    assert culprit(ExceptionGroup("two", [failure(), ValueError()]), [JSON]).startswith("plugin json-agent")


def test_a_group_that_the_plugin_has_made_is_its_own() -> None:
    with pytest.raises(BaseExceptionGroup) as raised:
        raise BaseExceptionGroup("made", [SystemExit()])
    assert culprit(BaseExceptionGroup("outer", [raised.value]), [MINE]) == f"{MINE}, module {__name__}"


def test_what_a_coroutine_may_not_raise_is_blamed_on_the_coroutine() -> None:
    async def stop() -> None:
        raise StopIteration

    with pytest.raises(RuntimeError) as raised:
        trio.run(stop)
    error = raised.value.with_traceback(None)  # as it is for the outermost coroutine of a task
    assert culprit(error, [MINE]) == f"{MINE}, module {__name__}"
