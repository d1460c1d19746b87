"""The rules of echo cancellers, which devices use."""

from array import array
from collections.abc import Callable, Iterable
from typing import Any, Final

from glottis.contracts.audio import FRAME_MS
from glottis.contracts.components import ComponentSpec
from glottis.contracts.echo import EchoCanceller, EchoCancelling
from glottis.testing.rules.effort import milliseconds_of_work
from glottis.testing.rules.rule import Broken, DoesNotApply, expect, rules_of
from glottis.testing.rules.signals import clipped, energy, melody, noise, pieces, sample_count
from glottis.testing.rules.subject import Subject

RATES: Final = (8000, 16000, 24000, 48000)
TAIL_MS: Final = 200
MOST_MILLISECONDS: Final = 10.0
"""For a frame of 20 ms: a device has one microphone, and more to do than to listen."""
LEAST_SHARE: Final = 0.25
"""Of the energy of an echo that may be left after some seconds: 6 dB are the least that helps."""
SECONDS: Final = 6
LAST: Final = 50
"""Frames that are judged, the last ones."""

EchoSubject = Subject[ComponentSpec[Any]]
Make = Callable[[int], EchoCanceller]


def _maker(subject: EchoSubject) -> Make:
    """Raises ``DoesNotApply`` for another kind."""
    if subject.spec.kind is not EchoCancelling:
        raise DoesNotApply("is no EchoCancelling")
    making: EchoCancelling = subject.make()
    return lambda rate: making.create_canceller(rate, TAIL_MS, 0)


def _frames(pcm: bytes, rate: int) -> list[bytes]:
    return pieces(pcm, sample_count(rate, FRAME_MS))


def _cancelled(canceller: EchoCanceller, heard: bytes, played: bytes) -> bytes:
    left: object = canceller.cancel(heard, played)
    if type(left) is not bytes or len(left) != len(heard):
        length = f"{len(left)} bytes" if isinstance(left, bytes) else type(left).__name__
        raise Broken(f"cancel returned {length}, expected {len(heard)} bytes")
    return left


def check_length(subject: EchoSubject) -> None:
    """Whatever is heard and played, at each rate."""
    make = _maker(subject)
    for rate in RATES:
        canceller = make(rate)
        for heard in (bytes(rate), melody(rate, 240), noise(rate), clipped(rate)):
            for played in (bytes(rate), noise(rate), clipped(rate)):
                for one, other in zip(_frames(heard, rate), _frames(played, rate), strict=False):
                    _cancelled(canceller, one, other)


def check_echo(subject: EchoSubject) -> None:
    """Half as loud as it was played, and 40 ms later."""
    canceller, rate = _maker(subject)(16000), 16000
    far = (_frames(noise(rate), rate) * 50 * SECONDS)[: 50 * SECONDS]
    heard = [bytes(len(far[0]))] * 2 + [_quieter(frame, 2) for frame in far]
    left = [_cancelled(canceller, one, other) for one, other in zip(heard, far, strict=False)]
    share = _sum(left[-LAST:]) / _sum(heard[len(far) - LAST : len(far)])
    expect(share <= LEAST_SHARE, f"leaves {100 * share:.0f} % of an echo, expected {100 * LEAST_SHARE:.0f} % at most")


def check_voice(subject: EchoSubject) -> None:
    """Who speaks while nothing is played is heard."""
    canceller, rate = _maker(subject)(16000), 16000
    near = _frames(melody(rate, 240), rate) * 10
    left = [_cancelled(canceller, frame, bytes(len(frame))) for frame in near]
    share = _sum(left[-LAST:]) / _sum(near[-LAST:])
    expect(0.25 <= share <= 4, f"a voice without an echo comes with {100 * share:.0f} % of its energy")


def check_independence(subject: EchoSubject) -> None:
    """Two microphones at a time, and one after the other."""
    make, rate = _maker(subject), 16000
    near, far = _frames(melody(rate, 240), rate), _frames(noise(rate), rate)
    alone = make(rate)
    wanted = [_cancelled(alone, one, other) for one, other in zip(near, far, strict=False)]
    first, second = make(rate), make(rate)
    got = []
    for one, other in zip(near, far, strict=False):
        got.append(_cancelled(first, one, other))
        _cancelled(second, other, one)
    expect(got == wanted, "a microphone sounds different beside another, or after one: a state is shared")


def check_lateness(subject: EchoSubject) -> None:
    """It is called for each frame, between the microphone and the encoder."""
    canceller, rate = _maker(subject)(16000), 16000
    near, far = _frames(melody(rate, 240), rate), _frames(noise(rate), rate)
    pairs = list(zip(near, far, strict=False))
    each = milliseconds_of_work(lambda: [canceller.cancel(*pair) for pair in pairs]) / len(pairs)
    expect(each <= MOST_MILLISECONDS, f"cancel takes {each:.1f} ms for a frame, expected {MOST_MILLISECONDS:g} at most")


def _quieter(pcm: bytes, times: int) -> bytes:
    return array("h", (sample // times for sample in array("h", pcm))).tobytes()


def _sum(frames: Iterable[bytes]) -> float:
    return sum(map(energy, frames))


ECHO_RULES: Final = rules_of(
    "component",
    ("echo-length", "whatever is heard and played, a frame comes back as long as it was", check_length),
    ("echo-less", "after seconds little of an echo is left", check_echo),
    ("echo-voice", "a voice without an echo stays", check_voice),
    ("echo-independence", "two microphones share no state", check_independence),
    ("echo-lateness", "a frame takes little time", check_lateness),
)
"""Of an ``EchoCancelling``."""
