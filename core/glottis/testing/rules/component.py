"""The rules of components: of any kind, and of the kinds that glottis itself has."""

from itertools import product
from typing import Any, Final

from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_MS, FRAMES_MS, AudioFrame
from glottis.contracts.components import ComponentSpec, members_of
from glottis.contracts.echo import EchoCancelling
from glottis.contracts.errors import PluginError
from glottis.contracts.resampling import Resampling
from glottis.contracts.turns import VoiceActivityDetector
from glottis.testing.rules.echo import ECHO_RULES
from glottis.testing.rules.effort import FRAMES_AT_A_TIME, expect_nothing_kept, milliseconds_of_work
from glottis.testing.rules.rule import Broken, DoesNotApply, Rule, expect, missing_library, rules_of
from glottis.testing.rules.signals import (
    clipped,
    energy,
    melody,
    noise,
    pieces,
    sample_count,
    signal_to_noise_db,
    tone,
    tone_level,
)
from glottis.testing.rules.subject import Subject, check_description

ComponentSubject = Subject[ComponentSpec[Any]]

RATES: Final = (8000, 16000, 24000, 48000)
MOST_MILLISECONDS: Final = 1.0
"""For a frame of 20 ms: all calls share a thread, and each may have several of them."""
LEAST_SIGNAL_TO_NOISE_DB: Final = 30.0
"""Of a tone that is resampled: interpolation by straight lines has 20 or less."""


def check_members(subject: ComponentSubject) -> None:
    """``make`` looks for what the kind asks for."""
    kind: Any = subject.spec.kind
    methods, attributes = members_of(kind)
    try:
        product = subject.make()
    except PluginError as error:
        if missing_library(error) is None or not isinstance(subject.spec.create, type):
            raise
        product, attributes = subject.spec.create, []  # the class shows its methods, without what it needs to be made
    missing = [name for name in (*methods, *attributes) if not hasattr(product, name)]
    name = product.__name__ if isinstance(product, type) else type(product).__name__
    expect(not missing, f"{name} lacks {', '.join(missing)} of {kind.__name__}")


def check_new_each_time(subject: ComponentSubject) -> None:
    """Each call has one of its own, unless it is a function, or says by ``__slots__`` that it holds nothing."""
    settings = subject.typed_settings()
    first, second = subject.spec.create(settings), subject.spec.create(settings)
    if first is second and getattr(first, "__dict__", None):
        raise Broken("create returns one and the same object each time, with a state: calls would hear each other")


def check_leaks(subject: ComponentSubject) -> None:
    """Calls come and go, and some last for long."""
    component = subject.make()
    settings = subject.typed_settings()
    expect_nothing_kept(lambda: subject.spec.create(settings), "each component")
    sound = bytearray(melody(16000, FRAME_MS * FRAMES_AT_A_TIME))
    if subject.spec.kind is VoiceActivityDetector:
        detect = component.detect
        expect_nothing_kept(lambda: [*map(detect, _frames(bytes(sound), 16000))], "a call that goes on")
    elif subject.spec.kind is Resampling:
        resample = component.create_resampler(16000, 48000).resample
        expect_nothing_kept(lambda: [*map(resample, pieces(bytes(sound), 320))], "a call that goes on")


def _detector(subject: ComponentSubject) -> VoiceActivityDetector:
    """Raises ``DoesNotApply`` for another kind."""
    if subject.spec.kind is not VoiceActivityDetector:
        raise DoesNotApply("is no VoiceActivityDetector")
    detector: VoiceActivityDetector = subject.make()
    return detector


def _frames(pcm: bytes, sample_rate: int, frame_ms: int = FRAME_MS) -> list[AudioFrame]:
    return [AudioFrame(piece, sample_rate) for piece in pieces(pcm, sample_count(sample_rate, frame_ms))]


def check_probability(subject: ComponentSubject) -> None:
    """Of all that can be heard, at each rate, in frames of each length: the guard around it refuses what is none."""
    for rate, frame_ms in product(RATES, FRAMES_MS):
        detector = _detector(subject)
        for pcm in (bytes(rate), melody(rate, 400), noise(rate), clipped(rate)):
            for frame in _frames(pcm, rate, frame_ms):
                probability = float(detector.detect(frame))
                expect(0 <= probability <= 1, f"detect says {probability} at {rate} Hz, expected 0 to 1")


def check_silence(subject: ComponentSubject) -> None:
    """Five seconds of nothing, in frames of each length."""
    for frame_ms in FRAMES_MS:
        detector = _detector(subject)
        heard = [detector.detect(frame) >= 0.5 for frame in _frames(bytes(2 * 16000 * 5), 16000, frame_ms)]
        expect(sum(heard) <= 5, f"takes {sum(heard)} of {len(heard)} frames of digital silence for speech")


def check_independence(subject: ComponentSubject) -> None:
    """Two callers at a time, and one after the other."""
    speech, others = _frames(melody(16000, 400), 16000), _frames(noise(16000), 16000)
    alone = _detector(subject)
    wanted = [float(alone.detect(frame)) for frame in speech]
    one, other = _detector(subject), _detector(subject)
    got = []
    for frame, beside in zip(speech, others, strict=False):
        got.append(float(one.detect(frame)))
        other.detect(beside)
    expect(got == wanted[: len(got)], "hears something else beside another caller, or after one: a state is shared")


def check_lateness(subject: ComponentSubject) -> None:
    """``detect`` holds up all calls."""
    frames = _frames(melody(16000, 400), 16000)
    detector = _detector(subject)
    each = milliseconds_of_work(lambda: [detector.detect(frame) for frame in frames]) / len(frames)
    expect(each <= MOST_MILLISECONDS, f"detect takes {each:.1f} ms for a frame, expected {MOST_MILLISECONDS:g} at most")


def _resampling(subject: ComponentSubject) -> Resampling:
    """Raises ``DoesNotApply`` for another kind."""
    if subject.spec.kind is not Resampling:
        raise DoesNotApply("is no Resampling")
    resampling: Resampling = subject.make()
    return resampling


def check_resampled_length(subject: ComponentSubject) -> None:
    """The same time, exactly and at once, whatever lengths come."""
    resampling = _resampling(subject)
    for before, after in _pairs():
        resampler = resampling.create_resampler(before, after)
        for milliseconds in (10, 20, 200, 10, 60, 100):
            pcm = resampler.resample(bytes(sample_count(before, milliseconds) * BYTES_PER_SAMPLE))
            expected = sample_count(after, milliseconds) * BYTES_PER_SAMPLE
            expect(
                len(pcm) == expected,
                f"{before} to {after} Hz: {milliseconds} ms came as {len(pcm)} bytes, expected {expected}",
            )


def check_resampled_tone(subject: ComponentSubject) -> None:
    """A tone comes back at its level, far above what was added."""
    resampling = _resampling(subject)
    for before, after in _pairs():
        resampler = resampling.create_resampler(before, after)
        heard = b"".join(map(resampler.resample, pieces(tone(before, 400), sample_count(before, 20))))
        heard = heard[-sample_count(after, 200) * BYTES_PER_SAMPLE :]
        level, ratio = tone_level(heard, after), signal_to_noise_db(heard, after)
        expect(0.9 < level < 1.1, f"{before} to {after} Hz: a tone came back {level:.2f} times as loud")
        expect(
            ratio >= LEAST_SIGNAL_TO_NOISE_DB, f"{before} to {after} Hz: a tone came back {ratio:.0f} dB above noise"
        )


def check_resampled_independence(subject: ComponentSubject) -> None:
    """Two streams at a time, and one after the other."""
    resampling = _resampling(subject)
    frames, others = (pieces(pcm, 320) for pcm in (melody(16000, 200), tone(16000, 200)))
    alone = resampling.create_resampler(16000, 48000)
    wanted = b"".join(map(alone.resample, frames))
    one, other = (resampling.create_resampler(16000, 48000) for _ in range(2))
    got = b""
    for frame, beside in zip(frames, others, strict=True):
        got += one.resample(frame)
        other.resample(beside)
    expect(got == wanted, "a stream sounds different beside another, or after one: a state is shared")
    expect(energy(got) > 0, "a stream has no sound")


def _pairs() -> list[tuple[int, int]]:
    return [(before, after) for before in RATES for after in RATES if before != after]


COMPONENT_RULES: Final = rules_of(
    "component",
    ("description", "the specification can be used", check_description),
    ("members", "it has all that its kind asks for", check_members),
    ("new-each-time", "each that is made has a state of its own", check_new_each_time),
    ("leaks", "those that are made leave nothing behind", check_leaks),
)
"""Of any kind."""
DETECTOR_RULES: Final = rules_of(
    "component",
    ("probability", "whatever is heard, a probability comes of it", check_probability),
    ("silence", "silence is no speech", check_silence),
    ("independence", "two callers share no state", check_independence),
    ("lateness", "a frame takes little time", check_lateness),
)
"""Of a ``VoiceActivityDetector``."""
RESAMPLING_RULES: Final = rules_of(
    "component",
    ("resampled-length", "any length lasts as long at the other rate", check_resampled_length),
    ("resampled-tone", "a tone comes back at its level, far above noise", check_resampled_tone),
    ("resampled-independence", "two streams share no state", check_resampled_independence),
)
"""Of a ``Resampling``."""


def component_rules_of(spec: ComponentSpec[Any]) -> tuple[Rule[ComponentSubject], ...]:
    """Those of its kind."""
    kind: object = spec.kind
    of_kinds: dict[object, tuple[Rule[ComponentSubject], ...]] = {
        VoiceActivityDetector: DETECTOR_RULES,
        Resampling: RESAMPLING_RULES,
        EchoCancelling: ECHO_RULES,
    }
    return COMPONENT_RULES + of_kinds.get(kind, ())
