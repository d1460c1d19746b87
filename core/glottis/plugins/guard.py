"""Calls into plugins, each behind a guard: the plugin is named that broke its contract, not whoever stumbles later."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter_ns
from typing import Any, TypeVar

from glottis.barrier import split
from glottis.contracts.call import Agent, Call
from glottis.contracts.errors import ConfigurationError, PluginError
from glottis.plugins.failures import blamed
from glottis.plugins.manager import Plugin
from glottis.plugins.timing import Timing

T = TypeVar("T")


def guarded(
    plugin: Plugin,
    action: str,
    function: Callable[..., T],
    *arguments: object,
    allowed: tuple[type[Exception], ...] = (ConfigurationError,),
) -> T:
    """Call into a plugin. What it raises, or an awaitable where a value belongs, becomes a ``PluginError``.

    ``allowed`` errors pass; ``ConfigurationError`` says that a setting is wrong, which is not the plugin's fault.
    The call is counted, and timed.
    """
    timing, began = plugin.timing(action), perf_counter_ns()
    try:
        return uncounted(plugin, action, function, *arguments, allowed=allowed)
    except PluginError:
        timing.errors += 1
        raise
    finally:
        timing.note(perf_counter_ns() - began)


def uncounted(
    plugin: Plugin,
    action: str,
    function: Callable[..., T],
    *arguments: object,
    allowed: tuple[type[Exception], ...] = (ConfigurationError,),
) -> T:
    """The same for what the plugin was not asked for: a check of its values may run its code, too."""
    try:
        result = function(*arguments)
    except allowed:
        raise
    except BaseException as error:
        raise blamed(error, f"{plugin}: {action}") from error
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise PluginError(f"{plugin}: {action} returned an awaitable; it must be synchronous")
    return result


async def guarded_async(
    plugin: Plugin,
    action: str,
    function: Callable[..., Awaitable[T]],
    *arguments: object,
    allowed: tuple[type[Exception], ...] = (),
) -> T:
    """The same as ``guarded`` for a function that is to be async. Its time is that until it has answered."""
    timing, began = plugin.timing(action), perf_counter_ns()
    try:
        answer: Any = function(*arguments)
        if not inspect.isawaitable(answer):
            raise TypeError("it must be async")
        result: T = await answer
    except allowed:
        raise
    except BaseException as error:
        raise _counted(timing, blamed(error, f"{plugin}: {action}")) from error
    finally:
        timing.note(perf_counter_ns() - began)
    return result


def _counted(timing: Timing, problem: PluginError) -> PluginError:
    """The problem, which is one of the plugin's: a cancellation has passed before."""
    timing.errors += 1
    return problem


def check_members(
    plugin: Plugin, action: str, product: object, methods: Sequence[str], attributes: Sequence[str] = ()
) -> None:
    """Raises ``PluginError`` if what ``action`` has returned lacks a method or an attribute.

    Properties are not asked for their value: they may not have one yet.
    """
    try:
        missing = [name for name in methods if not callable(getattr(product, name, None))]
        missing += [name for name in attributes if not (hasattr(type(product), name) or hasattr(product, name))]
    except BaseException as error:
        raise blamed(error, f"{plugin}: what {action} returned") from error
    if missing:
        raise PluginError(f"{plugin}: {action} returned {type(product).__name__}, which has no {', '.join(missing)}")


def guarded_agent(plugin: Plugin, name: str, agent: Agent) -> Agent:
    """The agent; raises ``PluginError`` in its calls if it is no async function.

    What it raises itself comes out as it is, and its call stops it and finds whose it is. Its time is that of calls.
    """
    timing = plugin.timing(f"agent {name}")

    async def converse(call: Call) -> None:
        began = perf_counter_ns()
        try:
            conversation: object = agent(call)
            if not inspect.isawaitable(conversation):
                kind = type(conversation).__name__
                raise PluginError(f"{plugin}: agent {name} returned {kind}; it must be an async function of the call")
            await conversation
        except BaseException as error:
            timing.errors += split(error)[1] is not None
            raise
        finally:
            timing.note(perf_counter_ns() - began)

    return converse
