"""Codecs and delay policies by the names that an experiment has for them."""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import ConfigurationError
from glottis.lab.plan import Delay, digest
from glottis.plugins import Registry, load_beside, load_plugins
from glottis.rtp import AdaptiveDelay, DelayPolicy, FixedDelay


@lru_cache(maxsize=8)
def registry_with(plugins: tuple[str, ...]) -> Registry:
    """The installed plugins, and those in these files."""
    installed = load_plugins()
    return load_beside(installed, [module_of(Path(path)) for path in plugins]) if plugins else installed


def find_codec(name: str, plugins: tuple[str, ...]) -> CodecSpec:
    """Raises ``ConfigurationError`` where there is none."""
    return registry_with(plugins).codecs.find(name).spec


def delay_maker(delay: Delay) -> Callable[[], DelayPolicy]:
    """What makes a policy for each call; raises ``ConfigurationError``."""
    match delay.policy:
        case "fixed":
            return lambda: FixedDelay(delay.ms / 1000)
        case "adaptive":
            return lambda: AdaptiveDelay(delay.min_ms / 1000, delay.max_ms / 1000, delay.lateness)
    path, colon, function = delay.policy.rpartition(":")
    if not colon:
        raise ConfigurationError(f"policy: expected adaptive, fixed or FILE.py:FUNCTION, got {delay.policy!r}")
    maker: Any = getattr(module_of(Path(path)), function, None)
    if not callable(maker):
        raise ConfigurationError(f"policy: {path} has no function {function}")
    return lambda: policy_of(maker)


def policy_of(maker: Callable[[], Any]) -> DelayPolicy:
    """What it makes."""
    policy: DelayPolicy = maker()
    return policy


@lru_cache(maxsize=64)
def module_of(path: Path) -> ModuleType:
    """A file, imported under a name of its own; what it imports may be beside it."""
    name = f"glottis_lab_{digest(str(path.resolve()).encode())[:12]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.exists():
        raise ConfigurationError(f"{path}: there is no such Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigurationError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def files_of(plugins: Sequence[str], delay: Delay) -> list[Path]:
    """Of code that an experiment brings itself."""
    path, colon, _ = delay.policy.rpartition(":")
    return [Path(one) for one in (*plugins, *([path] if colon else []))]
