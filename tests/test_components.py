"""Settings name components, which are looked up by their kind wherever a setting may hold one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
import pytest
from glottis import (
    Agent,
    AgentSpec,
    AuthSchemeSpec,
    Call,
    CodecSpec,
    Component,
    ComponentSpec,
    ConfigurationError,
    IceServerProviderSpec,
    PluginError,
    Secret,
    hookimpl,
)
from glottis.config import Config, load_config, render, resolve
from glottis.plugins import Registry, load_plugins

T_co = TypeVar("T_co", covariant=True)


class Ear(Protocol):
    def hear(self) -> str: ...


class Store(Protocol[T_co]):
    """A generic kind."""

    def get(self) -> T_co: ...


class WaxConfig(msgspec.Struct, frozen=True, kw_only=True):
    depth_mm: Annotated[int, msgspec.Meta(ge=0)] = 3
    password: Secret = Secret("none")

    def __post_init__(self) -> None:
        if self.depth_mm == 13:
            raise SystemExit("an unlucky ear")


class Wax:
    """An ear with settings; each made is another."""

    def __init__(self, config: WaxConfig) -> None:
        if config.depth_mm > 99:
            raise ConfigurationError("depth_mm: deaf")
        self.depth_mm = config.depth_mm

    def hear(self) -> str:
        return "mm"


class Deaf:
    def __init__(self, settings: None) -> None: ...


class PairConfig(msgspec.Struct, frozen=True, kw_only=True):
    left: Component[Ear] = Component("wax")
    right: Component[Ear] | None = None


class Pair:
    """An ear of ears."""

    def __init__(self, config: PairConfig) -> None:
        self.ears = [ear.make() for ear in (config.left, config.right) if ear]

    def hear(self) -> str:
        return "".join(ear.hear() for ear in self.ears)


class ShellConfig(msgspec.Struct, frozen=True, kw_only=True):
    sea: Component[Ear] = Component("sea")


class SeaConfig(msgspec.Struct, frozen=True, kw_only=True):
    shell: Component[Ear] = Component("shell")


class Memory:
    def __init__(self, settings: None) -> None: ...
    def get(self) -> bytes:
        return b""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    ear: Component[Ear] = Component("WAX")


class ListenerConfig(msgspec.Struct, frozen=True, kw_only=True):
    ear: Component[Ear] = Component("wax")
    spare: Component[Ear] | None = None
    ears: tuple[Component[Ear], ...] = (Component("wax"),)
    by_side: dict[str, Component[Ear]] = msgspec.field(default_factory=lambda: {"left": Component("wax")})
    section: Section = Section()
    made_section: Section = msgspec.field(default_factory=Section)
    store: Component[Store[bytes]] = Component("memory")
    volume: int = 1


class NeedyConfig(msgspec.Struct, frozen=True, kw_only=True):
    ear: Component[Ear]


class UntypedConfig(msgspec.Struct, frozen=True, kw_only=True):
    ear: Component = Component("wax")  # type: ignore[type-arg]


class Scheme:
    def __init__(self, config: NeedyConfig) -> None: ...
    async def authenticate(self, request: object) -> None: ...
    def issue(self, claims: object) -> None: ...
    def verify(self, token: str, now: float) -> None: ...


class Provider:
    def __init__(self, config: NeedyConfig) -> None: ...
    async def get_ice_servers(self, call_info: object) -> None: ...


async def listen(call: Call) -> None: ...


def listener(config: Any) -> Agent:
    return listen


def careful_listener(config: NeedyConfig) -> Agent:
    config.ear.make()
    return listen


class Listeners:
    @hookimpl
    def register_agents(self) -> Sequence[AgentSpec]:
        return [
            AgentSpec("listener", listener, ListenerConfig),
            AgentSpec("needy", listener, NeedyConfig),
            AgentSpec("careful", careful_listener, NeedyConfig),
            AgentSpec("untyped", listener, UntypedConfig),
        ]

    @hookimpl
    def register_codecs(self) -> Sequence[CodecSpec]:
        unused: Any = None
        return [CodecSpec("PCMU", 8000, unused, unused, unused)]

    @hookimpl
    def register_auth_schemes(self) -> Sequence[AuthSchemeSpec]:
        anything: Any = Scheme
        return [AuthSchemeSpec("anonymous", anything), AuthSchemeSpec("needy", anything, NeedyConfig)]

    @hookimpl
    def register_ice_server_providers(self) -> Sequence[IceServerProviderSpec]:
        anything: Any = Provider
        return [IceServerProviderSpec("needy", anything, NeedyConfig)]


class Ears:
    @hookimpl
    def register_components(self) -> Sequence[ComponentSpec[Any]]:
        return [
            ComponentSpec(Ear, "wax", Wax, WaxConfig),
            ComponentSpec(Ear, "pair", Pair, PairConfig),
            ComponentSpec(Ear, "shell", Pair, ShellConfig),
            ComponentSpec(Ear, "sea", Pair, SeaConfig),
            ComponentSpec(Ear, "deaf", Deaf),
            ComponentSpec(Ear, "broken", lambda settings: 1 / 0),
            ComponentSpec(Store, "memory", Memory),
        ]


@pytest.fixture(name="registry", scope="module")
def make_registry() -> Registry:
    return load_plugins([Listeners(), Ears()], installed=[])


def load(tmp_path: Path, settings: str = "", agent: str = "listener", **environ: str) -> Config:
    path = tmp_path / "glottis.toml"
    path.write_text(f'[campaigns.x]\nagent = "{agent}"\n[campaigns.x.settings]\n{settings}')
    return load_config(path, environ)


def settings_of(config: Config, registry: Registry) -> Any:
    return resolve(config, registry).campaigns["x"].agent.settings


def complaints(config: Config, registry: Registry) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        resolve(config, registry)
    return [line.removeprefix("campaigns.x.settings") for line in str(caught.value).splitlines()]


def test_defaults_are_looked_up_wherever_they_are(registry: Registry, tmp_path: Path) -> None:
    settings = settings_of(load(tmp_path), registry)
    found = (settings.ear, *settings.ears, *settings.by_side.values(), settings.section.ear, settings.made_section.ear)
    assert [component.name for component in found] == ["wax"] * 5
    assert [component.make().depth_mm for component in found] == [3] * 5
    assert settings.spare is None
    assert isinstance(settings.store.make(), Memory)


def test_a_component_is_named_or_has_a_table(registry: Registry, tmp_path: Path) -> None:
    text = """
    ear = "Pair"
    spare = { name = "wax", depth_mm = 4 }
    ears = ["wax", { name = "wax", depth_mm = 5 }]
    by_side.right = { name = "pair", right = { name = "wax", depth_mm = 6 } }
    section.ear = { name = "wax", depth_mm = 7 }
    """
    settings = settings_of(load(tmp_path, text), registry)
    assert settings.ear.make().hear() == "mm"
    assert settings.spare.make().depth_mm == 4
    assert [ear.make().depth_mm for ear in settings.ears] == [3, 5]
    assert [ear.depth_mm for ear in settings.by_side["right"].make().ears] == [3, 6]
    assert settings.section.ear.make().depth_mm == 7
    assert settings.spare.make() is not settings.spare.make()


@pytest.mark.parametrize("text", ["wax", '"wax"', '{"name": "wax"}', '{ name = "wax" }'])
def test_a_variable_names_a_component(text: str, registry: Registry, tmp_path: Path) -> None:
    config = load(tmp_path, agent="needy", GLOTTIS_CAMPAIGNS__X__SETTINGS__EAR=text)
    assert settings_of(config, registry).ear.name == "wax"


def test_variables_set_the_keys_of_a_component(registry: Registry, tmp_path: Path) -> None:
    variables = {"EAR__NAME": "wax", "EAR__DEPTH_MM": "9"}
    config = load(tmp_path, **{f"GLOTTIS_CAMPAIGNS__X__SETTINGS__{key}": text for key, text in variables.items()})
    assert settings_of(config, registry).ear.make().depth_mm == 9


def test_every_wrong_component_is_told_at_once_with_its_path(registry: Registry, tmp_path: Path) -> None:
    text = """
    ear = "silero"
    spare = { depth_mm = 4 }
    ears = [5, { name = "wax", depth_mm = -1, dept = 1 }, { name = 7 }]
    by_side = { left = { name = "deaf", level = 1 }, right = { name = "pair", left = "memory" } }
    section = { ear = { name = "pair", right.name = "silero" } }
    store = "wax"
    volume = "loud"
    """
    names = "broken, deaf, pair, sea, shell, wax"
    assert complaints(load(tmp_path, text), registry) == [
        f".ear: no Ear is named 'silero'; available: {names}",
        ".spare.name: missing, it says which Ear",
        ".ears[0]: expected a name or a table, got int",
        ".ears[1].dept: unknown key, did you mean depth_mm?",
        ".ears[1].depth_mm: expected int >= 0",
        ".ears[2].name: expected str, got int",
        ".by_side.left: expected nothing but a name, deaf takes no settings",
        f".by_side.right.left: no Ear is named 'memory'; available: {names}",
        f".section.ear.right: no Ear is named 'silero'; available: {names}",
        ".store: no Store is named 'wax'; available: memory",
        ".volume: expected int, got str",
    ]


def test_defaults_that_no_plugin_brings_are_told(tmp_path: Path) -> None:
    assert complaints(load(tmp_path), load_plugins([Listeners()], installed=[])) == [
        ".ear: no Ear is named 'wax'; available: none",
        ".ears[0]: no Ear is named 'wax'; available: none",
        ".by_side.left: no Ear is named 'wax'; available: none",
        ".section.ear: no Ear is named 'WAX'; available: none",
        ".made_section.ear: no Ear is named 'WAX'; available: none",
        ".store: no Store is named 'memory'; available: none",
    ]


def test_a_circle_of_defaults_is_told_and_can_be_left(registry: Registry, tmp_path: Path) -> None:
    assert complaints(load(tmp_path, 'ear = "shell"'), registry) == [
        ".ear.sea.shell.sea: the defaults go round in a circle, sea needs shell needs sea: name another"
    ]
    settings = settings_of(load(tmp_path, 'ear = { name = "shell", sea.name = "sea", sea.shell = "wax" }'), registry)
    assert settings.ear.settings.sea.settings.shell.name == "wax"


def test_settings_of_every_kind_of_plugin_hold_components(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "glottis.toml"
    providers = 'providers = ["needy"]\nsettings.needy.ear = "pair"'
    path.write_text(f'[auth]\nscheme = "needy"\nsettings.ear = "wax"\n[ice_servers]\n{providers}\n')
    resolved = resolve(load_config(path, {}), registry)
    made = [resolved.auth.settings, *(provider.settings for provider in resolved.ice_server_providers)]
    assert [settings.ear.name for settings in made if isinstance(settings, NeedyConfig)] == ["wax", "pair"]


@pytest.mark.parametrize(
    ("ear", "complaint"),
    [
        ("broken", r"^plugin Ears \(given directly\): create of broken raised ZeroDivisionError"),
        ("deaf", r"^plugin Ears \(given directly\): create of deaf returned Deaf, which has no hear$"),
    ],
)
def test_what_goes_wrong_while_one_is_made_names_the_plugin_that_brings_it(
    ear: str, complaint: str, registry: Registry, tmp_path: Path
) -> None:
    settings = settings_of(load(tmp_path, f'ear = "{ear}"'), registry)
    with pytest.raises(PluginError, match=complaint):
        settings.ear.make()


def test_settings_that_cannot_be_used_together_are_told_with_their_path(registry: Registry, tmp_path: Path) -> None:
    text = 'ear = { name = "pair", right = { name = "wax", depth_mm = 100 } }'
    assert complaints(load(tmp_path, text, agent="careful"), registry) == [".ear.right.depth_mm: deaf"]


def test_settings_that_raise_name_the_plugin_that_brings_the_component(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"plugin Ears .*: config_type of wax raised SystemExit: an unlucky ear"):
        resolve(load(tmp_path, 'ear = { name = "wax", depth_mm = 13 }'), registry)


@pytest.mark.parametrize("text", ["", 'ear = "wax"'])
def test_a_setting_that_says_no_kind_is_the_fault_of_its_plugin(text: str, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(
        PluginError, match=r"plugin Listeners .*: config_type of untyped .*expected .*Component\[Kind\]"
    ):
        resolve(load(tmp_path, text, agent="untyped"), registry)


def test_the_component_in_force_is_shown_with_its_settings_but_no_secrets(registry: Registry, tmp_path: Path) -> None:
    config = load(tmp_path, 'ear = { name = "WAX", password = "x" }', agent="needy")
    shown = render(resolve(config, registry))
    assert '[campaigns.x.settings.ear]\nname = "wax"\ndepth_mm = 3\npassword = "…"' in shown
    (tmp_path / "shown.toml").write_text(shown)
    assert settings_of(load_config(tmp_path / "shown.toml", {}), registry).ear.name == "wax"
