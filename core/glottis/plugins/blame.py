"""Whose code raised: a failed call names its culprit in the log (law 9 of docs/architecture.md)."""

from collections.abc import Iterable

from glottis.contracts.errors import PluginError
from glottis.plugins.failures import message_of
from glottis.plugins.manager import Plugin


def culprit(error: BaseException, plugins: Iterable[Plugin] = ()) -> str:
    """The plugin whose code is on the error's way, with the module; else the module where it was raised.

    Of several the first counts: it has called the others, and what its own calls raise is its to handle. Where none is,
    the plugin may have returned by then what it must not: a ``PluginError`` says itself whose it is. At last its cause
    counts, which is all that is left of a coroutine's ``StopIteration``.
    """
    levels = _levels(error)
    modules = [module for level in levels for module in _modules(level)]
    innermost = levels[-1]
    if (owner := _owner(modules, plugins)) is not None:
        return owner
    if isinstance(innermost, PluginError):
        return message_of(innermost)
    if innermost.__cause__ is not None and (owner := _owner(_modules(innermost.__cause__), plugins)) is not None:
        return owner
    return f"module {modules[-1]}" if modules else "glottis"


def first_of(error: BaseException) -> BaseException:
    """The error itself; of a group, its first member."""
    return _levels(error)[-1]


def _levels(error: BaseException) -> list[BaseException]:
    """The error; of a group, its first member too, and the first of that."""
    levels = [error]
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
        levels.append(error)
    return levels


def _owner(modules: Iterable[str], plugins: Iterable[Plugin]) -> str | None:
    """The first plugin that one of these modules belongs to."""
    each_once = dict.fromkeys(modules)
    owners = (f"{plugin}, module {module}" for module in each_once for plugin in plugins if plugin.owns(module))
    return next(owners, None)


def _modules(error: BaseException) -> list[str]:
    """The modules on the error's way, outermost first."""
    modules = []
    traceback = error.__traceback__
    while traceback is not None:
        modules.append(str(traceback.tb_frame.f_globals.get("__name__", "")))
        traceback = traceback.tb_next
    return modules
