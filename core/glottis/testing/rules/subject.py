"""What a plugin registers, together with settings to make it from as the gateway does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Generic, TypeVar

import msgspec

from glottis.config.components import typed_settings
from glottis.contracts.call import AgentSpec, CampaignInfo
from glottis.contracts.errors import ConfigurationError
from glottis.plugins import Plugin, Registered, Registry, create, load_plugins
from glottis.plugins.host import Makeable
from glottis.plugins.specifications import Spec, check_spec
from glottis.testing.rules.rule import Broken, NotTried

SpecT = TypeVar("SpecT", bound=Makeable)

Settings = msgspec.Struct | Mapping[str, Any] | None
"""As ``config_type``, or as a configuration file has them; None: the defaults."""

UNNAMED: Final = Plugin("plugin")
"""Of a test that does not say which."""


@cache
def installed() -> Registry:
    """The plugins that are installed: settings may name components of others."""
    return load_plugins()


@dataclass(frozen=True, slots=True)
class Subject(Generic[SpecT]):
    """Makes what ``spec`` describes, as often as wanted."""

    spec: SpecT
    settings: Settings = None
    plugin: Plugin = UNNAMED
    registry: Callable[[], Registry] = installed
    untyped: Mapping[str, Any] = field(default_factory=dict)
    """Settings of an agent that is a function, and has no type of them: its calls are told these."""

    def typed_settings(self) -> msgspec.Struct | None:
        """The settings as ``config_type``. Raises ``NotTried`` if they do not suffice."""
        if isinstance(self.settings, msgspec.Struct):
            return self.settings
        try:
            found: Registered[Any] = Registered(self.spec, self.plugin)
            return typed_settings(self.registry(), found, self.settings or {}, "")
        except ConfigurationError as error:
            raise NotTried(f"needs settings: {'; '.join(str(error).splitlines())}") from None

    def told_settings(self) -> msgspec.Struct | Mapping[str, Any]:
        """What a call of the agent finds in ``info.campaign_settings``."""
        typed = self.typed_settings()
        return self.untyped if typed is None else typed

    def make(self) -> Any:
        """An agent, scheme, provider or component. Raises as ``glottis.plugins.create`` does."""
        campaign = _campaign_of(self.spec) if isinstance(self.spec, AgentSpec) else None
        return self.make_for(campaign)

    def make_for(self, campaign: CampaignInfo | None) -> Any:
        """An agent for this campaign."""
        settings = self.typed_settings()
        try:
            return create(self.plugin, self.spec, settings, campaign)
        except ConfigurationError as error:
            raise NotTried(f"needs other settings: {error}") from None


def _campaign_of(spec: AgentSpec) -> CampaignInfo:
    """As the agent itself wants it."""
    return CampaignInfo("campaign", spec.sample_rate, frame_ms=spec.frame_ms)


def check_specification(spec: Spec) -> None:
    """What dataclasses do not check."""
    try:
        check_spec(spec)
    except ValueError as error:
        raise Broken(str(error)) from None


def check_description(subject: Subject[Any]) -> None:
    """The specification, and whether something comes of it."""
    check_specification(subject.spec)
    subject.make()
