"""Calls into plugins, each behind a guard: the plugin is named that broke its contract, not whoever stumbles later."""

import inspect
from collections.abc import Callable, Sequence
from typing import TypeVar

from glottis.contracts.call import Agent, Call
from glottis.contracts.errors import ConfigurationError, PluginError
from glottis.plugins.manager import Plugin

T = TypeVar("T")


def guarded(plugin: Plugin, action: str, function: Callable[..., T], *arguments: object) -> T:
    """Call into a plugin. What it raises, or an awaitable where a value belongs, becomes a ``PluginError``.

    ``ConfigurationError`` passes: it says that a setting is wrong, which is not the plugin's fault.
    """
    try:
        result = function(*arguments)
    except ConfigurationError:
        raise
    except Exception as error:
        raise PluginError(f"{plugin}: {action} raised {type(error).__name__}: {error}") from error
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise PluginError(f"{plugin}: {action} returned an awaitable; it must be synchronous")
    return result


def check_methods(plugin: Plugin, action: str, product: object, names: Sequence[str]) -> None:
    """Raises ``PluginError`` if what ``action`` has returned lacks a method."""
    missing = [name for name in names if not callable(getattr(product, name, None))]
    if missing:
        raise PluginError(f"{plugin}: {action} returned {type(product).__name__}, which has no {', '.join(missing)}")


def guarded_agent(plugin: Plugin, name: str, agent: Agent) -> Agent:
    """The agent; raises ``PluginError`` in its calls if it is no async function."""

    async def converse(call: Call) -> None:
        conversation: object = agent(call)
        if not inspect.isawaitable(conversation):
            kind = type(conversation).__name__
            raise PluginError(f"{plugin}: agent {name} returned {kind}; it must be an async function of the call")
        await conversation

    return converse
