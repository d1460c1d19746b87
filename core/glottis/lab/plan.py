"""What an experiment is made of, as TOML says it and as Python does: one setting of each kind makes a condition."""

import hashlib
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from glottis.contracts.codec import Complexity, RedPolicy
from glottis.lab.networks import Network

FrameMs = Annotated[float, Meta(ge=2.5, le=120)]


class Codec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Any that is installed, with the settings of its encoder."""

    label: str = ""
    codec: str = "opus"
    """The name of an installed one, or of one that a file of ``plugins`` registers."""
    bitrate: Annotated[int, Meta(ge=6000, le=510_000)] | None = None
    complexity: Complexity = 5
    packet_ms: FrameMs = 20
    sample_rate: Annotated[int, Meta(ge=8000, le=48_000)] = 16000
    """Hertz of what the encoder is given."""


class Delay(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How long the listener lets packets wait."""

    label: str = ""
    policy: str = "adaptive"
    """``adaptive``, ``fixed``, or ``file.py:function`` that makes a ``DelayPolicy``."""
    ms: Annotated[float, Meta(ge=0, le=1000)] = 40
    """Of ``fixed``."""
    min_ms: Annotated[float, Meta(ge=0, le=1000)] = 5
    max_ms: Annotated[float, Meta(ge=0, le=1000)] = 500
    lateness: Annotated[float, Meta(ge=0, le=0.5)] = 0.02


class Protection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is done against loss, and in pauses."""

    label: str = ""
    fec: bool = True
    """In-band FEC, where the codec has it (RFC 7587 §3.3)."""
    red: RedPolicy = "off"
    """Redundant audio (RFC 2198): ``on`` spends on copies what they take, ``auto`` sends them under heavy loss."""
    nack: bool = False
    """Packets may be asked for again (RFC 4585)."""
    dtx: bool = False
    """Nothing is sent in pauses."""
    dred_ms: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Deep redundancy, where the codec has it: with Opus by a libopus that was built with it, from complexity 7 on."""


class Agent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Any that is installed, or a function in a file. It is told the speech, and interrupted by it."""

    label: str = ""
    agent: str
    """A name, or ``file.py:function``."""
    settings: dict[str, Any] = {}
    interrupt_after_s: Annotated[float, Meta(ge=0, le=600)] = 0.5
    """It has spoken for so long then."""
    patience_s: Annotated[float, Meta(ge=0, le=3600)] = 30
    """How long an answer is waited for."""
    words: str = ""
    """What it is to answer: needs a recogniser."""
    recogniser: str = ""
    """The name of an installed component."""
    recogniser_settings: dict[str, Any] = {}


class Condition(Struct, frozen=True, kw_only=True):
    """One of each, and the seed of what is random."""

    speech: str
    codec: Codec
    delay: Delay
    protection: Protection
    network: Network
    seed: int
    plugins: tuple[str, ...] = ()
    agent: Agent | None = None

    @property
    def labels(self) -> dict[str, str]:
        """What it is called on each axis."""
        return {
            "speech": self.speech.rpartition("/")[2],
            "codec": label_of(self.codec),
            "delay": label_of(self.delay),
            "protection": label_of(self.protection),
            "network": label_of(self.network),
            "agent": label_of(self.agent) if self.agent is not None else "none",
            "seed": str(self.seed),
        }


AXES: Final = ("speech", "codec", "delay", "protection", "network", "agent", "seed")
_NAMING: Final = {"label", "source", "preset"}

T = TypeVar("T", bound=Struct)


def label_of(setting: Struct) -> str:
    """Its own label, or what is not as it is by default."""
    own = getattr(setting, "label", "")
    if own:
        return str(own)
    preset = getattr(setting, "preset", "")
    said = [f"{name} {_shown(value)}" for name, value in _changed(setting).items() if name not in _NAMING]
    if isinstance(setting, Codec | Delay | Agent):
        key = _FIRST[type(setting)]
        said = [_shown(getattr(setting, key)), *(one for one in said if one.partition(" ")[0] != key)]
    return ", ".join([preset, *said] if preset else said) or _DEFAULT_LABELS.get(type(setting), "default")


_FIRST: Final[dict[type, str]] = {Codec: "codec", Delay: "policy", Agent: "agent"}
_DEFAULT_LABELS: Final[dict[type, str]] = {Network: "clean", Protection: "fec"}


def _changed(setting: Struct) -> dict[str, Any]:
    return {
        field.name: value
        for field in msgspec.structs.fields(setting)
        if (value := getattr(setting, field.name)) != field.default and value != {}
    }


def _shown(value: Any) -> str:
    if isinstance(value, Struct):
        return "(" + ", ".join(f"{name} {_shown(inner)}" for name, inner in _changed(value).items()) + ")"
    if isinstance(value, tuple):
        return " ".join(map(_shown, value))
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items()) + ")"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value).rpartition("/")[2]


def digest(*parts: bytes) -> str:
    """Of all parts, and of where one ends and the next begins."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:32]
