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


def test_disabled_plugin_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "glottis.toml"
    path.write_text('[plugins]\ndisabled = ["demo", "ecko"]')
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
    variable = "GLOTTIS_CAMPAIGNS__ECHO__SETTINGS__ENCODED"
    assert encoded == f"glottis: campaigns.echo.settings.encoded: expected bool, got str (set by {variable})"


def test_config_check_looks_for_the_interfaces(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOTTIS_MEDIA__ADDRESSES", '["127.0.0.1", "no-such-eth99"]')
    assert main(["config", "check", "--config", str(config)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("glottis: media.addresses[1]: no interface or host is called 'no-such-eth99'; interfaces: ")
    assert line.endswith("(set by GLOTTIS_MEDIA__ADDRESSES)")


def test_a_gateway_with_a_wrong_configuration_does_not_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["serve", "--config", str(tmp_path / "none.toml")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_an_unknown_command_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["sing"])
    assert caught.value.code == 2
