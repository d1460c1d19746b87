"""What ``glottis new`` creates: a package of each kind."""

from pathlib import Path
from typing import Final

from glottis.cli import main

NAMES: Final = {
    "agent": "budgie",
    "codec": "plain",
    "auth": "sesame",
    "ice": "lone-host",
    "component": "loud",
    "extension": "quieter",
}


def create_all(into: Path) -> list[Path]:
    """Their folders."""
    for kind, name in NAMES.items():
        assert main(["new", kind, name, "--into", str(into)]) == 0
    return sorted(into.glob("glottis-*"))
