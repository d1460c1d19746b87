"""An experiment: all combinations of what it lists, read from TOML or made in Python."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from glottis.config.conversion import convert
from glottis.contracts.errors import ConfigurationError
from glottis.lab.conversation import check_agent
from glottis.lab.files import Beside, read_table
from glottis.lab.keys import key_of
from glottis.lab.networks import Network
from glottis.lab.parts import delay_maker, find_codec
from glottis.lab.plan import Agent, Codec, Condition, Delay, Protection, label_of
from glottis.lab.presets import resolve
from glottis.lab.progress import ProgressLine, in_words
from glottis.lab.report import write_report
from glottis.lab.results import Results, Row
from glottis.lab.running import Kept, cores, run_all, writing
from glottis.lab.speech import read_speech
from glottis.lab.trace import load_trace

MAX_SEEDS: Final = 10_000
SECONDS_PER_SECOND: Final = 0.06
"""Of a core for a second of speech, with Opus: for estimates."""
SECONDS_PER_TALKED_SECOND: Final = 0.3
"""The same of a conversation, in which it is said twice, and answered."""

Tell = Callable[[str], None]


def _nothing(line: str) -> None: ...


class Experiment(Struct, frozen=True, kw_only=True):
    """What is tried: each of these with each of the others. Paths are as given, or relative to the TOML file."""

    name: str = "experiment"
    speech: tuple[str, ...]
    """WAV files of any kind, of at least a second."""
    codecs: tuple[Codec, ...] = (Codec(),)
    delays: tuple[Delay, ...] = (Delay(),)
    protections: tuple[Protection, ...] = (Protection(),)
    networks: tuple[Network, ...] = (Network(),)
    agents: tuple[Agent, ...] = ()
    """Each has a conversation with the caller in each condition; without any, callers are only heard."""
    seeds: Annotated[int, Meta(ge=1, le=MAX_SEEDS)] = 1
    """So many networks of each kind: 0, 1, 2 and so on."""
    plugins: tuple[str, ...] = ()
    """Python files that register codecs, as plugins do."""
    ask_above_minutes: Annotated[float, Meta(ge=0)] = 10
    """What takes longer, by the estimate, is begun with ``--yes`` only."""
    audio_seconds: Annotated[float, Meta(ge=0, le=600)] = 10
    """Of each condition that can be listened to on the page; all of it is in a WAV file."""

    def __post_init__(self) -> None:
        for axis in ("speech", "codecs", "delays", "protections", "networks"):
            if not getattr(self, axis):
                raise ConfigurationError(f"{axis}: expected one or more")

    @property
    def conditions(self) -> list[Condition]:
        """All combinations. Raises ``ConfigurationError`` where two of a kind have one label."""
        networks = [_resolved(network, number) for number, network in enumerate(self.networks)]
        axes = {
            "speech": self.speech,
            "codecs": self.codecs,
            "delays": self.delays,
            "protections": self.protections,
            "networks": networks,
            "agents": self.agents,
        }
        for axis, settings in axes.items():
            _check_labels(axis, [label_of(one) if isinstance(one, Struct) else str(one) for one in settings])
        return [
            Condition(
                speech=speech,
                codec=codec,
                delay=delay,
                protection=protection,
                network=network,
                seed=seed,
                plugins=self.plugins,
                agent=agent,
            )
            for speech, codec, delay, protection, network, agent, seed in product(
                self.speech,
                self.codecs,
                self.delays,
                self.protections,
                networks,
                self.agents or (None,),
                range(self.seeds),
            )
        ]

    def check(self) -> list[Condition]:
        """The conditions, once all that they name was found. Raises ``ConfigurationError`` with the path of a key."""
        for number, codec in enumerate(self.codecs):
            spec = _at(f"codecs.{number}", lambda codec=codec: find_codec(codec.codec, self.plugins))
            if codec.sample_rate not in spec.sample_rates:
                rates = ", ".join(map(str, spec.sample_rates))
                raise ConfigurationError(f"codecs.{number}.sample_rate: {codec.codec} takes {rates}")
        for number, delay in enumerate(self.delays):
            _at(f"delays.{number}", lambda delay=delay: delay_maker(delay))
        for number, network in enumerate(self.networks):
            for link in (network, network.back):
                if link is not None and link.trace:
                    _at(f"networks.{number}", lambda link=link: load_trace(Path(link.trace)))
        for number, agent in enumerate(self.agents):
            _at(f"agents.{number}", lambda agent=agent: check_agent(agent, self.networks))
        return self.conditions

    def run(
        self, folder: Path | str, *, processes: int | None = None, may_take_long: bool = False, tell: Tell = _nothing
    ) -> Results:
        """Run what was not run before, and write all results and the report into ``folder``.

        ``processes`` is the number of cores if None, and 0 for no other process. ``tell`` gets lines for people. Raises
        ``ConfigurationError`` for what is wrong, and for what takes longer than ``ask_above_minutes``.
        """
        conditions = self.check()
        lengths, warnings = self._listen()
        for warning in warnings:
            tell(warning)
        kept = Kept(Path(folder) / "conditions")
        number = cores() if processes is None else max(1, processes)
        keyed = [(key_of(condition), condition) for condition in conditions]
        each = SECONDS_PER_SECOND + (SECONDS_PER_TALKED_SECOND if self.agents else 0)
        seconds = each * sum(lengths[one.speech] for key, one in keyed if kept.find(key) is None) / number
        tell(f"{len(conditions)} conditions, about {in_words(seconds)} on {number} cores")
        if seconds > 60 * self.ask_above_minutes and not may_take_long:
            raise ConfigurationError(
                f"ask_above_minutes: this takes about {in_words(seconds)}: run it with --yes, or have fewer conditions"
            )
        with writing(Path(folder)):
            kept.folder.mkdir(parents=True, exist_ok=True)
        rows = run_all(keyed, kept, processes, ProgressLine(tell))
        results = Results(name=self.name, rows=tuple(Row(key=key, result=result) for key, result in rows))
        with writing(Path(folder)):
            write_report(results, kept, Path(folder), self.audio_seconds, warnings)
        return results

    def _listen(self) -> tuple[dict[str, float], list[str]]:
        """The seconds of each file, and what is odd about them."""
        files = {path: read_speech(Path(path)) for path in self.speech}
        lengths = {path: file.speech.seconds for path, file in files.items()}
        return lengths, [warning for file in files.values() for warning in file.warnings]


def read_experiment(path: Path) -> Experiment:
    """Raises ``ConfigurationError`` with a line for each wrong key, with its path."""
    experiment: Experiment = convert(read_table(path), Experiment)
    return _beside(experiment, Beside(path), path.stem)


def _beside(experiment: Experiment, files: Beside, name: str) -> Experiment:
    """Paths are those from the file."""

    def delay(one: Delay) -> Delay:
        return msgspec.structs.replace(one, policy=files.function(one.policy))

    def agent(one: Agent) -> Agent:
        return msgspec.structs.replace(one, agent=files.function(one.agent))

    return msgspec.structs.replace(
        experiment,
        name=name if experiment.name == "experiment" else experiment.name,
        speech=tuple(map(files.path, experiment.speech)),
        plugins=tuple(map(files.path, experiment.plugins)),
        delays=tuple(map(delay, experiment.delays)),
        networks=tuple(map(files.link, experiment.networks)),
        agents=tuple(map(agent, experiment.agents)),
    )


def _resolved(network: Network, number: int) -> Network:
    resolved: Network = _at(f"networks.{number}", lambda: resolve(network))
    return resolved


def _at(path: str, function: Any) -> Any:
    """What it returns; the path of the key is put before what it complains of."""
    try:
        return function()
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}.{error}") from None


def _check_labels(axis: str, labels: list[str]) -> None:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ConfigurationError(f"{axis}: two have the label {twice[0]!r}: give one of them another `label`")
