"""Calls into plugins, each behind a guard: the plugin is named that broke its contract, not whoever stumbles later."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from glottis.contracts.call import Agent, Call
from glottis.contracts.errors import ConfigurationError, PluginError
from glottis.plugins.failures import blamed
from glottis.plugins.manager import Plugin

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
    """
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
    """The same for a function that is to be async."""
    try:
        answer: Any = function(*arguments)
        if not inspect.isawaitable(answer):
            raise TypeError("it must be async")
        result: T = await answer
    except allowed:
        raise
    except BaseException as error:
        raise blamed(error, f"{plugin}: {action}") from error
    return result


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

    What it raises itself comes out as it is, and its call stops it and finds whose it is.
    """

    async def converse(call: Call) -> None:
        conversation: object = agent(call)
        if not inspect.isawaitable(conversation):
            kind = type(conversation).__name__
            raise PluginError(f"{plugin}: agent {name} returned {kind}; it must be an async function of the call")
        await conversation

    return converse
