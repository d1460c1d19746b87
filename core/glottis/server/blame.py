"""Whose code raised: a failed call names its culprit in the log (DESIGN, law 9)."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions, version


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def culprit(error: BaseException) -> str:
    """The distribution of the innermost code that belongs to a plugin, else of the core: ``glottis-opus 0.1.0``.

    Innermost only up to where the plugin called into a library: what a plugin's own call raised is its to handle.
    """
    modules = _modules(error)
    plugin_modules = [module for module in modules if module.partition(".")[0] not in _NOT_PLUGINS]
    return _describe(plugin_modules[0] if plugin_modules else "glottis")


_NOT_PLUGINS = {"glottis", "trio", "outcome", "contextlib", "asyncio", "__main__"}


def _modules(error: BaseException) -> list[str]:
    """The modules on the error's way, outermost first; of a group, its first member's."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    modules = []
    traceback = error.__traceback__
    while traceback is not None:
        modules.append(str(traceback.tb_frame.f_globals.get("__name__", "")))
        traceback = traceback.tb_next
    return modules


def _describe(module: str) -> str:
    package = module.partition(".")[0]
    names = _distributions().get(package)
    return f"{names[0]} {version(names[0])}" if names else package
