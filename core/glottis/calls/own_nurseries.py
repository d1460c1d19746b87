"""What tasks raise in nurseries that a plugin has opened itself.

trio puts the error of a task into words when it cancels the nursery for it, in the event loop itself: an error that
raises another when it is put into words would end the loop, and with it the gateway. So the task raises one in its
place, which says whose class it is.
"""

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import trio

from glottis.plugins.failures import Unpresentable

OURS: Final = f"{Path(__file__).parents[1]}/"
"""Where the code of glottis is."""


class PresentableErrors(trio.abc.Instrument):
    """Sees to each task that is spawned with a function of a plugin: it costs nothing until one fails, but for a frame
    on its stack. Functions of glottis stand behind their own guards."""

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """See ``trio.abc.Instrument``."""
        code = getattr(task.coro, "cr_code", None)
        if code is None or not code.co_filename.startswith(OURS):
            task.coro = cast(Any, _run(task.coro))


@contextmanager
def presentable_errors() -> Iterator[None]:
    """Within this block, of all tasks that are spawned."""
    instrument = PresentableErrors()
    trio.lowlevel.add_instrument(instrument)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(instrument)


async def _run(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await work
    except BaseException as error:
        if _can_be_put_into_words(error):
            raise
        name, way = type(error).__name__, error.__traceback__
    raise Unpresentable(f"a task has raised {name}, which cannot be put into words").with_traceback(way)


def _can_be_put_into_words(error: BaseException) -> bool:
    try:
        repr(error)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return False
    return True
