"""The commands as an operator sees them, with the plugins of this repository installed."""

from pathlib import Path

import pytest
from glottis.cli import main


@pytest.fixture(name="config")
def make_config(tmp_path: Path) -> Path:
    path = tmp_path / "glottis.toml"
    path.write_text('[campaigns.echo]\nagent = "echo"\n[campaigns.echo.settings]\nencoded = true\n')
    return path


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("glottis 0.")


def test_plugins_lists_what_each_distribution_registers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    lines = [line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["PLUGIN", "DISTRIBUTION", "VERSION", "REGISTERS"]
    assert ["echo", "glottis-echo", "0.1.0", "agent echo"] in lines
    assert ["auth-keys", "glottis-auth-keys", "0.1.0", "auth scheme api-keys"] in lines


def test_disabled_plugins_are_not_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "glottis.toml"
    path.write_text('[plugins]\ndisabled = ["glottis-echo"]')
    assert main(["plugins", "--config", str(path)]) == 0
    assert "glottis-echo" not in capsys.readouterr().out


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
    assert encoded == "glottis: campaigns.echo.settings.encoded: expected bool, got str"


def test_a_gateway_with_a_wrong_configuration_does_not_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["serve", "--config", str(tmp_path / "none.toml")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_an_unknown_command_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["sing"])
    assert caught.value.code == 2
