"""The libraries of the extras: looked for when a component is made, imported when it is first used."""

import importlib
import importlib.util
import os
from typing import Any

from glottis import NotInstalled

INSTALL = "pip install 'glottis-local-speech[{extra}]'"


def require(*modules: str, extra: str = "parts") -> None:
    """Raises ``NotInstalled`` with the command that installs them, if one of these is not there."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise NotInstalled(f"needs the Python modules {', '.join(missing)}: {INSTALL.format(extra=extra)}")


def load(module: str) -> Any:
    """The module, whose onnxruntime sends nothing to anybody, and whose OpenMP has one thread.

    With the four that it takes otherwise, silero spends four times as long: they wait for one another 20 times a chunk.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    return importlib.import_module(module)
