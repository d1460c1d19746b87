"""The commands as an operator sees them, with the plugins of this repository installed."""

import json
import logging
import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from glottis.cli import Parts, main
from glottis.plugins import BrokenPlugin, Plugin, load_plugins
from support.command import GLOTTIS, open_program


@pytest.fixture(name="config")
def make_config(tmp_path: Path) -> Path:
    path = tmp_path / "glottis.toml"
    path.write_text('[campaigns.echo]\nagent = "echo"\n[campaigns.echo.settings]\nencoded = true\n')
    return path


@pytest.fixture(name="log")
def restore_logging() -> Iterator[None]:
    """What the gateway changes of the log is as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(name="json_log")
def ask_for_json(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOTTIS_LOG__JSON", "true")


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("glottis 0.")


@pytest.mark.slow
@pytest.mark.parametrize("command", [["plugins"], ["config", "check"], ["check", "glottis-echo"]])
def test_a_reader_who_has_left_ends_a_command_without_a_traceback(command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run([GLOTTIS, *command], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.realtime
async def test_a_gateway_needs_no_standard_output(config: Path) -> None:
    async with open_program(
        "sh", "-c", f"exec {GLOTTIS} serve --config {config} >&-", env={"GLOTTIS_SERVER__PORT": "0"}
    ) as gateway:
        await gateway.wait_for("serves http")
        gateway.process.terminate()
        assert await gateway.wait() == 0
    assert "Traceback" not in gateway.errors


def test_plugins_lists_what_each_distribution_registers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    lines = [line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines()]
    assert " ".join(lines[0]).split() == ["PLUGIN", "DISTRIBUTION", "VERSION", "REGISTERS", "ENABLED"]
    named = {" ".join(" ".join(line).split()) for line in lines}
    assert "echo glottis-echo 0.1.0 agent echo no: no campaign has this agent" in named
    assert "auth-keys glottis-auth-keys 0.1.0 auth scheme api-keys no: auth.scheme is anonymous" in named


CHOSEN = """
[plugins]
disabled = ["glottis-echo"]
[media]
codecs = ["PCMU"]
[extensions]
enabled = ["noise-gate"]
[campaigns.music]
agent = "talker"
extensions = ["Level-Meter"]
[campaigns.wrong]
agent = "nobody"
"""


def test_plugins_says_what_is_enabled_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "glottis.toml"
    path.write_text(CHOSEN)
    assert main(["plugins", "--config", str(path)]) == 0
    said = {" ".join(line.split()) for line in capsys.readouterr().out.splitlines()}
    assert {
        "auth-anonymous glottis-auth-anonymous 0.1.0 auth scheme anonymous yes: by default",
        "web glottis-web 0.1.0 set of pages demo yes: by default",
        "call-capture glottis-recorder 0.1.0 extension call-capture "
        "no: not in extensions.enabled, nor in those of a campaign",
        "echo glottis-echo 0.1.0 nothing no: plugins.disabled[0]",
        "level-meter glottis-level-meter 0.1.0 extension level-meter yes: campaigns.music.extensions",
        "metrics glottis-metrics 0.1.0 extension metrics no: not in extensions.enabled, nor in those of a campaign",
        "noise-gate glottis-noise-gate 0.1.0 extension noise-gate yes: extensions.enabled",
        "opus glottis-opus 0.1.0 codec opus no: not in media.codecs",
        "recorder glottis-recorder 0.1.0 extension recorder no: not in extensions.enabled, nor in those of a campaign",
        "spandsp glottis-spandsp 0.1.0 codec PCMU yes: media.codecs",
        "spandsp glottis-spandsp 0.1.0 component speex (Resampling) yes: by default",
        "talker glottis-talker 0.1.0 agent talker yes: campaigns.music.agent",
        "vad-energy glottis-vad-energy 0.1.0 component energy (VoiceActivityDetector) "
        "yes: campaigns.music.settings.detector",
        "webhooks glottis-webhooks 0.1.0 extension webhooks no: not in extensions.enabled, nor in those of a campaign",
    } <= said


def test_disabled_plugin_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "glottis.toml"
    path.write_text('[plugins]\ndisabled = ["web", "ecko"]')
    assert main(["config", "check", "--config", str(path)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "glottis: plugins.disabled[1]: no installed plugin or distribution is named 'ecko'; installed: "
    )
    assert "glottis-echo" in line


def test_config_check_prints_the_values_in_force(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "--config", str(config)]) == 0
    printed = capsys.readouterr().out
    assert "encoded = true" in printed
    assert printed.endswith("# OK\n")


def test_config_check_tells_each_problem_in_one_line(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOTTIS_CAMPAIGNS__ECHO__SETTINGS__ENCODED", "maybe")
    monkeypatch.setenv("GLOTTIS_SERVER__HOST", "0.0.0.0")
    assert main(["config", "check", "--config", str(config)]) == 2
    auth, encoded = capsys.readouterr().err.splitlines()
    assert auth.startswith("glottis: auth.scheme: 'anonymous' serves loopback only")
    assert auth.endswith(f" (in {config})")
    variable = "GLOTTIS_CAMPAIGNS__ECHO__SETTINGS__ENCODED"
    assert encoded == f"glottis: campaigns.echo.settings.encoded: expected bool, got str (set by {variable})"


EVERYTHING_WRONG = """
[server]
host = "0.0.0.0"
port = "eighty"
prot = 80
[media]
addresses = ["no-such-eth99"]
codecs = ["opus", "opsu"]
[auth]
scheem = "api-keys"
[plugins]
disabled = ["nobody", "ice-http"]
[campaigns.file]
agent = "missing.py:agent"
[campaigns.module]
agent = "json:missing"
[campaigns.half]
agent = "half.py"
[campaigns.nobody]
agent = "nobody"
sample_rate = 11025
[campaigns.talker]
agent = "talker"
settings = { detector = { name = "energy", margin = 1 }, tempo = "fast" }
[campaigns.empty]
"""


def test_config_check_tells_all_mistakes_in_one_go_and_each_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("glottis.toml").write_text(EVERYTHING_WRONG)
    assert main(["config", "check", "--config", "glottis.toml"]) == 2
    lines = capsys.readouterr().err.splitlines()
    # The scheme is mistyped: that the default one does not go with the host is not worth a word.
    assert [line.split(": ")[1] for line in lines] == [
        "server.prot",
        "server.port",
        "auth.scheem",
        "campaigns.nobody.sample_rate",
        "campaigns.empty.agent",
        "plugins.disabled[0]",
        "campaigns.file.agent",
        "campaigns.module.agent",
        "campaigns.half.agent",
        "media.addresses[0]",
        "media.codecs[1]",
        "campaigns.nobody.agent",
        "campaigns.talker.settings.tempo",
        "campaigns.talker.settings.detector.margin",
    ]
    assert all(line.endswith(" (in glottis.toml)") for line in lines)


def test_config_check_looks_for_the_interfaces(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOTTIS_MEDIA__ADDRESSES", '["127.0.0.1", "no-such-eth99"]')
    assert main(["config", "check", "--config", str(config)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("glottis: media.addresses[1]: no interface or host is called 'no-such-eth99'; interfaces: ")
    assert line.endswith("(set by GLOTTIS_MEDIA__ADDRESSES)")


@pytest.mark.usefixtures("log")
def test_a_gateway_with_a_wrong_configuration_does_not_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["serve", "--config", str(tmp_path / "none.toml")]) == 2
    assert "No such file" in capsys.readouterr().err


def serve_in_vain(
    path: Path, capsys: pytest.CaptureFixture[str], exit_code: int = 2, parts: Parts | None = None
) -> list[dict[str, str]]:
    """What ``glottis serve`` logs until it gives up, all of which must be JSON."""
    assert main(["serve", "--config", str(path)], parts) == exit_code
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.usefixtures("json_log")
class TestJsonLog:
    def test_what_keeps_the_gateway_from_listening_is_json(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "glottis.toml"
        digest = "a" * 64
        path.write_text(f"""
            [server]
            host = "192.0.2.1"
            [auth]
            scheme = "api-keys"
            [auth.settings.keys]
            website = "{digest}"
        """)
        (error,) = serve_in_vain(path, capsys)
        assert (error["level"], error["logger"]) == ("error", "glottis.cli.serve")
        assert "192.0.2.1" in error["message"]

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("[server]\nprot = 80", "server.prot: unknown key, did you mean port?"),
            ("[log]\nlevel = 'verbose'", "log.level: expected one of debug, info, warning, error"),
            ("[server", "not TOML"),
            ("[campaigns.a]\nagent = 'nobody'", "campaigns.a.agent: no agent is named 'nobody'"),
        ],
    )
    def test_what_is_wrong_with_the_configuration_is_json(
        self, text: str, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "glottis.toml"
        path.write_text(text)
        [error] = serve_in_vain(path, capsys)
        assert error["level"] == "error"
        assert complaint in error["message"]

    def test_broken_plugins_warnings_and_what_ends_the_gateway_are_json(
        self, config: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def crash(resolved: object) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                warnings.warn("mind the gap", stacklevel=1)
            raise RuntimeError("oops")

        registry = load_plugins()
        registry.broken = (BrokenPlugin(Plugin("singer"), "import failed"),)
        parts = Parts(load_plugins=lambda **_: registry, run_gateway=crash)
        left_out, warning, failure = serve_in_vain(config, capsys, exit_code=1, parts=parts)
        assert left_out["message"] == "left out: plugin singer (given directly): import failed"
        assert "mind the gap" in warning["message"]
        assert failure["level"] == "critical"
        assert failure["exception"].endswith("RuntimeError: oops")


@pytest.mark.usefixtures("log")
class TestInterrupts:
    """Ctrl-C before anything waits for signals, in whatever form it comes out of trio."""

    @pytest.mark.parametrize("command", ["serve", "call"])
    @pytest.mark.parametrize(
        "error",
        [
            KeyboardInterrupt(),
            BaseExceptionGroup("a nursery", [BaseExceptionGroup("another", [KeyboardInterrupt()])]),
        ],
        ids=["plain", "in a group"],
    )
    def test_an_interrupt_is_exit_code_130_and_no_traceback(
        self, command: str, error: BaseException, config: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(self.arguments(command, config), self.raising(error)) == 130
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize("command", ["serve", "call"])
    def test_what_failed_beside_an_interrupt_is_told(
        self, command: str, config: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        group = BaseExceptionGroup("a nursery", [KeyboardInterrupt(), RuntimeError("oops")])
        assert main(self.arguments(command, config), self.raising(group)) == 130
        assert "RuntimeError: oops" in caplog.text + capsys.readouterr().err

    def test_a_group_without_an_interrupt_is_an_error(self) -> None:
        with pytest.raises(ExceptionGroup):
            main(["call", "http://127.0.0.1:8080"], self.raising(ExceptionGroup("a nursery", [RuntimeError("oops")])))

    def arguments(self, command: str, config: Path) -> list[str]:
        return [command, "--config", str(config)] if command == "serve" else [command, "http://127.0.0.1:8080"]

    def raising(self, error: BaseException) -> Parts:
        def run(*arguments: object) -> int:
            raise error

        return Parts(run_gateway=run, run_caller=run)


def test_an_unknown_command_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["sing"])
    assert caught.value.code == 2
