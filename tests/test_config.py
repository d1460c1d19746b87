import enum
import logging
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from glottis import (
    Agent,
    AgentSpec,
    AuthSchemeSpec,
    Call,
    CodecSpec,
    ConfigurationError,
    IceServerProviderSpec,
    Page,
    PagesSpec,
    PluginError,
    Secret,
    hookimpl,
)
from glottis.config import Config, Log, configure_logging, flush_logs, load_config, name_sources, render, resolve
from glottis.plugins import Registry, load_plugins


class Mood(enum.Enum):
    MERRY = "merry"
    GRAVE = "grave"


class Voice(msgspec.Struct, frozen=True):
    name: str = "alto"
    password: Secret = Secret("none")


class SingerConfig(msgspec.Struct, frozen=True, kw_only=True):
    volume: float = 1.0
    voices: list[Voice] = []
    by_key: dict[str, Secret] = {}
    code: str = ""
    mood: Mood = Mood.MERRY

    def __post_init__(self) -> None:
        if self.volume > 11:
            raise ConfigurationError("volume: expected at most 11")
        if self.volume < 0:
            raise SystemExit("the singer leaves")


class Scheme:
    def __init__(self, settings: object) -> None:
        self.settings = settings

    async def authenticate(self, request: object) -> None: ...
    def issue(self, claims: object) -> None: ...
    def verify(self, token: str, now: float) -> None: ...


class Provider:
    def __init__(self, settings: object) -> None: ...
    async def get_ice_servers(self, call_info: object) -> None: ...


class Singer:
    """A plugin of every kind."""

    @hookimpl
    def register_agents(self) -> Sequence[AgentSpec]:
        return [
            AgentSpec("singer", self._singer, SingerConfig, sample_rate=24000, frame_ms=10),
            AgentSpec("mute", lambda settings: self._sing),
            AgentSpec("broken", lambda settings: 1 / 0),  # type: ignore[arg-type,return-value]
        ]

    def _singer(self, settings: SingerConfig) -> Agent:
        if settings.volume == 0:
            raise ConfigurationError("volume: too low to make a singer")
        return self._sing

    async def _sing(self, call: Call) -> None: ...

    @hookimpl
    def register_codecs(self) -> Sequence[CodecSpec]:
        unused: Any = None
        return [CodecSpec(name, 8000, unused, unused, unused) for name in ("PCMA", "PCMU")]

    @hookimpl
    def register_auth_schemes(self) -> Sequence[AuthSchemeSpec]:
        scheme: Any = Scheme
        return [AuthSchemeSpec("anonymous", scheme, loopback_only=True), AuthSchemeSpec("guarded", scheme, Voice)]

    @hookimpl
    def register_ice_server_providers(self) -> Sequence[IceServerProviderSpec]:
        provider: Any = Provider
        return [IceServerProviderSpec("static", provider, Voice), IceServerProviderSpec("other", provider)]

    @hookimpl
    def register_pages(self) -> Sequence[PagesSpec]:
        page = Page(b"", "text/html")
        return [PagesSpec("demo", {"/": page}), PagesSpec("rival", {"/": page, "/x": page})]


@pytest.fixture(name="registry")
def make_registry() -> Registry:
    return load_plugins([Singer()], installed=[])


def load(tmp_path: Path, text: str, **environ: str) -> Config:
    path = tmp_path / "glottis.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environ)


def complaints(tmp_path: Path, text: str, registry: Registry | None = None, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        resolve(load(tmp_path, text, **environ), registry or Registry())
    return str(caught.value).splitlines()


def test_without_a_file_the_documented_defaults_hold() -> None:
    config = load_config(None, {"HOME": "/root"})
    assert (config.server.host, config.server.port, config.media.udp_port) == ("127.0.0.1", 8080, 0)


def test_a_floor_of_complexity_above_the_ceiling_is_told(tmp_path: Path) -> None:
    text = "[media.encoder]\ncomplexity = 3\ncomplexity_floor = 4"
    assert complaints(tmp_path, text) == ["media.encoder.complexity_floor: expected at most complexity, 3, got 4"]


def test_every_wrong_key_is_told_at_once_with_its_path(tmp_path: Path) -> None:
    text = """
    [server]
    prot = 80
    port = 65536
    allowed_origins = ["https://example.org", 7]
    [media]
    codecs = "opus"
    [media.encoder]
    complexity = 11
    [campaigns.sales]
    [campaigns.sales.settings]
    [log]
    level = "verbose"
    [sevrer]
    """
    assert complaints(tmp_path, text) == [
        "sevrer: unknown key, did you mean server?",
        "server.prot: unknown key, did you mean port?",
        "server.port: expected int <= 65535",
        "server.allowed_origins[1]: expected str, got int",
        "media.codecs: expected array, got str",
        "media.encoder.complexity: expected int <= 10",
        "campaigns.sales.agent: missing",
        "log.level: expected one of debug, info, warning, error",
    ]


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ('allowed_origins = ["example.org"]', "server.allowed_origins[0]: expected an origin"),
        ('allowed_origins = ["https://example.org/"]', "server.allowed_origins[0]: expected an origin"),
        ('allowed_origins = ["*", "capacitor://localhost/"]', "server.allowed_origins[1]: expected an origin"),
        ('trusted_proxies = ["10.0.0.0/8", "proxy"]', "server.trusted_proxies[1]: expected an IP address or network"),
        ('trusted_proxies = ["10.0.0.1/8"]', "server.trusted_proxies[0]: expected an IP address or network"),
        ('trusted_proxies = ["10.0.0.0/33"]', "server.trusted_proxies[0]: expected an IP address or network"),
        ('trusted_proxies = [""]', "server.trusted_proxies[0]: expected an IP address or network"),
        ('public_url = "example.org"', "server.public_url: expected scheme and host"),
        ('public_url = "https://example.org/voice"', "server.public_url: expected scheme and host"),
        ('public_url = "https://example.org:99999"', "server.public_url: expected scheme and host"),
        ("token_lifetime = 0", "server.token_lifetime: expected float > 0"),
        ("token_lifetime = inf", "server.token_lifetime: expected float <= 604800"),
        ("token_lifetime = nan", "server.token_lifetime: expected"),
        ("token_lifetime = 1e12", "server.token_lifetime: expected float <= 604800"),
        ("token_lifetime = -inf", "server.token_lifetime: expected float > 0"),
        ("resume_grace = inf", "server.resume_grace: expected float <= 86400"),
        ("resume_grace = nan", "server.resume_grace: expected"),
        ("shutdown_grace = 1e300", "server.shutdown_grace: expected float <= 86400"),
        ("idle_timeout = inf", "server.idle_timeout: expected float <= 86400"),
        ("head_timeout = 1e9", "server.head_timeout: expected float <= 86400"),
        (f"max_sessions_per_minute = 1{'0' * 400}", "server.max_sessions_per_minute: expected int <= 1000000"),
        ("max_body_bytes = 9223372036854775807", "server.max_body_bytes: expected int <= 16777216"),
        ("head_timeout = true", "server.head_timeout: expected float, got bool"),
        ('host = ""', "server.host: expected str of length >= 1"),
    ],
)
def test_values_that_make_no_sense_are_refused(section: str, complaint: str, tmp_path: Path) -> None:
    [only] = complaints(tmp_path, f"[server]\n{section}")
    assert only.startswith(complaint)


def test_campaign_that_no_client_could_ask_for_is_refused(tmp_path: Path) -> None:
    load(tmp_path, f"[campaigns.{'a' * 256}]\nagent = 'singer'")
    [complaint] = complaints(tmp_path, f"[campaigns.{'a' * 257}]\nagent = 'singer'")
    assert complaint.startswith(f"campaigns.{'a' * 257}: expected a name of at most 256 characters")


@pytest.mark.parametrize("name", ["", "a\\nb"])
def test_campaign_whose_name_fits_no_line_is_refused(name: str, tmp_path: Path) -> None:
    [complaint] = complaints(tmp_path, f"[campaigns.\"{name}\"]\nagent = 'singer'")
    assert complaint == f"campaigns: expected a name in one line for each, got '{name}'"


def test_origins_may_have_any_port_and_scheme(tmp_path: Path) -> None:
    origins = ["*", "http://127.0.0.1:*", "https://a.example:8443", "http://[::1]:80", "null"]
    origins += ["capacitor://localhost", "ionic://localhost", "tauri://localhost", "file://", "moz-extension://*"]
    assert load(tmp_path, f"[server]\nallowed_origins = {origins}").server.allowed_origins == tuple(origins)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing.toml: No such file"):
        load_config(tmp_path / "missing.toml", {})
    [line] = complaints(tmp_path, "[server")
    assert "not TOML" in line


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[media]\nice_policy = 'relay'\nice_lite = true", "media.ice_policy: a lite agent has no relayed candidates"),
        (
            "[media]\nice_lite = true\n[campaigns.a]\nagent = 'a'\nice_policy = 'relay'",
            "campaigns.a.ice_policy: a lite agent has no relayed candidates",
        ),
        (
            "[ice_servers]\nfor_gateway = false\n[campaigns.a]\nagent = 'a'\nice_policy = 'relay'",
            "campaigns.a.ice_policy: by relays alone there is no call where ice_servers.for_gateway is false",
        ),
    ],
)
def test_who_uses_relays_alone_can_have_one(tmp_path: Path, text: str, complaint: str) -> None:
    [line] = complaints(tmp_path, text)
    assert line.startswith(complaint)


def test_the_least_delay_is_no_longer_than_the_longest(tmp_path: Path) -> None:
    [line] = complaints(tmp_path, "[media]\njitter_buffer_min_ms = 300\njitter_buffer_max_ms = 200")
    assert "jitter_buffer_min_ms is 300, more than jitter_buffer_max_ms, 200" in line


class TestEnvironment:
    def test_it_goes_on_top_of_the_file(self, tmp_path: Path) -> None:
        config = load(
            tmp_path,
            "[server]\nport = 80\nhost = '127.0.0.2'\n",
            GLOTTIS_SERVER__PORT="9000",
            GLOTTIS_MEDIA__ICE_LITE="true",
            GLOTTIS_MEDIA__ENCODER__BITRATE="24000",
            GLOTTIS_SERVER__ALLOWED_ORIGINS='["*"]',
            GLOTTIS_AUTH__SCHEME="api-keys",
            OTHER__PORT="1",
        )
        assert (config.server.port, config.server.host, config.media.ice_lite) == (9000, "127.0.0.2", True)
        assert (config.media.encoder.bitrate, config.server.allowed_origins) == (24000, ("*",))
        assert config.auth.scheme == "api-keys"

    def test_keys_with_hyphens_and_capitals_are_found(self, tmp_path: Path) -> None:
        config = load(tmp_path, "[campaigns.Big-Sale]\nagent = 'a'", GLOTTIS_CAMPAIGNS__BIG_SALE__AGENT="b")
        assert [(name, campaign.agent) for name, campaign in config.campaigns.items()] == [("Big-Sale", "b")]

    def test_text_that_looks_like_a_number_is_text_where_text_is_expected(
        self, tmp_path: Path, registry: Registry
    ) -> None:
        config = load(
            tmp_path,
            "[campaigns.a]\nagent = 'singer'",
            GLOTTIS_CAMPAIGNS__A__SETTINGS__CODE="0123",
            GLOTTIS_CAMPAIGNS__A__SETTINGS__BY_KEY__WEB="12345",
            GLOTTIS_CAMPAIGNS__A__SETTINGS__VOLUME="5",
        )
        settings = resolve(config, registry).campaigns["a"].agent.settings
        assert settings == SingerConfig(code="0123", by_key={"web": Secret("12345")}, volume=5.0)

    def test_wrong_values_are_told_by_path(self, tmp_path: Path) -> None:
        assert complaints(tmp_path, "", GLOTTIS_SERVER__PORT="http", GLOTTIS_SERVER="5") == [
            "server: not a table, but the variable GLOTTIS_SERVER__PORT sets a key of it"
        ]
        assert complaints(tmp_path, "", GLOTTIS_SERVER__PORT="http") == ["server.port: expected int, got str"]
        assert complaints(tmp_path, "", GLOTTIS_SERVER__PRT="1\nx = 2") == [
            "server.prt: unknown key, did you mean port?"
        ]

    @pytest.mark.parametrize(
        ("line", "variables"),
        [
            ("foo: unknown key", "GLOTTIS_FOO__BAR"),
            ("server.port: expected int, got str", "GLOTTIS_SERVER__PORT"),
            ("server.host, server.port: cannot listen", "GLOTTIS_SERVER__PORT"),
            ("media.codecs[0]: no codec is named 'x'", "GLOTTIS_MEDIA__CODECS"),
            ("campaigns.Big-Sale.settings.mood: expected one of merry, grave", "GLOTTIS_CAMPAIGNS__BIG_SALE__SETTINGS"),
            ("server.portal: unknown key", ""),
            ("api_key: unknown key", ""),
            ("media.addresses[0]: expected an IP address", ""),
        ],
    )
    def test_variables_behind_a_wrong_value_are_named(self, line: str, variables: str) -> None:
        environ = dict.fromkeys(
            [
                "GLOTTIS_FOO__BAR",
                "GLOTTIS_SERVER__PORT",
                "GLOTTIS_MEDIA__CODECS",
                "GLOTTIS_CAMPAIGNS__BIG_SALE__SETTINGS",
                "GLOTTIS_API_KEY",
                "OTHER",
            ],
            "secret",
        )
        expected = f"{line} (set by {variables})" if variables else line
        assert name_sources(f"{line}\nx: y", environ) == f"{expected}\nx: y"


class TestResolution:
    def test_everything_that_is_named_is_made(self, tmp_path: Path, registry: Registry) -> None:
        text = """
        [media]
        codecs = ["pcmu"]
        [auth]
        scheme = "guarded"
        [auth.settings]
        password = "swordfish"
        [ice_servers]
        providers = ["other", "static"]
        [ice_servers.settings.Static]
        name = "tenor"
        [campaigns.opera]
        agent = "singer"
        [campaigns.opera.settings]
        volume = 3
        voices = [{name = "bass"}]
        [campaigns.pantomime]
        agent = "mute"
        sample_rate = 48000
        [campaigns.recital]
        agent = "singer"
        frame_ms = 20
        """
        resolved = resolve(load(tmp_path, text), registry)
        assert [entry.spec.encoding_name for entry in resolved.codecs] == ["PCMU"]
        assert resolved.auth.settings == Voice(password=Secret("swordfish"))
        assert [provider.name for provider in resolved.ice_server_providers] == ["other", "static"]
        assert resolved.ice_server_providers[1].settings == Voice("tenor")
        opera, pantomime = resolved.campaigns["opera"], resolved.campaigns["pantomime"]
        assert opera.agent.settings == SingerConfig(volume=3.0, voices=[Voice("bass")])
        assert (opera.agent.name, opera.sample_rate, opera.agent.plugin.name) == ("singer", 24000, "Singer")
        assert (pantomime.sample_rate, pantomime.agent.settings) == (48000, None)
        assert [one.frame_ms for one in resolved.campaigns.values()] == [10, 20, 20]
        assert list(resolved.pages) == ["/"]

    def test_defaults_are_those_that_are_installed_in_order_of_preference(self, registry: Registry) -> None:
        resolved = resolve(Config(), registry)
        assert [entry.spec.encoding_name for entry in resolved.codecs] == ["PCMU", "PCMA"]
        assert [provider.name for provider in resolved.ice_server_providers] == ["static"]
        assert resolved.page_sets == ("demo",)
        assert resolved.auth.name == "anonymous"

    def test_every_wrong_name_and_setting_is_told_at_once(self, tmp_path: Path, registry: Registry) -> None:
        text = """
        [media]
        codecs = ["opus"]
        [auth]
        scheme = "oauth"
        [ice_servers]
        providers = ["dynamic"]
        [ice_servers.settings.sttic]
        [pages]
        enabled = ["demo", "rival", "home"]
        [campaigns.a]
        agent = "sinner"
        [campaigns.b]
        agent = "singer"
        settings = {volume = "loud", voices = [{}, {nmae = 1}], by_key = {k = 4}, mood = "glum"}
        [campaigns.c]
        agent = "mute"
        settings = {volume = 1}
        [campaigns.d]
        agent = "singer"
        settings = {volume = 12}
        [campaigns.e]
        agent = "singer"
        settings = {volume = 0}
        """
        assert complaints(tmp_path, text, registry) == [
            "auth.scheme: no auth scheme is named 'oauth'; available: anonymous, guarded",
            "media.codecs[0]: no codec is named 'opus'; available: PCMA, PCMU",
            "ice_servers.providers[0]: no ICE server provider is named 'dynamic'; available: other, static",
            "ice_servers.settings.sttic: no ICE server provider is named 'sttic'; available: other, static",
            "pages.enabled[2]: no set of pages is named 'home'; available: demo, rival",
            "pages.enabled: rival serves /, and so does one before it",
            "campaigns.a.agent: no agent is named 'sinner'; available: broken, mute, singer",
            "campaigns.b.settings.volume: expected float, got str",
            "campaigns.b.settings.voices[1].nmae: unknown key, did you mean name?",
            "campaigns.b.settings.by_key.k: expected str, got int",
            "campaigns.b.settings.mood: expected one of merry, grave",
            "campaigns.c.settings: expected nothing, mute takes no settings",
            "campaigns.d.settings.volume: expected at most 11",
            "campaigns.e.settings.volume: too low to make a singer",
        ]

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "gateway.example.org"])
    def test_anonymous_callers_are_served_on_loopback_only(self, host: str, tmp_path: Path, registry: Registry) -> None:
        [complaint] = complaints(tmp_path, f"[server]\nhost = '{host}'", registry)
        assert complaint.startswith("auth.scheme: 'anonymous' serves loopback only")
        assert complaint.endswith("choose another: guarded")
        resolve(load(tmp_path, f"[server]\nhost = '{host}'\n[auth]\nscheme = 'guarded'"), registry)

    def test_anonymous_callers_come_by_no_proxy(self, tmp_path: Path, registry: Registry) -> None:
        [complaint] = complaints(tmp_path, "[server]\ntrusted_proxies = ['127.0.0.1']", registry)
        assert "'anonymous' serves loopback only, and there are server.trusted_proxies; choose another" in complaint

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
    def test_loopback_addresses_are_known(self, host: str, tmp_path: Path, registry: Registry) -> None:
        resolve(load(tmp_path, f"[server]\nhost = '{host}'"), registry)

    def test_a_name_that_comes_twice_is_refused(self, tmp_path: Path, registry: Registry) -> None:
        text = "[media]\ncodecs = ['PCMU', 'pcma', 'pcmu']\n[ice_servers]\nproviders = ['static', 'Static']"
        assert complaints(tmp_path, text, registry) == [
            "media.codecs[2]: 'pcmu' is named twice",
            "ice_servers.providers[1]: 'Static' is named twice",
        ]

    def test_no_codec_at_all_is_refused(self, tmp_path: Path, registry: Registry) -> None:
        assert complaints(tmp_path, "[media]\ncodecs = []", registry) == [
            "media.codecs: expected at least one codec; available: PCMA, PCMU"
        ]

    def test_a_rate_that_a_codec_does_not_have_is_refused(self, tmp_path: Path, registry: Registry) -> None:
        pcmu = registry.codecs.find("PCMU")
        registry.codecs.add(replace(pcmu.spec, encoding_name="L16", sample_rates=(8000,)), pcmu.plugin)
        text = "[media]\ncodecs = ['L16']\n[campaigns.a]\nagent = 'singer'\nsample_rate = 16000"
        assert complaints(tmp_path, text, registry) == [
            "campaigns.a.sample_rate: expected one of 8000, as L16 has, got 16000"
        ]

    def test_a_plugin_that_fails_is_blamed(self, tmp_path: Path, registry: Registry) -> None:
        with pytest.raises(PluginError, match=r"plugin Singer .*create of broken raised ZeroDivisionError"):
            resolve(load(tmp_path, "[campaigns.a]\nagent = 'broken'"), registry)

    def test_a_plugin_whose_settings_fail_is_blamed(self, tmp_path: Path, registry: Registry) -> None:
        text = "[campaigns.a]\nagent = 'singer'\nsettings = { volume = -1 }"
        with pytest.raises(PluginError, match=r"plugin Singer .*config_type of singer raised SystemExit: the singer"):
            resolve(load(tmp_path, text), registry)


class TestSecrets:
    TEXT = """
    [auth]
    scheme = "guarded"
    [auth.settings]
    password = "swordfish"
    [campaigns.a]
    agent = "singer"
    [campaigns.a.settings]
    by_key = {"a b" = "swordfish"}
    voices = [{password = "swordfish"}]
    """

    def test_repr_hides_them_before_and_after_their_types_are_known(self, tmp_path: Path, registry: Registry) -> None:
        config = load(tmp_path, self.TEXT)
        assert "swordfish" not in repr(config)
        assert "swordfish" not in repr(resolve(config, registry))

    def test_the_effective_values_are_toml_without_them(self, tmp_path: Path, registry: Registry) -> None:
        text = render(resolve(load(tmp_path, self.TEXT), registry))
        assert "swordfish" not in text
        values = tomllib.loads(text)
        assert values["server"]["port"] == 8080
        assert values["auth"] == {"operators": [], "scheme": "guarded", "settings": {"name": "alto", "password": "…"}}
        assert values["campaigns"]["a"]["settings"]["by_key"] == {"a b": "…"}
        assert values["campaigns"]["a"]["sample_rate"] == 24000
        assert values["media"]["codecs"] == ["PCMU", "PCMA"]


def test_logs_can_be_json(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    try:
        configure_logging(Log(level="warning", json=True))
        logging.getLogger("glottis.test").info("not this")
        try:
            raise OSError("gone")
        except OSError:
            logging.getLogger("glottis.test").exception("call %s ended", "3f2a")
        flush_logs()
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(level)
    [line] = capsys.readouterr().err.splitlines()
    record = msgspec.json.decode(line)
    assert (record["level"], record["logger"], record["message"]) == ("error", "glottis.test", "call 3f2a ended")
    assert record["exception"].endswith("OSError: gone")
