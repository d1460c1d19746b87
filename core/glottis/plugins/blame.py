"""Whose code raised: a failed call names its culprit in the log (law 9 of docs/architecture.md)."""

from collections.abc import Iterable

from glottis.contracts.errors import PluginError
from glottis.plugins import Plugin
from glottis.plugins.failures import message_of


def culprit(error: BaseException, plugins: Iterable[Plugin]) -> str:
    """The plugin whose code is on the error's way, with the module; else the module where it was raised.

    Of several the first counts: it has called the others, and what its own calls raise is its to handle. Where none is,
    the plugin may have returned by then what it must not: a ``PluginError`` says itself whose it is.
    """
    error = first_of(error)
    modules = _modules(error)
    for module in modules:
        for plugin in plugins:
            if plugin.owns(module):
                return f"{plugin}, module {module}"
    if isinstance(error, PluginError):
        return message_of(error)
    return f"module {modules[-1]}" if modules else "glottis"


def first_of(error: BaseException) -> BaseException:
    """The error itself; of a group, its first member."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _modules(error: BaseException) -> list[str]:
    """The modules on the error's way, outermost first."""
    modules = []
    traceback = error.__traceback__
    while traceback is not None:
        modules.append(str(traceback.tb_frame.f_globals.get("__name__", "")))
        traceback = traceback.tb_next
    return modules
