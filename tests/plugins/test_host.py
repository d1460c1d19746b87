import pytest
from glottis import AgentSpec, AuthSchemeSpec, ConfigurationError, IceServerProviderSpec, PluginError
from glottis.plugins import Plugin, create, guarded

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


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        (AgentSpec("a", lambda settings: 5), "__call__"),  # type: ignore[arg-type,return-value]
        (AuthSchemeSpec("a", lambda settings: object()), "authenticate, issue, verify"),  # type: ignore[arg-type,return-value]
        (IceServerProviderSpec("a", lambda settings: object()), "get_ice_servers"),  # type: ignore[arg-type,return-value]
    ],
)
def test_a_product_without_its_methods_is_refused(
    spec: AgentSpec | AuthSchemeSpec | IceServerProviderSpec, missing: str
) -> None:
    with pytest.raises(PluginError, match=f"create of a returned .* which has no {missing}"):
        create(PLUGIN, spec, None)
