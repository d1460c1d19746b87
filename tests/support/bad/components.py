"""Components, made of a good detector and a good resampling."""

from array import array
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from glottis import (
    AudioFrame,
    ComponentSpec,
    EchoCanceller,
    EchoCancelling,
    Resampler,
    Resampling,
    VoiceActivityDetector,
)
from glottis.audio import level_dbfs
from glottis_spandsp.echo import SpeexEchoCanceller
from glottis_spandsp.resampler import SpeexResampling


class Oracle(Protocol):
    name: str

    def foretell(self) -> str:
        """What will be."""


class Sibyl:
    name = "sibyl"

    def foretell(self) -> str:
        return "rain"


class Mute:
    name = "mute"


class Detector:
    """Whatever is louder than a whisper."""

    def __init__(self, settings: None = None) -> None:
        self.frames = 0

    def detect(self, frame: AudioFrame) -> float:
        self.frames += 1
        return float(level_dbfs(frame) > -40)


class Certain(Detector):
    """Knows more than there is to know."""

    def detect(self, frame: AudioFrame) -> float:
        return 100 * super().detect(frame)


class Anxious(Detector):
    """Hears voices."""

    def detect(self, frame: AudioFrame) -> float:
        return 0.9


class Sharing(Detector):
    """Compares with the frame before, of whatever call."""

    last = -96.0

    def detect(self, frame: AudioFrame) -> float:
        before, Sharing.last = Sharing.last, level_dbfs(frame)
        return float(Sharing.last >= before)


class Slow(Detector):
    def detect(self, frame: AudioFrame) -> float:
        for _ in range(150_000):
            pass
        return super().detect(frame)


class Hoarding(Detector):
    made: ClassVar[list[Detector]] = []

    def __init__(self, settings: None = None) -> None:
        super().__init__()
        self.made.append(self)


class Remembering(Detector):
    """Compares with all that was heard before."""

    def __init__(self, settings: None = None) -> None:
        super().__init__()
        self.heard: list[float] = []

    def detect(self, frame: AudioFrame) -> float:
        self.heard.append(level_dbfs(frame))
        return super().detect(frame)


ONLY = Detector()


class Linear:
    """Takes the nearest sample."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self.rates = from_rate, to_rate

    def resample(self, pcm: bytes) -> bytes:
        samples = array("h", pcm)
        from_rate, to_rate = self.rates
        count = len(samples) * to_rate // from_rate
        return array("h", (samples[n * from_rate // to_rate] for n in range(count))).tobytes()


class Nearest:
    def create_resampler(self, from_rate: int, to_rate: int) -> Resampler:
        return Linear(from_rate, to_rate)


class Late:
    """Gives nothing at first."""

    def create_resampler(self, from_rate: int, to_rate: int) -> Resampler:
        return LateResampler(SpeexResampling().create_resampler(from_rate, to_rate))


class LateResampler:
    def __init__(self, resampler: Resampler) -> None:
        self.resampler = resampler
        self.held = b""

    def resample(self, pcm: bytes) -> bytes:
        held, self.held = self.held, self.resampler.resample(pcm)
        return held


class OneForAll:
    """Has one resampler for each pair of rates."""

    def __init__(self) -> None:
        self.made: dict[tuple[int, int], Resampler] = {}

    def create_resampler(self, from_rate: int, to_rate: int) -> Resampler:
        if (from_rate, to_rate) not in self.made:
            self.made[from_rate, to_rate] = SpeexResampling().create_resampler(from_rate, to_rate)
        return self.made[from_rate, to_rate]


class EchoFree:
    """Makes cancellers of some class."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def create_canceller(self, sample_rate: int, tail_ms: int, noise_suppression_db: int) -> EchoCanceller:
        canceller: EchoCanceller = self.kind(sample_rate, tail_ms, noise_suppression_db)
        return canceller


class Halving(SpeexEchoCanceller):
    """Returns every second frame."""

    halved = False

    def cancel(self, captured: bytes, played: bytes) -> bytes:
        self.halved = not self.halved
        return super().cancel(captured, played)[: len(captured) // (1 + self.halved)]


class Passing:
    """Lets all pass."""

    def __init__(self, *arguments: int) -> None: ...

    def cancel(self, captured: bytes, played: bytes) -> bytes:
        return captured


class Hushing(Passing):
    """Lets nothing pass: then there is no echo either."""

    def cancel(self, captured: bytes, played: bytes) -> bytes:
        return bytes(len(captured))


class SharingCanceller(Passing):
    """Takes the frame that was heard before, of whatever microphone, out of this one."""

    last = b""

    def cancel(self, captured: bytes, played: bytes) -> bytes:
        before, SharingCanceller.last = SharingCanceller.last, captured
        return captured if before != captured else bytes(len(captured))


class SlowCanceller(SpeexEchoCanceller):
    def cancel(self, captured: bytes, played: bytes) -> bytes:
        for _ in range(1_500_000):
            pass
        return super().cancel(captured, played)


def detector(create: Any) -> ComponentSpec[Any]:
    return ComponentSpec(VoiceActivityDetector, "sample", create)


def canceller(kind: Any) -> ComponentSpec[Any]:
    return ComponentSpec(EchoCancelling, "sample", lambda settings: EchoFree(kind))


def resampling(kind: Any) -> ComponentSpec[Any]:
    return ComponentSpec(Resampling, "sample", lambda settings: kind())


GOOD: list[ComponentSpec[Any]] = [
    detector(Detector),
    resampling(SpeexResampling),
    canceller(SpeexEchoCanceller),
    ComponentSpec(Oracle, "sample", lambda settings: Sibyl()),
]
BAD: Mapping[str, list[ComponentSpec[Any]]] = {
    "description": [ComponentSpec("oracle", "sample", Detector)],  # type: ignore[arg-type]
    "members": [ComponentSpec(Oracle, "sample", lambda settings: Mute())],
    "new-each-time": [detector(lambda settings: ONLY)],
    "leaks": [detector(Hoarding), detector(Remembering)],
    "probability": [detector(Certain)],
    "silence": [detector(Anxious)],
    "independence": [detector(Sharing)],
    "lateness": [detector(Slow)],
    "resampled-length": [resampling(Late)],
    "resampled-tone": [resampling(Nearest)],
    "resampled-independence": [resampling(OneForAll)],
    "echo-length": [canceller(Halving)],
    "echo-less": [canceller(Passing)],
    "echo-voice": [canceller(Hushing)],
    "echo-independence": [canceller(SharingCanceller)],
    "echo-lateness": [canceller(SlowCanceller)],
}
