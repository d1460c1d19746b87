"""The hash of all that a result depends on, by which it is kept and found again."""

import hashlib
import importlib.util
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from glottis.contracts.codec import EncoderSettings
from glottis.lab.parts import files_of, find_codec
from glottis.lab.plan import Agent, Condition, digest
from glottis.lab.trial import FRAME_SECONDS
from glottis.plugins import load_plugins

CORE: Final = Path(__file__).parents[1]
FORK: Final = multiprocessing.get_context("fork")
"""A script that makes an experiment need not be importable; nothing here has threads when the processes begin."""
_PROBE: Final = bytes(range(256)) * 40


def key_of(condition: Condition) -> str:
    """Settings, bytes of the speech, code of glottis and of what the experiment brings, and what the codec makes."""
    network = condition.network
    traces = [Path(link.trace) for link in (network, network.back) if link is not None and link.trace]
    files = [Path(condition.speech), *files_of(condition.plugins, condition.delay), *traces]
    settings = msgspec.json.encode(condition, order="deterministic")
    for path in files:  # what is in them counts, not where they are
        settings = settings.replace(msgspec.json.encode(str(path))[1:-1], path.name.encode())
    return digest(
        settings,
        code_of(CORE).encode(),
        agent_print(condition.agent).encode(),
        codec_print(condition.codec.codec, condition.plugins).encode(),
        *(file_print(path, path.stat().st_mtime_ns).encode() for path in files),
    )


@lru_cache(maxsize=256)
def file_print(path: Path, changed_at: int) -> str:
    """Of what is in a file, read once until it changes."""
    return digest(path.read_bytes())


def agent_print(agent: Agent | None) -> str:
    """Of the code of an agent: its file, or all of the package that it is in."""
    if agent is None:
        return ""
    place, _, _ = agent.agent.rpartition(":")
    if place.endswith(".py"):
        return digest(Path(place).read_bytes())
    module = place or load_plugins().agents.find(agent.agent).plugin.package
    spec = importlib.util.find_spec(module.partition(".")[0]) if module else None
    if spec is None or spec.origin is None:
        return agent.agent
    origin = Path(spec.origin)
    return code_of(origin.parent) if origin.name == "__init__.py" else digest(origin.read_bytes())


@lru_cache(maxsize=32)
def codec_print(name: str, plugins: tuple[str, ...]) -> str:
    """Of what a codec and the library behind it make of a short noise; in a process that it may take with it."""
    try:
        with ProcessPoolExecutor(1, mp_context=FORK) as process:
            return process.submit(_codec_print, name, plugins).result()
    except (BrokenProcessPool, Exception) as error:
        return type(error).__name__  # of a codec that fails nothing is kept


def _codec_print(name: str, plugins: tuple[str, ...]) -> str:
    codec = find_codec(name, plugins)
    rate = codec.sample_rates[0]
    encoder, decoder = codec.create_encoder(EncoderSettings(rate)), codec.create_decoder(rate)
    size = round(rate * FRAME_SECONDS) * 2
    payloads = [encoder.encode(_PROBE[start : start + size]) for start in range(0, len(_PROBE) - size + 1, size)]
    heard = [decoder.decode(payload) for payload in payloads if payload]
    return digest(*payloads, *heard)


@lru_cache(maxsize=32)
def code_of(folder: Path) -> str:
    """Of all Python files of a package."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        whole.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return whole.hexdigest()
