"""A script for callers as TOML says it: ``glottis lab call`` tries an agent with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from glottis.config.conversion import convert
from glottis.contracts.audio import AudioFrame
from glottis.contracts.errors import ConfigurationError
from glottis.lab.call import LabNetwork
from glottis.lab.files import Beside, read_table
from glottis.lab.networks import Network, carriers
from glottis.lab.presets import resolve
from glottis.lab.samples import at_length, to_samples
from glottis.lab.trace import load_trace
from glottis.lab.wav import read_wav
from glottis.testing import Report, Step, VirtualNetwork, try_agent
from glottis.testing.callers.steps import Seconds

MAX_CALLERS = 10_000


class Script(Struct, frozen=True, kw_only=True):
    """Who is called, by how many, over what network; and what each caller does. Paths are those from the file."""

    agent: str
    """The name of an installed one, or ``file.py:function``."""
    steps: tuple[Step, ...]
    settings: dict[str, Any] = {}
    """Of the agent."""
    callers: Annotated[int, Meta(ge=1, le=MAX_CALLERS)] = 1
    every_s: Seconds = 0.0
    """Between the beginnings of two calls."""
    seed: int = 0
    """Of the first caller's network; the others have the next ones."""
    patience_s: Seconds = 30.0
    """What an expectation waits for that has no ``within_s``, in virtual time."""
    codec: str = "opus"
    sample_rate: Annotated[int, Meta(ge=8000, le=48_000)] = 16000
    """Hertz, at both ends."""
    recogniser: str = ""
    """The name of an installed component that understands speech, for ``expect_words``."""
    recogniser_settings: dict[str, Any] = {}
    network: Network = Network()

    def run(self) -> Report:
        """Have all calls. Raises ``ConfigurationError`` for what cannot be tried."""
        return try_agent(
            self.agent,
            *self.steps,
            settings=self.settings,
            callers=self.callers,
            every_s=self.every_s,
            seed=self.seed,
            network=lab_network(network_of(self.network)),
            began=begin,
            codec=self.codec,
            sample_rate=self.sample_rate,
            patience_s=self.patience_s,
            recogniser=self.recogniser,
            recogniser_settings=self.recogniser_settings,
            sounds=self._sound,
        )

    def _sound(self, path: str) -> AudioFrame:
        return sound_of(Path(path), self.sample_rate)


def sound_of(path: Path, rate: int) -> AudioFrame:
    """A WAV file of any kind at this rate."""
    wav = read_wav(path)
    samples = to_samples(at_length(wav.signal, round(len(wav.signal) * rate / wav.rate)))
    return AudioFrame(samples.tobytes(), rate)


def lab_network(network: Network) -> Callable[[int], VirtualNetwork]:
    """What makes it for a seed."""
    return lambda seed: LabNetwork(*carriers(network, seed))


def begin(network: VirtualNetwork) -> None:
    """Media begins: what the network does begins with it."""
    assert isinstance(network, LabNetwork)
    network.begin(network.now)


def network_of(network: Network) -> Network:
    """With its preset. Raises ``ConfigurationError``."""
    for key in ("handovers", "drift_ppm"):
        if getattr(network, key):
            raise ConfigurationError(f"network.{key}: is for experiments without agents")
    try:
        resolved = resolve(network)
        for link in (resolved, resolved.back):
            if link is not None and link.trace:
                load_trace(Path(link.trace))
    except ConfigurationError as error:
        raise ConfigurationError(f"network.{error}") from None
    return resolved


def read_script(path: Path) -> Script:
    """Raises ``ConfigurationError`` with a line for each wrong key, with its path."""
    script: Script = convert(read_table(path), Script)
    return _beside(script, Beside(path))


def _beside(script: Script, files: Beside) -> Script:
    """Paths are those from the file."""

    def sound(one: str | AudioFrame | None) -> str | AudioFrame | None:
        return files.path(one) if isinstance(one, str) else one

    def step(one: Step) -> Step:
        return msgspec.structs.replace(one, say=sound(one.say), interrupt=sound(one.interrupt))

    return msgspec.structs.replace(
        script,
        agent=files.function(script.agent),
        steps=tuple(map(step, script.steps)),
        network=files.link(script.network),
    )
