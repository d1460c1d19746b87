"""``glottis check``: what an author sees of a plugin that holds, of one that does not, and of one that is not there."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from glottis import Page, PagesSpec
from glottis.cli import Parts, main
from glottis.plugins import BrokenPlugin, Plugin, Registry
from glottis.testing import Rule
from glottis.testing.checking import PAGES_RULES, ROUTES_RULES
from glottis.testing.rules.agent import AGENT_RULES
from glottis.testing.rules.auth import AUTH_RULES
from glottis.testing.rules.cluster import CLUSTER_RULES
from glottis.testing.rules.codec import CODEC_RULES
from glottis.testing.rules.component import COMPONENT_RULES, DETECTOR_RULES, RESAMPLING_RULES
from glottis.testing.rules.echo import ECHO_RULES
from glottis.testing.rules.extension import LIFESPAN_RULES, OBSERVER_RULES
from glottis.testing.rules.ice import ICE_RULES
from glottis.testing.rules.plugin import PLUGIN_RULES
from glottis.testing.rules.processor import PROCESSOR_RULES
from glottis.testing.rules.selection import SELECTION_RULES
from support.hiding import HIDE
from support.installed import installed_plugins
from support.markdown import Document

ROOT = Path(__file__).parents[2]
OURS = [plugin for plugin in installed_plugins().plugins if plugin.distribution.startswith("glottis-")]
CONFIGURATION = """
[auth]
scheme = "api-keys"
settings.plain_keys.website = "correct-horse-battery"

[ice_servers.settings.static]
servers = [{ urls = ["turn:turn.example.org"], username = "user", credential = "correct-horse" }]

[ice_servers.settings.turn-rest]
urls = ["turn:turn.example.org"]
secret = "north-north-west"

[ice_servers.settings.http]
url = "http://ice.example.org/"

[extensions.settings.recorder]
directory = "{directory}/recordings"

[campaigns.realtime]  # services that are not there: the tests ask nobody
agent = "openai-realtime"
settings.url = "http://127.0.0.1:9"

[campaigns.bot]
agent = "media-streams"
settings.url = "ws://127.0.0.1:9"
"""


@pytest.fixture(name="config")
def make_config(tmp_path: Path) -> str:
    path = tmp_path / "glottis.toml"
    path.write_text(CONFIGURATION.replace("{directory}", str(tmp_path)))
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("plugin", OURS, ids=lambda plugin: plugin.name)
def test_plugins_of_this_repository_keep_all_rules(
    plugin: Plugin, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = main(["check", plugin.distribution, "--config", config])
    printed = capsys.readouterr().out
    assert exit_code == 0, printed
    assert " 0 do not" in printed


@pytest.mark.slow
def test_a_key_that_is_let_in_lets_auth_schemes_be_tried_with_requests(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "glottis-auth-keys", "--config", config, "--api-key", "correct-horse-battery"]) == 0
    printed = capsys.readouterr().out
    outcomes = dict(line.split()[1::-1] for line in printed.splitlines() if line.startswith(("ok ", "skip ")))
    assert [outcomes[rule] for rule in ("accepted", "forged", "secrets", "constant-time")] == ["ok"] * 4, printed
    assert main(["check", "glottis-auth-keys", "--config", config, "--api-key", "a key of somebody else"]) == 1
    assert "FAIL  accepted" in capsys.readouterr().out


@pytest.mark.slow
def test_a_library_that_is_not_there_is_told_with_the_command_that_installs_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "glottis-local-speech"]) == 0
    printed = capsys.readouterr().out
    if importlib.util.find_spec("moonshine_voice") is None:
        assert "needs the Python modules moonshine_voice: pip install 'glottis-local-speech[parts]'" in printed
    assert "ok    members" in printed


@pytest.mark.slow
def test_what_does_not_hold_is_told_with_its_reason_and_where_to_read_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sample.py"
    path.write_text("async def agent(call):\n    async for press in call.dtmf:\n        raise KeyError(press.digit)\n")
    assert main(["check", f"{path}:agent"]) == 1
    lines = capsys.readouterr().out.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("FAIL  conversation"))
    assert lines[at + 1 : at + 3] == [
        "      raised KeyError: '1'",
        "      see docs/testing-a-plugin.md#agent-conversation",
    ]


@pytest.mark.slow
def test_calls_of_an_agent_in_a_file_are_told_the_settings_of_its_campaign(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sample.py"
    path.write_text("async def agent(call):\n    await call.send_text(call.info.campaign_settings['words'][0])\n")
    (config := tmp_path / "glottis.toml").write_text(
        f'[campaigns.mine]\nagent = "{path}:agent"\nsettings = {{ words = ["hello"] }}\n'
    )
    assert main(["check", f"{path}:agent", "--config", str(config)]) == 0
    assert "15 rules hold, 0 do not, 0 were not tried" in capsys.readouterr().out


def test_a_package_that_is_not_there_is_told_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "glottis-opius"]) == 2
    assert "no installed plugin is called 'glottis-opius'; installed: " in capsys.readouterr().err


WITHOUT = f"""
import sys
from glottis.cli import main
{HIDE}
hide("glottis.testing")
sys.exit(main(["check", "glottis-echo"]))
"""


@pytest.mark.slow
def test_what_a_lean_installation_lacks_is_named_with_the_command_that_installs_it() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "glottis: check: glottis.testing is not installed: pip install 'glottis[testing]'\n"


def test_a_file_without_its_function_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "my.py"]) == 2
    assert "'my.py': expected a file or module, and the function in it, such as my.py:agent" in capsys.readouterr().err


def test_a_plugin_that_cannot_be_loaded_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    broken = BrokenPlugin(Plugin("sample", "glottis-sample", "1.0"), "import raised ImportError: no module")
    assert main(["check", "glottis_sample"], Parts(load_plugins=lambda **_: Registry([], [broken]))) == 1
    assert "FAIL  import raised ImportError: no module" in capsys.readouterr().out


HELLO = PagesSpec("hello", {"/hello": Page(b"hello", "text/plain")})
ONE, OTHER = (Plugin(name, "glottis-sample", "1.0", f"sample.{name}") for name in ("one", "other"))
STRANGER = Plugin("stranger", "glottis-stranger", "1.0", "stranger")
BROKEN = BrokenPlugin(OTHER, "import raised ImportError: no module")


@pytest.mark.parametrize(
    ("registry", "complaint"),
    [
        (Registry(broken=[BROKEN]).extended([(ONE, [HELLO])]), f"{OTHER}\nFAIL  {BROKEN.reason}"),
        (
            Registry().extended([(ONE, [HELLO]), (OTHER, [])]),
            "\n      registers nothing: its hooks return empty lists\n",
        ),
        (
            Registry().extended([(ONE, [HELLO]), (STRANGER, [HELLO])]),
            f"\n      {ONE} and {STRANGER} both register the set of pages hello: disable one\n",
        ),
    ],
)
def test_what_nobody_could_use_is_told_of_each_plugin_of_a_distribution(
    registry: Registry, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "glottis-sample"], Parts(load_plugins=lambda **_: registry)) == 1
    printed = capsys.readouterr().out
    assert complaint in printed
    assert " 1 do not, " in printed


def test_a_plugin_that_is_disabled_is_not_tried(capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(disabled=[ONE])
    assert main(["check", "glottis-sample"], Parts(load_plugins=lambda **_: registry)) == 2
    assert "glottis-sample is disabled: take it out of plugins.disabled" in capsys.readouterr().err


def test_a_rule_that_cannot_be_tried_says_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "glottis-ice-turn-rest"]) == 0
    printed = capsys.readouterr().out
    assert "skip  servers" in printed
    assert "needs settings: urls: missing; secret: missing" in printed


def test_each_rule_has_a_section() -> None:
    page = Document(ROOT / "docs" / "testing-a-plugin.md")
    rules: list[Rule[Any]] = [
        *CODEC_RULES,
        *AGENT_RULES,
        *AUTH_RULES,
        *ICE_RULES,
        *COMPONENT_RULES,
        *DETECTOR_RULES,
        *RESAMPLING_RULES,
        *ECHO_RULES,
        *PROCESSOR_RULES,
        *PLUGIN_RULES,
        *SELECTION_RULES,
        *CLUSTER_RULES,
        *ROUTES_RULES,
        *PAGES_RULES,
        *OBSERVER_RULES,
        *LIFESPAN_RULES,
    ]
    assert [rule.link for rule in rules if rule.link.partition("#")[2] not in page.anchors] == []
    assert sum(heading.partition(" ")[0] in {rule.kind for rule in rules} for heading in page.headings) == len(rules)
