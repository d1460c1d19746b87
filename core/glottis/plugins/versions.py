"""Which version of the hooks a plugin was made for, and whether this glottis can do with it.

A plugin may say so by ``GLOTTIS_API_VERSION``. Who says nothing is judged by what it does. Nothing else is to be agreed
on: hooks and arguments are added and never changed, so an older plugin is called as ever.
"""

import difflib
import inspect
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import pluggy

from glottis.contracts.errors import PluginError
from glottis.contracts.hookspecs import API_VERSION, OLDEST_API_VERSION, SINCE

DECLARATION: Final = "GLOTTIS_API_VERSION"


def check_version(implementation: object) -> None:
    """Raises ``PluginError`` if it says that it was made for a version of the hooks that is not to be had here."""
    wanted = getattr(implementation, DECLARATION, None)
    if wanted is None:
        return
    if type(wanted) is not int:
        raise PluginError(f"{DECLARATION}: expected a whole number such as {API_VERSION}, got {type(wanted).__name__}")
    if wanted > API_VERSION:
        raise PluginError(f"made for version {wanted} of the hooks, and {_this_glottis()}: update glottis")
    if wanted < OLDEST_API_VERSION:
        least = f"which takes plugins of {OLDEST_API_VERSION} and later"
        raise PluginError(f"made for version {wanted} of the hooks, and {_this_glottis()}, {least}: update the plugin")


def check_hooks(implementation: object, trial: pluggy.PluginManager) -> None:
    """Raises ``PluginError`` for what pluggy would take and then misuse, and for what glottis does not know.

    That is: wrappers, coroutines, an object without any hook, unknown hooks but those that are marked as optional, and
    those that are newer than what the plugin says it was made for.
    """
    callers = trial.get_hookcallers(implementation) or []
    if not callers:
        raise PluginError("registers nothing: none of its functions is marked with glottis.hookimpl")
    wanted = getattr(implementation, DECLARATION, API_VERSION)
    for caller in callers:
        since = SINCE.get(caller.name, API_VERSION)
        for hook in caller.get_hookimpls():
            if not caller.has_spec():
                if not hook.optionalhook:
                    raise PluginError(_unknown(caller.name, trial))
            elif since > wanted:
                says = f"{DECLARATION} is {wanted}, and {caller.name} came with version {since}"
                raise PluginError(f"{says} of the hooks: make it {since}")
            _check_kind(caller.name, hook)


def check_arguments(implementation: object, trial: pluggy.PluginManager) -> None:
    """Raises ``PluginError`` for an argument that a hook has not, before pluggy does in words of its own."""
    for name in dir(implementation):
        specification = getattr(getattr(trial.hook, name, None), "spec", None)
        if specification is None or trial.parse_hookimpl_opts(implementation, name) is None:
            continue
        known = specification.argnames
        for argument, parameter in inspect.signature(getattr(implementation, name)).parameters.items():
            is_given = parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty
            if is_given and argument not in known:
                raise PluginError(f"{name} has no argument {argument}, {_likely(argument, known)} ({_this_glottis()})")


def check_import(problem: PluginError, error: BaseException) -> PluginError:
    """The same, with what it means that a plugin finds something of glottis missing."""
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "glottis":
        return PluginError(f"{problem}; {_this_glottis()}: it was made for another")
    return problem


def _check_kind(name: str, hook: pluggy.HookImpl) -> None:
    if hook.wrapper or hook.hookwrapper:
        raise PluginError(f"{name} is a hook wrapper; glottis calls implementations one by one")
    if inspect.iscoroutinefunction(hook.function) or inspect.isasyncgenfunction(hook.function):
        raise PluginError(f"{name} is async; hooks are synchronous and return objects that do the work")


def _unknown(name: str, trial: pluggy.PluginManager) -> str:
    known = [other for other in vars(trial.hook) if not other.startswith("_") and getattr(trial.hook, other).has_spec()]
    return f"no hook is named {name}, {_likely(name, known)} ({_this_glottis()})"


def _likely(name: str, known: Sequence[str]) -> str:
    if likely := difflib.get_close_matches(name, known, n=1):
        return f"did you mean {likely[0]}?"
    return f"expected some of {', '.join(sorted(known))}" if known else "expected none"


def _this_glottis() -> str:
    return f"this glottis {version('glottis')} has version {API_VERSION}"
