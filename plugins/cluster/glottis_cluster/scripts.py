"""What Redis does at a stroke: the scripts in ``lua/``."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """``digest`` is the name by which Redis knows it, if it does."""

    name: str
    text: str
    digest: str


@cache
def script(name: str) -> Script:
    """``beat``, ``leave``, ``note``, ``place``, ``post`` or ``rate``."""
    text = (files(__package__) / "lua" / f"{name}.lua").read_text()
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
