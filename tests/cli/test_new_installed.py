"""What ``glottis new`` creates, as users get it: built, installed from wheels beside glottis, and called."""

import os
import re
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from glottis.cli import main
from support.audio import write_wav
from support.installing import ROOT, build_wheels, create_environment, install, pack_wheel

pytestmark = [pytest.mark.slow, pytest.mark.realtime]

NEEDED = ("core", "core/kits/testing", "plugins/echo", "plugins/talker", "plugins/vad-energy")
CREATED = {
    "agent": "budgie",
    "codec": "plain",
    "auth": "sesame",
    "ice": "lone-host",
    "component": "loud",
    "extension": "quieter",
}
PASSWORD = "a password of many words"
CONFIG = """
[server]
port = 0

[media]
codecs = ["PLAIN"]

[auth]
scheme = "sesame"
operators = ["sesame"]

[ice_servers]
providers = ["lone-host"]
settings = { lone-host = { host = "127.0.0.1" } }

[extensions]
enabled = ["quieter"]

[campaigns.budgie]
agent = "budgie"

[campaigns.talker]
agent = "talker"
settings = { detector = "loud" }

[campaigns.relic]
agent = "relic"
"""


@pytest.fixture(scope="module", name="programs")
def make_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an environment with glottis, the created packages, and one of the version before."""
    directory = tmp_path_factory.mktemp("installed")
    for kind, name in CREATED.items():
        assert main(["new", kind, name, "--into", str(directory)]) == 0
    wheels = directory / "wheels"
    wheels.mkdir()
    build_wheels([*(ROOT / folder for folder in NEEDED), *sorted(directory.glob("glottis-*"))], wheels)
    pack_wheel(ROOT / "tests/plugins/relic", wheels)
    programs = create_environment(directory / "environment", third_parties())
    install(programs, sorted(wheels.glob("*.whl")))
    return programs


def third_parties() -> set[str]:
    """What glottis and the packages need of others."""
    needs = tomllib.loads((ROOT / "core/pyproject.toml").read_text())["project"]["dependencies"]
    return {re.split("[<>=;~ ]", need)[0] for need in needs}


def environment_of(directory: Path) -> dict[str, str]:
    """Neither this checkout nor what else is installed can be imported there."""
    return {"PATH": os.defpath, "HOME": str(directory), "GLOTTIS_AUTH__SETTINGS__PASSWORD": PASSWORD}


def glottis(programs: Path, directory: Path, *arguments: str) -> str:
    command: list[str | Path] = [programs / "glottis", *arguments]
    variables = environment_of(directory) | {"GLOTTIS_API_KEY": PASSWORD}
    result = subprocess.run(command, env=variables, cwd=directory, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@contextmanager
def serving(programs: Path, directory: Path) -> Iterator[str]:
    """The URL of a gateway of that environment."""
    (directory / "glottis.toml").write_text(CONFIG)
    command: list[str | Path] = [programs / "glottis", "serve", "--config", "glottis.toml"]
    with subprocess.Popen(
        command, env=environment_of(directory), cwd=directory, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if match := re.search(r"glottis serves (http://[0-9.:]+)", line):
                break
        else:
            raise AssertionError("".join(lines))
        try:
            yield match[1]
        finally:
            process.send_signal(signal.SIGINT)


def test_each_is_enabled_by_the_configuration(programs: Path, tmp_path: Path) -> None:
    """Beside a package for the version of the hooks before this one."""
    (tmp_path / "glottis.toml").write_text(CONFIG)
    listed = glottis(programs, tmp_path, "plugins", "--config", "glottis.toml")
    enabled = {" ".join(line.split()) for line in listed.splitlines()}
    assert {
        "lone-host glottis-lone-host 0.1.0 ICE server provider lone-host yes: ice_servers.providers",
        "loud glottis-loud 0.1.0 component loud (VoiceActivityDetector) yes: campaigns.talker.settings.detector",
        "budgie glottis-budgie 0.1.0 agent budgie yes: campaigns.budgie.agent",
        "plain glottis-plain 0.1.0 codec PLAIN yes: media.codecs",
        "quieter glottis-quieter 0.1.0 extension quieter yes: extensions.enabled",
        "relic glottis-relic 2.0 agent relic yes: campaigns.relic.agent",
        "sesame glottis-sesame 0.1.0 auth scheme sesame yes: auth.scheme",
    } <= enabled


def test_templates_are_installed_too(programs: Path, tmp_path: Path) -> None:
    templates = programs.parent.glob("lib/*/site-packages/glottis/cli/templates/*/plugin.py.txt")
    assert {path.parent.name for path in templates} == CREATED.keys()
    glottis(programs, tmp_path, "new", "agent", "another")
    assert (tmp_path / "glottis-another/pyproject.toml").exists()


def test_the_rules_of_its_kind_are_checked(programs: Path, tmp_path: Path) -> None:
    """The tests of each have the same rules, and are run elsewhere."""
    (tmp_path / "glottis.toml").write_text(CONFIG)
    said = glottis(programs, tmp_path, "check", "glottis-loud", "--config", "glottis.toml")
    assert "rules hold, 0 do not" in said


def test_each_is_called(programs: Path, tmp_path: Path) -> None:
    speech = tmp_path / "speech.wav"
    write_wav(speech, bytes(range(256)) * 125, 16000)
    spoken = ("--codec", "PLAIN", "--wav", str(speech), "--listen", "0")
    with serving(programs, tmp_path) as url:
        for campaign in ("budgie", "talker"):
            glottis(programs, tmp_path, "call", url, "--campaign", campaign, *spoken)
        fared = glottis(programs, tmp_path, "plugins", "--url", url)
    rows = [re.split(" {2,}", line) for line in fared.splitlines()]
    calls = {action: int(count) for _, _, _, action, count, errors, *_ in rows if errors == "0"}
    assert calls["agent budgie"] == 1
    assert calls["authenticate"] == calls["get_ice_servers"] == 3, "two calls and a question; the gateway and two calls"
    frames = [calls[action] for action in ("encode of PLAIN", "decode of PLAIN", "detect", "processors of input")]
    assert min(frames) > 25
