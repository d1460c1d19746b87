"""The settings of plugins as their types, with the components that they name."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from glottis.config.conversion import convert, join
from glottis.contracts.components import Component, ComponentSpec
from glottis.contracts.errors import ConfigurationError
from glottis.plugins import Registered, Registry, create
from glottis.plugins.guard import uncounted

Told = Callable[[Registered[Any], str], object]
"""Hears of a component that was found, and of the key that names it."""


def typed_settings(
    registry: Registry,
    found: Registered[Any],
    settings: Mapping[str, Any],
    path: str,
    told: Told = lambda component, key: None,
) -> msgspec.Struct | None:
    """The settings at ``path`` as the ``config_type`` of the specification that was found.

    Raises ``ConfigurationError`` with one line for each wrong key. ``told`` hears of the components in them.
    """
    return _typed(found, settings, _Components(registry, path, told))


class _Components(msgspec.Struct, frozen=True):
    """Looks up the components that the settings at ``path`` name."""

    registry: Registry
    path: str
    told: Told
    defaults: tuple[Registered[Any], ...] = ()
    """The components that led here, each being a default in the settings of the one before."""

    def look_up(
        self, kind: type, name: str, settings: Mapping[str, Any], path: str, by_default: bool
    ) -> Component[Any]:
        """The component of this name; the settings of its own may name more."""
        try:
            found = self.registry.components_of(kind).find(name)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from None
        defaults = (*self.defaults, found) if by_default else ()
        if any(found is earlier for earlier in defaults[:-1]):
            circle = " needs ".join(each.spec.name for each in defaults)
            raise ConfigurationError(f"{path}: the defaults go round in a circle, {circle}: name another")
        self.told(found, path)
        typed = _typed(found, settings, _Components(self.registry, path, self.told, defaults))
        make = partial(_make, found, typed, path.removeprefix(self.path).removeprefix("."))
        return Component(found.spec.name, make, typed)


def _typed(found: Registered[Any], settings: Mapping[str, Any], components: _Components) -> msgspec.Struct | None:
    spec, path = found.spec, components.path
    if spec.config_type is None:
        if settings:
            nothing = "nothing but a name" if isinstance(spec, ComponentSpec) else "nothing"
            raise ConfigurationError(f"{path}: expected {nothing}, {spec.name} takes no settings")
        return None
    typed: msgspec.Struct = uncounted(
        found.plugin, f"config_type of {spec.name}", convert, settings, spec.config_type, path, components.look_up
    )
    return typed


def _make(found: Registered[Any], settings: msgspec.Struct | None, key: str) -> Any:
    """What a component's specification creates; ``key`` is where the settings of the plugin that uses it name it."""
    try:
        return create(found.plugin, found.spec, settings)
    except ConfigurationError as error:
        raise ConfigurationError(join(key, str(error))) from None
