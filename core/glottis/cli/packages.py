"""Packages that ``glottis new`` begins: their files, made from the templates that are in this distribution."""

import json
import re
import shutil
import string
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import msgspec

from glottis.contracts.errors import LocalError
from glottis.contracts.hookspecs import API_VERSION
from glottis.contracts.turns import VoiceActivityDetector
from glottis.plugins import Catalogue, Registry

MAX_NAME_LENGTH: Final = 40
"""Characters: a folder and a module are called by it."""
LICENSES: Final = ("MIT", "BSD-3-Clause", "Apache-2.0", "none")
"""SPDX identifiers; none: all rights are the author's."""
SHOWN_KEY: Final = "a password of many words"
"""Of the auth scheme, in its README and tests."""
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TEMPLATES: Final = files("glottis.cli") / "templates"
_COMMON: Final = {
    "pyproject.toml": "pyproject.toml.txt",
    ".gitignore": "gitignore.txt",
    ".github/workflows/test.yml": "workflow.yml.txt",
}
_OF_A_KIND: Final = {
    "README.md": "readme.md.txt",
    "glottis.toml": "glottis.toml.txt",
    "${package}/__init__.py": "plugin.py.txt",
    "tests/test_${module}.py": "test_plugin.py.txt",
}
"""Where each file goes, and its template."""


class Kind(msgspec.Struct, frozen=True):
    """What a plugin can be.

    ``companions`` are the distributions that its configuration to try it with needs, without their prefix.
    ``environment`` has the variables, by name.
    """

    name: str
    article: str
    companions: tuple[str, ...]
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("agent", "an agent", ("auth-anonymous", "opus", "web")),
        Kind("codec", "a codec", ("auth-anonymous", "echo")),
        Kind(
            "auth",
            "an auth scheme",
            ("echo", "opus"),
            environment={"GLOTTIS_AUTH__SETTINGS__PASSWORD": SHOWN_KEY, "GLOTTIS_API_KEY": SHOWN_KEY},
        ),
        Kind("ice", "a provider of ICE servers", ("auth-anonymous", "echo", "opus")),
        Kind("component", "a component", ("auth-anonymous", "opus", "talker")),
        Kind("extension", "an extension", ("auth-anonymous", "echo", "opus")),
    )
}


def check_name(name: str) -> None:
    """Raises ``LocalError`` for what cannot be the name of a plugin, a folder and a module."""
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
        expected = "expected lower-case letters and digits, with single hyphens between words"
        raise LocalError(f"{name!r}: {expected}, at most {MAX_NAME_LENGTH} characters, such as my-agent")


class Package(msgspec.Struct, frozen=True):
    """One that is to be: of this kind, by a name that ``check_name`` has passed."""

    kind: Kind
    name: str
    license: str
    author: str | None
    year: int

    @property
    def distribution(self) -> str:
        """What it is called where packages are published, and its folder."""
        return f"glottis-{self.name}"

    @property
    def registered(self) -> str:
        """What the configuration calls it: codecs go by their names in SDP."""
        return self.name.upper() if self.kind.name == "codec" else self.name

    def check_free(self, registry: Registry) -> None:
        """Raises ``LocalError`` if something that is installed has its name."""
        catalogue = _catalogue(registry, self.kind.name)
        if self.registered in catalogue:
            owner = f": {catalogue.find(self.registered).plugin}" if self.registered in catalogue.names else ""
            raise LocalError(f"{self.name}: the {catalogue.kind} {self.registered} is there already{owner}")
        try:
            distribution(self.distribution)
        except PackageNotFoundError:
            return
        raise LocalError(f"{self.name}: {self.distribution} is installed already")

    def write(self, parent: Path) -> Path:
        """Make its folder, all of it or nothing; raises ``LocalError`` if that cannot be."""
        folder = parent / self.distribution
        if folder.exists():
            raise LocalError(f"{folder}: it exists already; choose another name, or another folder by --into")
        try:
            with tempfile.TemporaryDirectory(dir=parent, prefix=f".{self.distribution}-") as directory:
                made = Path(directory) / self.distribution
                for path, text in self.files().items():
                    (made / path).parent.mkdir(parents=True, exist_ok=True)
                    (made / path).write_text(text, encoding="utf-8")
                shutil.move(made, folder)
        except OSError as error:
            raise LocalError(f"{folder}: cannot be made: {error.strerror}") from None
        return folder

    def files(self) -> dict[str, str]:
        """The text of each file, by its path."""
        values = self._values()
        own = _TEMPLATES / self.kind.name
        found: dict[str, Traversable] = {path: _TEMPLATES / name for path, name in _COMMON.items()}
        found |= {_filled(path, values): own / name for path, name in _OF_A_KIND.items()}
        texts = {path: _filled(template.read_text(encoding="utf-8"), values) for path, template in found.items()}
        texts["README.md"] += _filled((_TEMPLATES / "readme.md.txt").read_text(encoding="utf-8"), values)
        texts[f"{values['package']}/py.typed"] = ""
        if self.license != "none":
            texts["LICENSE"] = _filled(
                (_TEMPLATES / "licenses" / f"{self.license}.txt").read_text(encoding="utf-8"), values
            )
        return texts

    def _values(self) -> dict[str, Any]:
        words = self.name.split("-")
        major, minor = version("glottis").split(".")[:2]
        bounds = f">={major}.{minor},<{major}.{int(minor) + 1}"
        return {
            "name": self.name,
            "registered": self.registered,
            "distribution": self.distribution,
            "module": "_".join(words),
            "package": "_".join(["glottis", *words]),
            "author": self.author or f"The authors of {self.distribution}",
            "year": self.year,
            "author_toml": json.dumps(self.author or f"The authors of {self.distribution}", ensure_ascii=False),
            "description": f"{self.kind.article[:1].upper()}{self.kind.article[1:]} for glottis.",
            "license_lines": _LICENSE_LINES.get(
                self.license, f'license = "{self.license}"\nlicense-files = ["LICENSE"]'
            ),
            "license_words": f"Its licence is {self.license}." if self.license != "none" else "All rights reserved.",
            "glottis": f"glottis{bounds}",
            "testing": f"glottis[testing]{bounds}",
            "companions": "".join(f'    "glottis-{name}{bounds}",\n' for name in self.kind.companions),
            "api_version": API_VERSION,
            "environment": "".join(f"      {name}: {value}\n" for name, value in self.kind.environment.items()),
        }


_LICENSE_LINES: Final = {"none": "license-files = []"}


def _filled(template: str, values: Mapping[str, Any]) -> str:
    return string.Template(template).substitute(values)


def _catalogue(registry: Registry, kind: str) -> Catalogue[Any]:
    catalogues: dict[str, Catalogue[Any]] = {
        "agent": registry.agents,
        "codec": registry.codecs,
        "auth": registry.auth_schemes,
        "ice": registry.ice_server_providers,
        "component": registry.components_of(VoiceActivityDetector),
        "extension": registry.extensions,
    }
    return catalogues[kind]
