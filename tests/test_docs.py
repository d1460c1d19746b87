"""The documentation says what is so: its keys, codes, names, links and examples are held against the code."""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
import typing
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import glottis
import msgspec
import pytest
import trio
from glottis.cli import main
from glottis.client.device.running import panel_of
from glottis.client.device.settings import DeviceConfig
from glottis.config import Config, Log, load_config, resolve, settings
from glottis.config.conversion import PluginSettings, convert
from glottis.contracts import hookspecs, statistics
from glottis.plugins import AgentFile, Catalogue, Plugin, load_beside
from glottis.server.fleet.environment import VARIABLE
from glottis.server.runtime.service_manager import VARIABLES
from glottis.signaling.session_url import SessionUrl
from glottis.testing import Outcome
from glottis.testing.checking import Part, parts_of
from glottis.testing.fake_call import fake_call
from glottis.testing.rules.rule import judge
from msgspec import inspect as types
from support.audio import SPEECH
from support.chromium import open_chromium_page, run_chromium
from support.gateway import open_test_gateway
from support.imports import import_file, imports_of
from support.installed import installed_plugins
from support.markdown import Document, table_rows
from support.patience import PROCESS_PATIENCE
from support.stacks import CALLERS, STACKS

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "core" / "glottis"
DOCS = {path.stem: Document(path) for path in sorted((ROOT / "docs").glob("*.md"))}
README = Document(ROOT / "README.md")
FOLDERS = ("docs", "core", "codecs", "plugins", "tests")
ALL = [
    Document(path)
    for path in sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
    if "node_modules" not in path.parts
]
REGISTRY = installed_plugins()


def ids(document: Document) -> str:
    return str(document.path.relative_to(ROOT))


# Configuration.md

SECTIONS = {
    "`[server]`": settings.Server,
    "`[media]`": settings.Media,
    "`[media.encoder]`": settings.Encoding,
    "`[auth]`": settings.Auth,
    "`[ice_servers]`": settings.IceServers,
    "`[pages]`": settings.Pages,
    "`[routes]`": settings.Routes,
    "`[extensions]`": settings.Extensions,
    "`[plugins]`": settings.Plugins,
    "`[campaigns.<id>]`": settings.CampaignSection,
    "`[campaigns.<id>.agents.<name>]`": settings.AgentSection,
    "`[campaigns.<id>.workers]`": settings.Workers,
    "`[log]`": Log,
}
CATALOGUES: list[tuple[str, Catalogue[Any]]] = [
    ("Auth scheme", REGISTRY.auth_schemes),
    ("ICE server provider", REGISTRY.ice_server_providers),
    ("Agent", REGISTRY.agents),
    ("Set of routes", REGISTRY.routes),
    ("Extension", REGISTRY.extensions),
    *(("Component", components) for components in REGISTRY.components.values()),
]
COMPONENT_NAMES = Counter(entry.spec.name for components in REGISTRY.components.values() for entry in components)
PLUGIN_SECTIONS = {
    f"{kind if COMPONENT_NAMES[entry.spec.name] < 2 else entry.spec.kind.__name__} `{entry.spec.name}`": (
        entry.spec.config_type
    )
    for kind, catalogue in CATALOGUES
    for entry in catalogue
    if entry.plugin.distribution.startswith("glottis-") and (ROOT / "plugins" / entry.plugin.name).exists()
}


def type_words(kind: types.Type) -> str:
    """How the documentation names a type and its bounds."""
    match kind:
        case types.Metadata(type=inner):
            return type_words(inner)
        case types.UnionType(types=members):
            first, *others = [type_words(member) for member in members if not isinstance(member, types.NoneType)]
            return ", or ".join([first, *(other.removeprefix("one of ") for other in others)])
        case types.IntType() | types.FloatType():
            word = "integer" if isinstance(kind, types.IntType) else "number"
            if kind.le is not None:
                return f"{word}, " + (
                    f"{kind.ge}–{kind.le}" if kind.gt is None else f"above {kind.gt} and at most {kind.le}"
                )
            return f"{word}, at least {kind.ge}" if kind.ge is not None else f"{word}, above {kind.gt}"
        case types.StrType(min_length=least):
            return "string, not empty" if least else "string"
        case types.VarTupleType(item_type=item):
            return f"array of {type_words(item)}s"
        case types.DictType(value_type=types.AnyType()):
            return "table"
        case types.DictType(value_type=item):
            return f"table of {type_words(item)}s"
        case types.LiteralType(values=values):
            return "one of " + ", ".join(sorted(f"`{json.dumps(value)}`" for value in values))
        case types.CustomType(cls=cls):
            return "table" if cls is PluginSettings else cls.__name__.lower()
        case types.BoolType():
            return "boolean"
    return "table"


def default_words(field: types.Field) -> str:
    if field.required:
        return "required"
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    match default:
        case None:
            return "absent"
        case PluginSettings():
            default = {}
        case glottis.Component():
            default = default.name
    return f"`{json.dumps(default, default=lambda component: component.name)}`"


def keys_of(section: type[msgspec.Struct] | None) -> dict[str, tuple[str, str]]:
    """Type and default of each key of a section, but for tables that have sections of their own."""
    fields = typing.cast(types.StructType | types.DataclassType, types.type_info(section)).fields if section else ()
    return {
        field.encode_name: (type_words(field.type), default_words(field))
        for field in fields
        if not isinstance(field.type, types.StructType | types.DataclassType)
    }


def documented(heading: str) -> dict[str, tuple[str, str]]:
    """Type and default of each key that a section of configuration.md has, by its name."""
    rows = table_rows(DOCS["configuration"].section(heading))
    return {key.strip("`"): (sorted_choices(kind), default) for key, kind, default, _ in rows}


def sorted_choices(words: str) -> str:
    return "one of " + ", ".join(sorted(re.findall("`[^`]+`", words))) if words.startswith("one of") else words


@pytest.mark.parametrize(
    ("heading", "section"), [*SECTIONS.items(), ("Table `turns`", glottis.TurnSettings), *PLUGIN_SECTIONS.items()]
)
def test_configuration_lists_every_key_with_its_type_and_default(
    heading: str, section: type[msgspec.Struct] | None
) -> None:
    base = section.__base__ if section is not None and section.__base__ in PLUGIN_SECTIONS.values() else None
    inherited = keys_of(base)
    expected = {key: words for key, words in keys_of(section).items() if inherited.get(key) != words}
    assert documented(heading) == expected


def test_configuration_has_every_section() -> None:
    names = {field.name for field in msgspec.structs.fields(settings.Config)}
    assert {re.split(r"[.\]]", heading.strip("`["))[0] for heading in SECTIONS} == names


def test_variables_mean_what_the_table_says(tmp_path: Path) -> None:
    rows = list(table_rows(DOCS["configuration"].section("Environment")))
    assert rows
    for variable, setting in rows:
        path = tmp_path / "glottis.toml"
        path.write_text(setting.strip("`"))
        name, _, value = variable.strip("`").partition("=")
        by_variable, by_file = load_config(None, {name: value}), load_config(path, {})
        settings_of = [dict(config.auth.settings) for config in (by_variable, by_file)]
        assert settings_of[0] == settings_of[1]
        blank = settings.Auth()
        assert msgspec.structs.replace(by_variable, auth=blank) == msgspec.structs.replace(by_file, auth=blank), name


@pytest.mark.parametrize("document", ALL, ids=ids)
def test_configurations_that_are_shown_can_be_loaded(document: Document, tmp_path: Path) -> None:
    for block in document.blocks_of("toml"):
        path = tmp_path / "glottis.toml"
        path.write_text(block.code)
        others = {"project", "speech", "steps"}  # of a plugin, of an experiment, and of a script
        if not others & tomllib.loads(block.code).keys():
            if block.file_name == "device.toml":
                convert({"gateway": {"url": "http://h"}} | tomllib.loads(block.code), DeviceConfig)
            else:
                load_config(path, {})


@pytest.mark.parametrize("page", ["doors", "phones", "services"])
def test_campaigns_that_are_shown_have_all_that_their_agents_need(page: str, tmp_path: Path) -> None:
    blocks = DOCS[page].blocks_of("toml")
    assert blocks
    for block in blocks:
        path = tmp_path / "glottis.toml"
        path.write_text(block.code)
        resolve(load_config(path, {}), installed_plugins())


SAMPLES = [
    (document, block.code)
    for document in ALL
    for block in document.blocks_of("toml")
    if "[auth.settings.keys]" in block.code
]


@pytest.mark.parametrize(
    ("document", "code"), SAMPLES, ids=lambda value: ids(value) if isinstance(value, Document) else ""
)
def test_sample_key_is_nobodys_and_the_check_says_how_to_make_one(
    document: Document, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "glottis.toml"
    path.write_text(code)
    assert main(["config", "check", "--config", str(path)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("glottis: auth.settings.keys.website: expected SHA-256 of the key")
    assert line.endswith(f"'printf %s KEY | sha256sum' (in {path})")


def test_sample_key_is_shown_wherever_keys_are() -> None:
    assert {document.path.name for document, _ in SAMPLES} == {
        "README.md",
        "configuration.md",
        "embedding.md",
        "operations.md",
    }


# Hooks.md and writing-a-plugin.md


@pytest.fixture(scope="module", name="examples")
def write_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that these documents describe."""
    directory = tmp_path_factory.mktemp("examples")
    for name in ("hooks", "writing-a-plugin", "testing-a-plugin", "numpy-and-models"):
        assert DOCS[name].write_files(directory)
    return directory


def hook_signatures() -> list[str]:
    hooks = [
        (name, hook)
        for name, hook in inspect.getmembers(hookspecs, inspect.isfunction)
        if hasattr(hook, "glottis_spec")
    ]
    return [f"{name}({', '.join(inspect.signature(hook).parameters)})" for name, hook in hooks]


def test_each_hook_has_a_section_that_names_its_arguments() -> None:
    headings = [heading.strip("`") for heading in DOCS["hooks"].headings if heading.startswith("`")]
    assert sorted(headings) == sorted(hook_signatures())


def test_each_example_of_a_hook_is_a_plugin_that_its_configuration_enables(examples: Path, tmp_path: Path) -> None:
    implemented = set()
    configuration = ""
    modules = [
        import_file(examples / f"{Path(block.file_name or '').stem}.py") for block in DOCS["hooks"].blocks_of("python")
    ]
    for module, block in zip(modules, DOCS["hooks"].blocks_of("toml"), strict=True):
        implemented |= {name for name, value in vars(module).items() if hasattr(value, "glottis_impl")}
        if block.file_name == "device.toml":
            device = convert({"gateway": {"url": "http://h"}} | tomllib.loads(block.code), DeviceConfig)
            panel_of(device, load_beside(installed_plugins(), [module]))
        else:
            configuration += block.code
    path = tmp_path / "glottis.toml"
    path.write_text(configuration)
    resolve(load_config(path, {}), load_beside(installed_plugins(), modules))
    assert implemented == {signature.partition("(")[0] for signature in hook_signatures()}


QUICK_RULES = {"agent": ("conversation", "floods")}
"""All rules of agents take too long for so many of them."""


@pytest.mark.slow
@pytest.mark.parametrize("page", ["hooks", "writing-a-plugin", "numpy-and-models"])
def test_plugins_that_are_shown_keep_the_rules(page: str, examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(examples)  # some of them import others
    monkeypatch.chdir(examples)  # and one writes a file
    broken = [
        str(verdict)
        for block in DOCS[page].blocks_of("python")
        if block.file_name and "/" not in block.file_name
        for part in parts_of_example(examples / block.file_name)
        for rule in part.rules
        if rule.kind != "plugin" and rule.name in QUICK_RULES.get(rule.kind, (rule.name,))
        if (verdict := judge(rule, part.subject)).outcome is Outcome.BROKEN
    ]
    assert broken == []


def parts_of_example(path: Path) -> Iterator[Part]:
    module = import_file(path)
    vars(module)["plugin"] = Plugin("example", package=path.stem)  # one that is installed may be called as the file is
    registry = load_beside(installed_plugins(), [module])
    return parts_of(registry.plugins[-1], registry, Config())


@pytest.mark.slow
def test_tests_that_are_shown_pass(examples: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(examples)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    result = subprocess.run(command, cwd=examples, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("document", "name"), [(DOCS["quickstart"], "parrot")])
def test_agent_of_the_tutorial_can_be_installed_and_is_listed(document: Document, name: str, tmp_path: Path) -> None:
    """By pip, from the files as they are shown."""
    document.write_files(tmp_path)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", tmp_path / "site", tmp_path], check=True, capture_output=True)
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path / "site"),
        f"GLOTTIS_CAMPAIGNS__{name.upper().replace('-', '_')}__AGENT": name,
    }
    for arguments, expected in ((["plugins"], f"agent {name}"), (["config", "check"], f'agent = "{name}"')):
        command = [sys.executable, "-c", "import sys; from glottis.cli import main; sys.exit(main())", *arguments]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert expected in result.stdout


def test_tutorial_leaves_the_clone_alone() -> None:
    """There its files would be linted and tested; what it installs has names that no test wants."""
    install, *others = re.split(r"^## ", DOCS["quickstart"].text.partition("## Commands")[0], flags=re.MULTILINE)[1:]
    assert "cd ../agents" in install
    assert [section for section in others if ".venv/" in section] == []
    assert "serve --agent ../late_echo.py" in README.text


@pytest.mark.parametrize(("document", "name"), [(README, "late_echo"), (DOCS["quickstart"], "hello")])
async def test_agent_in_one_file_gives_back_what_it_hears(
    document: Document, name: str, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    document.write_files(tmp_path)
    with imports_of(tmp_path):
        agent = AgentFile(f"{tmp_path / name}.py:{name}")
    async with fake_call(agent.converse) as call:
        await call.caller_speaks(b"\x01\x02" * 3 * call.sample_rate)
        await trio.sleep(3)
        assert call.heard_pcm.endswith(b"\x01\x02" * (call.sample_rate // 2))


def test_other_python_that_is_shown_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = DOCS["architecture"].blocks_of("python")
    exec(block.code, {})
    assert capsys.readouterr().out.startswith("connected after")


def test_every_exported_name_is_explained() -> None:
    section = DOCS["writing-a-plugin"].section("What `glottis` exports")
    assert set(re.findall(r"`(\w+)`", section)) - {"glottis"} >= set(glottis.__all__)


def test_everything_that_a_call_offers_is_explained() -> None:
    section = DOCS["writing-a-plugin"].section("What a call offers")
    public = {name for name in {*dir(glottis.Call), *glottis.Call.__annotations__} if not name.startswith("_")}
    assert [name for name in sorted(public) if not re.search(rf"\b{name}\b", section)] == []


# Client.md

CODE = re.compile(r"([A-Z][A-Z_]{3,})(: .*)?", re.DOTALL)
LIKE_CODES = re.compile(r'"[A-Z][A-Z_]{3,}[":]')
"""Most files have none, and need not be parsed."""
NOT_CODES = {
    *("OPTIONS", "HEAD", "POST", "PATCH", "OPUS", "PCMU", "PCMA", "BUNDLE", "AUDIO_MID", "GLOTTIS_API_KEY"),
    *(*VARIABLES, VARIABLE),
}


def codes_in_the_source() -> set[str]:
    files = [
        path
        for place in (
            "server/**/*.py",
            "signaling/*.py",
            "calls/**/*.py",
            "peer/*.py",
            "sdp/*.py",
            "dtls/events.py",
            "contracts/errors.py",
        )
        for path in SOURCES.glob(place)
        if path.name != "__init__.py"
    ]
    constants = [
        match[1]
        for path in files
        if LIKE_CODES.search(text := path.read_text())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (match := CODE.fullmatch(node.value))
    ]
    return set(constants) - NOT_CODES


def test_error_codes_are_those_of_the_source() -> None:
    _, _, tables = DOCS["client"].prose.partition("## Error codes")
    listed = {code for row in table_rows(tables) for code in re.findall(r"`([A-Z_]+)`", row[0])}
    assert listed == codes_in_the_source()


@pytest.fixture(scope="module", name="chromium")
def run_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_chromium(tmp_path_factory.mktemp("chromium"), SPEECH) as url:
        yield url


@pytest.mark.browser
@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["of the gateway", "of another origin"])
async def test_client_that_is_shown_calls_and_chats(is_elsewhere: bool, chromium: str, tmp_path: Path) -> None:
    (block,) = DOCS["client"].blocks_of("js")
    async with (
        open_test_gateway(tmp_path) as gateway,
        open_test_gateway(tmp_path) as elsewhere,
        open_chromium_page(chromium) as page,
    ):
        called = f"'{gateway.url}'" if is_elsewhere else ""
        with trio.fail_after(PROCESS_PATIENCE):
            await page.goto(f"{(elsewhere if is_elsewhere else gateway).url}/healthz")
            await page.run_script(block.code)
            await page.evaluate(f"""(async () => {{
                globalThis.texts = [];
                globalThis.started = await call("echo", globalThis.loudspeaker = new Audio(), {called});
                started.chat.onmessage = ({{ data }}) => texts.push(data);
            }})()""")
            await page.wait_for("started.peer.connectionState === 'connected' && loudspeaker.srcObject")
            await page.wait_for("texts[0] === 'Backend connected'")
            await page.evaluate("started.chat.send('hangup')")
            await page.wait_for("texts[1] === 'hangup' && started.peer.connectionState === 'closed'")


def known_kinds() -> Iterator[type[statistics.StatsObject]]:
    for kind in vars(statistics).values():
        if isinstance(kind, type) and issubclass(kind, statistics.StatsObject):
            yield kind


def test_client_lists_every_member_of_the_statistics() -> None:
    kinds = [kind for kind in known_kinds() if hasattr(kind, "type")]
    objects = {kind.type: kind(**dict.fromkeys(kind.__struct_fields__, 1)).to_json() for kind in kinds}
    documented = {kind.strip("`"): re.findall("`([^`]+)`", members) for kind, members in statistics_rows()}
    assert documented == {kind: list(members) for kind, members in objects.items()}


def statistics_rows() -> Iterator[Sequence[str]]:
    return table_rows(DOCS["client"].section("Statistics"))


# Operations.md


def test_proxies_that_are_shown_log_no_token() -> None:
    """As both do whose settings these are, access log and error log alike."""
    url = urlsplit(SessionUrl("s", "WebRTC", "t").under("wss://voice.example.org"))
    (nginx,) = DOCS["operations"].blocks_of("nginx")
    locations = re.findall(r"location (/\S+) \{(.*?)\n    \}", nginx.code, re.DOTALL)
    [settings_there] = [settings for prefix, settings in locations if url.path.startswith(prefix)]
    assert re.search(r"^\s*access_log off;", settings_there, re.MULTILINE)
    assert re.search(r"^\s*error_log /dev/null;", settings_there, re.MULTILINE)
    (caddy,) = DOCS["operations"].blocks_of("caddy")
    assert all(f"delete {name}\n" in caddy.code for name, _ in parse_qsl(url.query))


# Interoperability.md


def test_each_stack_that_calls_in_the_tests_is_listed_in_the_version_that_does() -> None:
    versions = {name: version for name, version, *_ in table_rows(DOCS["interoperability"].prose)}
    assert [stack.name for stack in STACKS if stack.name not in {name.lower() for name in versions}] == []
    packages = json.loads((CALLERS / "npm" / "package.json").read_text())["dependencies"]
    assert packages["werift"] == versions["werift"]
    for stack, package in (("libwebrtc", "@roamhq/wrtc"), ("libdatachannel", "node-datachannel")):
        assert versions[stack].endswith(f"`{package}` {packages[package]}")


# The rest


def test_commands_and_options_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    section = DOCS["quickstart"].section("Commands")
    for command in (["serve"], ["talk"], ["new"], ["check"], ["plugins"], ["config", "check"], ["call"]):
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
        assert f"glottis {' '.join(command)}" in section
        assert [option for option in sorted(options) if option not in section] == []


def test_every_room_is_in_the_table() -> None:
    rooms = {path.parent.name for path in SOURCES.glob("*/__init__.py")}
    rows = table_rows(DOCS["architecture"].section("The rooms"))
    named = {row[0].strip("`") for row in rows}
    assert {name.rstrip("/") for name in named if name.count("/") == 1} == rooms
    assert all((SOURCES / name).exists() for name in named)


def test_the_site_leads_to_every_page() -> None:
    _, _, navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(re.findall(r"- (\S+\.md)$", navigation, re.MULTILINE)) == pages


@pytest.mark.parametrize("document", ALL, ids=ids)
def test_links_lead_somewhere(document: Document) -> None:
    for link in document.links:
        target, _, anchor = link.partition("#")
        if target.startswith("https://"):
            continue
        path = (document.path.parent / target).resolve() if target else document.path
        assert path.exists(), f"{link}: there is no such file"
        assert not anchor or anchor in Document(path).anchors, f"{link}: there is no such heading"


@pytest.mark.parametrize("document", ALL, ids=ids)
def test_no_row_is_shown_as_a_line_with_bars(document: Document) -> None:
    """A table ends at an empty line, and what follows it is none without a heading."""
    tables = [block.splitlines() for block in re.findall(r"(?:^\|.*\n?)+", document.prose, re.MULTILINE)]
    assert [rows[0] for rows in tables if len(rows) < 2 or not re.fullmatch(r"[|: -]+", rows[1])] == []


def test_every_document_can_be_found_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [README.path]
    while waiting:
        path = waiting.pop()
        if path in seen or path.suffix != ".md":
            continue
        seen.add(path)
        targets = [link.partition("#")[0] for link in Document(path).links if not link.startswith("https://")]
        waiting += [(path.parent / target).resolve() for target in targets if target]
    assert [path for path in (ROOT / "docs").rglob("*.md") if path not in seen] == []
