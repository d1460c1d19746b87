from collections.abc import Callable
from typing import Protocol

import pytest
from glottis import (
    Agent,
    AgentSpec,
    AuthSchemeSpec,
    Call,
    CampaignInfo,
    ComponentSpec,
    ConfigurationError,
    IceServerProviderSpec,
    PluginError,
)
from glottis.plugins import Plugin, create, guarded
from glottis.plugins.host import Makeable

PLUGIN = Plugin("mine", "my-dist", "2.1")


def test_the_result_of_a_guarded_call_comes_through() -> None:
    assert guarded(PLUGIN, "adding", int.__add__, 1, 2) == 3


def test_an_exception_is_blamed_on_the_plugin_and_kept_as_cause() -> None:
    def fail() -> None:
        raise ZeroDivisionError("oops")

    with pytest.raises(
        PluginError, match=r"plugin mine \(my-dist 2.1\): failing raised ZeroDivisionError: oops"
    ) as caught:
        guarded(PLUGIN, "failing", fail)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_wrong_setting_is_not_the_plugins_fault() -> None:
    def refuse(settings: object) -> None:
        raise ConfigurationError("volume: too loud")

    with pytest.raises(ConfigurationError):
        create(PLUGIN, AgentSpec("a", refuse), None)  # type: ignore[arg-type]


class Meter(Protocol):
    unit: str

    @property
    def value(self) -> float:
        """What it shows."""

    def __call__(self) -> None: ...
    def reset(self) -> None: ...


class PatientMeter:
    """Has a value only once it has measured."""

    def __init__(self, settings: object) -> None:
        self.unit = "dB"

    @property
    def value(self) -> float:
        raise ZeroDivisionError("nothing was measured")

    def __call__(self) -> None: ...
    def reset(self) -> None: ...


def test_a_component_needs_no_value_of_a_property_to_be_made() -> None:
    assert isinstance(create(PLUGIN, ComponentSpec(Meter, "a", PatientMeter), None), PatientMeter)


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        (AgentSpec("a", lambda settings: 5), "__call__"),  # type: ignore[arg-type,return-value]
        (AuthSchemeSpec("a", lambda settings: object()), "authenticate"),  # type: ignore[arg-type,return-value]
        (IceServerProviderSpec("a", lambda settings: object()), "get_ice_servers"),  # type: ignore[arg-type,return-value]
        (ComponentSpec(Meter, "a", lambda settings: object()), "__call__, reset, unit, value"),
    ],
)
def test_a_product_without_its_methods_is_refused(spec: Makeable, missing: str) -> None:
    with pytest.raises(PluginError, match=f"create of a returned .* which has no {missing}"):
        create(PLUGIN, spec, None)


CAMPAIGN = CampaignInfo("sales", 24000)


async def agent(call: Call) -> None: ...


def make_by_default(settings: object, campaign: CampaignInfo | None = None) -> Agent:
    assert campaign == CAMPAIGN
    return agent


def make_by_keyword(settings: object, *, campaign: CampaignInfo) -> Agent:
    assert campaign == CAMPAIGN
    return agent


def make_by_another_name(settings: object, voice: str = "low", **others: object) -> Agent:
    assert (voice, others) == ("low", {})
    return agent


class Maker:
    def __new__(cls, settings: object, campaign: CampaignInfo) -> Agent:  # type: ignore[misc]
        assert campaign == CAMPAIGN
        return agent


@pytest.mark.parametrize("make", [make_by_default, make_by_keyword, make_by_another_name, Maker])
def test_who_makes_an_agent_gets_the_campaign_by_its_name(make: Callable[..., Agent]) -> None:
    assert callable(create(PLUGIN, AgentSpec("a", make), None, CAMPAIGN))
