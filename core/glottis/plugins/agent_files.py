"""An agent that is one function in a file or module, named as ``my.py:agent``: found, checked, and loaded anew."""

import difflib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from glottis.contracts.call import Agent, AgentSpec, Call
from glottis.contracts.errors import LocalError
from glottis.contracts.hookspecs import hookimpl
from glottis.plugins.manager import Plugin
from glottis.plugins.python_files import PythonFile, PythonModule

FileTimes = dict[Path, tuple[int, int]]
"""When each file was changed, in nanoseconds, and its length in bytes."""


class FunctionAgent:
    """A plugin whose only agent is one function.

    Raises ``LocalError``, which begins with ``name``, if it is no async function of one parameter.
    """

    def __init__(self, function: Any, name: str, module: str) -> None:
        self.name = name
        self.version = 0
        """Another number whenever the function was loaded anew."""
        self._function = check_agent(function, name)
        self.plugin = Plugin(name, package=module)
        self.campaign_id: str = getattr(function, "__name__", "agent")

    async def converse(self, call: Call) -> None:
        """The function of this moment: a call that has begun keeps the one that it began with."""
        await self._function(call)

    @hookimpl
    def register_agents(self) -> list[AgentSpec]:
        """The function, by a name that no installed agent has."""
        return [AgentSpec(self.name, lambda settings: self.converse)]


class AgentFile(FunctionAgent):
    """The function that ``reference`` names: ``my.py:agent``, or ``package.module:agent``.

    Raises ``LocalError``, which names file, line or attribute, and what was expected there.
    """

    def __init__(self, reference: str) -> None:
        place, _, self._attribute = reference.rpartition(":")
        if not place or not self._attribute:
            raise LocalError(_incomplete(reference))
        self._source = PythonFile(place) if place.endswith(".py") else PythonModule(place)
        self.name = reference
        super().__init__(self._source.load(self._agent_in), reference, self._source.module_name)

    def reload(self) -> None:
        """Take the function anew, for the calls to come. Raises as the constructor does: then the one before stays."""
        self._function = self._source.load(self._agent_in)
        self.version += 1

    def file_times(self) -> FileTimes:
        """Of all that ``reload`` loads anew: who sees other ones reloads."""
        times = {}
        for path in self._source.files():
            try:
                status = path.stat()
            except OSError:  # an editor may just be replacing it
                continue
            times[path] = status.st_mtime_ns, status.st_size
        return times

    def _agent_in(self, module: ModuleType) -> Agent:
        if not hasattr(module, self._attribute):
            raise LocalError(f"{self.name}: {_what_is_there(module, self._attribute)}")
        return check_agent(getattr(module, self._attribute), self.name)


def check_agent(agent: Any, name: str) -> Agent:
    """The same, if it is an async function of one parameter; else raises ``LocalError``, which begins with ``name``."""
    expected = f"expected an async function of the call, such as: async def {_name_of(agent)}(call)"
    if isinstance(agent, type) or not callable(agent):
        kind = "a class" if isinstance(agent, type) else f"a value of the type {type(agent).__name__}"
        raise LocalError(f"{name}: {expected}; it is {kind}")
    if not _is_async(agent):
        raise LocalError(f"{name}: {expected}; it is not async")
    try:
        inspect.signature(agent).bind(None)
    except TypeError:
        raise LocalError(f"{name}: {expected}; its parameters are {inspect.signature(agent)}") from None
    checked: Agent = agent
    return checked


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _name_of(function: Any) -> str:
    return str(getattr(function, "__name__", "agent"))


def _incomplete(reference: str) -> str:
    expected = "expected a file or module, and the function in it"
    place = reference.partition(":")[0] or "my.py"
    return f"{reference!r}: {expected}, such as {place}:agent"


def _what_is_there(module: ModuleType, wanted: str) -> str:
    functions = [name for name, value in vars(module).items() if inspect.iscoroutinefunction(value)]
    likely = difflib.get_close_matches(wanted, functions, n=1)
    there = f"did you mean {likely[0]}?" if likely else f"async functions there: {', '.join(functions) or 'none'}"
    return f"nothing there is called {wanted!r}; {there}"
