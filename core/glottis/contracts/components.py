"""Components: parts of one plugin that another brings, so that configuration can choose among them.

The plugin that uses a part says what it must do, its *kind*: a ``Protocol``. Whoever imports that may bring one.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar, runtime_checkable

import msgspec

from glottis.contracts.errors import LocalError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Component(Generic[T_co]):
    """The value of a setting whose type is ``Component[Kind]``: makes parts of that kind.

    Configuration names it, ``detector = "energy"``, or has a table of its name and settings. As a default,
    ``detector: Component[VoiceActivityDetector] = Component("energy")``, it is looked up in the same way. ``settings``
    are its own, as the ``config_type`` of its ``ComponentSpec``. ``create`` is for tests that make settings themselves.
    """

    __slots__ = ("_create", "name", "settings")

    def __init__(
        self, name: str, create: Callable[[], T_co] | None = None, settings: msgspec.Struct | None = None
    ) -> None:
        self.name = name
        self.settings = settings
        self._create = create

    def make(self) -> T_co:
        """A new one, as often as wanted.

        Raises ``PluginError``, which names the plugin that brings it, and ``ConfigurationError`` for its settings.
        """
        if self._create is None:
            raise LocalError(f"the component {self.name!r} was not looked up: make the settings by resolve()")
        return self._create()

    def __repr__(self) -> str:
        return f"Component({self.name!r})"


@dataclass(frozen=True, slots=True)
class ComponentSpec(Generic[T]):
    """A component as ``register_components`` returns it; settings of who uses its kind choose it by ``name``.

    ``create`` is called by each ``Component.make`` with an instance of ``config_type`` (None: the component takes no
    settings; no key of it is called ``name``).
    """

    kind: Callable[..., T]
    """A class, a Protocol as a rule. (Type checkers take a Protocol for a function, but not for a ``type[T]``.)"""
    name: str
    create: Callable[[Any], T]
    config_type: type[msgspec.Struct] | None = None


def members_of(kind: type) -> tuple[list[str], list[str]]:
    """The methods, and the attributes and properties, that a kind asks for.

    ``typing.get_protocol_members`` does so from Python 3.13 on, for protocols. Of names such as ``__len__`` methods
    count.
    """
    bases = [base for base in kind.__mro__ if base not in (Protocol, Generic, object)]
    members = {name: value for base in reversed(bases) for name, value in vars(base).items() if name not in _MACHINERY}
    annotated = {name for base in bases for name in inspect.get_annotations(base)}
    methods = {name for name, value in members.items() if inspect.isroutine(value)}
    attributes = {name for name in annotated | members.keys() if not name.startswith("__")} - methods
    return sorted(methods), sorted(attributes)


@runtime_checkable
class _Blank(Protocol[T_co]):
    """Has all that a Protocol has without any member."""

    annotated: int


_MACHINERY: Final = frozenset(vars(_Blank))
"""What Python itself puts into such classes."""
