"""What is in the packages for Debian, Yocto and Buildroot fits the gateway. They are built by targets of their own."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Final

import pytest
from glottis.config import load_config, resolve
from support.installed import installed_plugins

from tools.deb import FILES, filled, licences, unit_of_package
from tools.libraries import Target

ROOT: Final = Path(__file__).parents[1]
DEPLOY: Final = ROOT / "docs" / "deploy"
CORE: Final = tomllib.loads((ROOT / "core" / "pyproject.toml").read_text())["project"]


def test_what_is_installed_answers_on_this_machine_alone_until_it_is_told_otherwise() -> None:
    config = load_config(FILES / "glottis.toml", {})
    resolve(config, installed_plugins())
    assert config.server.host == "127.0.0.1"
    assert f"/etc/glottis/{(FILES / 'glottis.toml').name}" in (FILES / "conffiles").read_text().split()


UNITS: Final = ("glottis.service", "glottis-device.service")


@pytest.mark.parametrize("name", UNITS)
def test_units_start_what_the_guide_has_installed(name: str) -> None:
    environments = set(re.findall(r"python3 -m venv (\S+)", (ROOT / "docs" / "device.md").read_text()))
    started = re.findall(r"^ExecStart=(\S+) ", (DEPLOY / name).read_text(), re.MULTILINE)
    assert [*started] == [f"{environment}/bin/glottis" for environment in environments]


@pytest.mark.parametrize("name", UNITS)
def test_units_of_the_package_start_what_is_in_it(name: str) -> None:
    unit = unit_of_package((DEPLOY / name).read_text())
    assert re.search(r"^ExecStart=/opt/glottis/bin/glottis ", unit, re.MULTILINE)
    assert not re.search(r"^LoadCredential=", unit, re.MULTILINE)


def test_licences_that_every_debian_has_are_named_and_others_are_there_in_full(tmp_path: Path) -> None:
    apache = files("glottis.cli").joinpath("templates/licenses/Apache-2.0.txt").read_text()
    folder = tmp_path / "sample-1.0.dist-info" / "licenses"
    folder.mkdir(parents=True)
    (folder / "LICENSE").write_text((ROOT / "LICENSE").read_text())
    (folder / "LICENSE.APACHE").write_text(apache)
    told = licences(tmp_path)
    assert (ROOT / "LICENSE").read_text() in told
    assert "/usr/share/common-licenses/Apache-2.0" in told
    assert "Grant of Patent License" in apache
    assert "Grant of Patent License" not in told


def test_package_leaves_no_placeholder() -> None:
    values = {"VERSION": "0.1.0", "ARCHITECTURE": "arm64", "SIZE": "30000", "LIBC": "2.34"}
    control = filled((FILES / "control").read_text(), values)
    assert "Version: 0.1.0-1\nArchitecture: arm64\n" in control
    assert "@" not in re.sub(r"<\S+@\S+>", "", control)


@pytest.mark.parametrize("recipe", ["buildroot/python-glottis/Config.in", "yocto/python3-glottis_0.1.0.bb"])
def test_recipes_name_all_that_the_core_needs(recipe: str) -> None:
    text = (DEPLOY / recipe).read_text().lower().replace("_", "-")
    needed = [re.split(r"[><;]", line)[0].lower() for line in CORE["dependencies"] if "python_version" not in line]
    assert [name for name in needed if not re.search(rf"python3?-{name}\b", text)] == []
    assert CORE["version"] in recipe or "yocto" not in recipe


def test_targets_are_machines_with_a_library() -> None:
    assert [(one.machine, one.musl) for one in map(Target, ("aarch64", "x86_64-musl"))] == [
        ("aarch64", False),
        ("x86_64", True),
    ]
