"""The caller's turns, found in the frames of a call by a detector of voice activity."""

from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, NoReturn, TypeVar

import msgspec
import trio

from glottis.calls.forwarding import Fan
from glottis.calls.streams import DroppingStream
from glottis.contracts.audio import FRAME_SECONDS, AudioFrame
from glottis.contracts.checks import check_instance, probability_of
from glottis.contracts.components import Component
from glottis.contracts.turns import Turn, TurnSettings, VoiceActivityDetector

T = TypeVar("T")

MAX_TURNS: Final = 8
"""Turns that wait to be iterated."""
MAX_TURN_SECONDS: Final = 30.0
"""Audio of a turn that waits to be read."""
LISTENING_SECONDS: Final = 0.2
"""Audio that waits for the detector, where something has held up its task."""
PATIENCE_SECONDS: Final = 0.1
"""After so long without a frame it is taken for silence: some callers send nothing in pauses."""
_EPSILON: Final = 1e-9
"""Seconds; frames that add up to a limit shall reach it despite rounding."""


class TurnFinder:
    """Says of each frame whether it belongs to a turn, by what a detector says of it.

    ``hear`` is given frames, ``hear_nothing`` the times without any.
    """

    def __init__(self, settings: TurnSettings) -> None:
        self._settings = settings
        self.is_open = False
        """Whether a turn goes on."""
        self.spoken_seconds = 0.0
        """Length of the current or last speech, without the silence that ended it."""
        self._lead: deque[AudioFrame] = deque()
        self._speech_seconds = 0.0
        self._silent_seconds = 0.0

    def hear(self, frame: AudioFrame, probability: float) -> list[AudioFrame]:
        """The frames that belong to the turn now: none, this one, or with it those that led to it."""
        if probability >= self._settings.threshold:
            self._hear_speech(frame.duration)
        else:
            self.hear_nothing(frame.duration)
        if self.is_open:
            frames = [*self._lead, frame]
            self._lead.clear()
            return frames
        self._keep(frame)
        return []

    def hear_nothing(self, seconds: float) -> None:
        """Take in a time without speech."""
        self._speech_seconds = 0.0
        self._silent_seconds += seconds
        if self._silent_seconds >= self._settings.hangover_ms / 1000 - _EPSILON:
            self.is_open = False

    def _hear_speech(self, seconds: float) -> None:
        self._speech_seconds += seconds
        if self.is_open:
            self.spoken_seconds += self._silent_seconds + seconds
        elif self._speech_seconds >= self._settings.onset_ms / 1000 - _EPSILON:
            self.is_open = True
            self.spoken_seconds = self._speech_seconds
        self._silent_seconds = 0.0

    def _keep(self, frame: AudioFrame) -> None:
        """Of what leads to a turn as much as is wanted, and the onset but for the frame that completes it."""
        self._lead.append(frame)
        most = (self._settings.lead_ms + self._settings.onset_ms) / 1000 - frame.duration
        while sum(each.duration for each in self._lead) > most + _EPSILON:
            self._lead.popleft()


class CountedStream(DroppingStream[T]):
    """Tells what it drops, and can end."""

    def __init__(self, limit: int, lost: Callable[[T], object]) -> None:
        super().__init__(limit)
        self._lost = lost
        self._has_ended = False

    def end(self) -> None:
        """Nothing follows what waits now."""
        self._has_ended = True
        self._wake()

    async def __anext__(self) -> T:
        while not self._items:
            if self._has_ended:
                raise StopAsyncIteration
            await self._wait()
        return await super().__anext__()

    def take_all(self) -> list[T]:
        """All that waits, which leaves the queue."""
        return [self._take() for _ in range(len(self))]

    def _drop(self) -> None:
        self._lost(self._take())
        self.dropped += 1


class HeardTurn(Turn):
    """A turn that is filled while it goes on; ``lost`` gets each frame that was not read in time."""

    def __init__(
        self, finder: TurnFinder, sample_rate: int, frame_seconds: float, lost: Callable[[AudioFrame], object]
    ) -> None:
        self.ended = trio.Event()
        self._finder: TurnFinder | None = finder
        self._spoken_seconds = 0.0
        self._sample_rate = sample_rate
        self._audio = CountedStream(round(MAX_TURN_SECONDS / frame_seconds), lost)

    @property
    def spoken_seconds(self) -> float:
        """See ``Turn.spoken_seconds``."""
        return self._finder.spoken_seconds if self._finder is not None else self._spoken_seconds

    @property
    def audio(self) -> CountedStream[AudioFrame]:
        """See ``Turn.audio``."""
        return self._audio

    async def whole(self) -> AudioFrame:
        """See ``Turn.whole``."""
        await self.ended.wait()
        frames = self._audio.take_all()
        timestamp = frames[0].timestamp if frames else 0
        return AudioFrame(b"".join(frame.pcm for frame in frames), self._sample_rate, timestamp)

    def push(self, frame: AudioFrame) -> None:
        """One more frame of it."""
        self._audio.push(frame)

    def end(self) -> None:
        """The caller has fallen silent."""
        self._spoken_seconds, self._finder = self.spoken_seconds, None
        self._audio.end()
        self.ended.set()


def _check_detector(detector: object) -> None:
    expected = "turns: expected a VoiceActivityDetector"
    if isinstance(detector, Component):
        raise ValueError(f"{expected}, got {detector!r}, which can make() one")
    if isinstance(detector, type):
        raise ValueError(f"{expected}, got the class {detector.__name__}: make one of it")
    if not callable(getattr(detector, "detect", None)):
        raise ValueError(f"{expected}, got {type(detector).__name__} without detect")


def _check_settings(settings: TurnSettings) -> None:
    """Those of a configuration keep their bounds; code may have others made."""
    check_instance("turns", settings, TurnSettings)
    try:
        msgspec.convert(msgspec.structs.asdict(settings), TurnSettings)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$.")
        raise ValueError(f"TurnSettings.{place.rstrip('`')}: {problem[:1].lower()}{problem[1:]}") from None


class TurnStream(AsyncIterator[Turn]):
    """The turns of a call. ``listen`` is for a task, which takes frames from ``fan``.

    Frames are ``frame_seconds`` long. ``lost`` is told how many of them were dropped.
    """

    def __init__(
        self,
        detector: VoiceActivityDetector,
        settings: TurnSettings,
        fan: Fan[AudioFrame],
        *,
        sample_rate: int,
        frame_seconds: float = FRAME_SECONDS,
        lost: Callable[[int], object],
    ) -> None:
        _check_detector(detector)
        _check_settings(settings)
        self._detector = detector
        self._finder = TurnFinder(settings)
        self._fan = fan
        self._sample_rate = sample_rate
        self._frame_seconds = frame_seconds
        self._lost = lost
        self._turns: CountedStream[HeardTurn] = CountedStream(MAX_TURNS, lambda turn: lost(len(turn.audio)))
        self._turn: HeardTurn | None = None
        self._scope = trio.CancelScope()

    def __iter__(self) -> NoReturn:
        iter(self._turns)  # which says by what it is read

    async def __anext__(self) -> Turn:
        return await anext(self._turns)

    def close(self) -> None:
        """Listen no longer, and let the iteration end."""
        self._scope.cancel()
        self._turns.end()
        self._end_turn()

    async def listen(self) -> None:
        """Follow the caller's voice, until the stream is closed."""
        limit = round(LISTENING_SECONDS / self._frame_seconds)
        frames = CountedStream[AudioFrame](limit, lambda _: self._lost(1))
        with self._scope, self._fan.taken_by(frames.push):
            while True:
                with trio.CancelScope() as patience:
                    while True:
                        patience.deadline = trio.current_time() + PATIENCE_SECONDS
                        self._hear(await anext(frames))
                self._finder.hear_nothing(PATIENCE_SECONDS)
                self._follow([])

    def _hear(self, frame: AudioFrame) -> None:
        probability = probability_of("detect", self._detector.detect(frame))
        self._follow(self._finder.hear(frame, probability))

    def _follow(self, frames: list[AudioFrame]) -> None:
        if self._finder.is_open and self._turn is None:
            self._turn = HeardTurn(self._finder, self._sample_rate, self._frame_seconds, lambda _: self._lost(1))
            self._turns.push(self._turn)
        if not self._finder.is_open:
            self._end_turn()
        elif self._turn is not None:
            for frame in frames:
                self._turn.push(frame)

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.end()
            self._turn = None
