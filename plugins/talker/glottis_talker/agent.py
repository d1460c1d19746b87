"""Taking turns: the tune yields to the caller's voice within a frame."""

from typing import Final

import msgspec
import trio
from glottis import Agent, AudioFrame, Call, Component

from glottis_talker.detector import SpeechDetector
from glottis_talker.tune import tune_at

FRAME_SECONDS: Final = 0.02
PATIENCE_SECONDS: Final = 0.1
"""After so long without a frame the detector is told of it."""


class TalkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the agent."""

    detector: Component[SpeechDetector] = Component("energy")
    """Tells when the caller speaks."""


def talker(config: TalkerConfig) -> Agent:
    """The agent of these settings. It makes a detector at once: one that cannot be made is told before any call."""
    config.detector.make()

    async def talk(call: Call) -> None:
        """Play at once and go on until the caller speaks; then be silent until the caller is."""
        conversation = _Conversation(call, config.detector.make())
        call.nursery.start_soon(conversation.play)
        await conversation.listen()

    return talk


class _Conversation:
    def __init__(self, call: Call, detector: SpeechDetector) -> None:
        self._call = call
        self._detector = detector
        self._tune = tune_at(call.sample_rate)
        self._position = 0
        """Samples of the tune that were given to ``say`` and not taken back by ``flush``."""
        self._my_turn = trio.Event()
        self._my_turn.set()

    async def play(self) -> None:
        """Say the tune, frame after frame, whenever it is this agent's turn."""
        frame_samples = round(self._call.sample_rate * FRAME_SECONDS)
        while True:
            # Waiting for an event that is set would let the turn change before the frame is said.
            while not self._my_turn.is_set():
                await self._my_turn.wait()
            frame = AudioFrame(self._tune.read(self._position, frame_samples), self._call.sample_rate)
            self._position += frame.sample_count
            await self._call.say(frame)

    async def listen(self) -> None:
        """Hand the turn to the caller when speech begins, and take it back when it has ended."""
        detector = self._detector
        audio = aiter(self._call.audio)
        while True:
            was_speaking, frame = detector.speaking, None
            # A caller that sends nothing during silence (discontinuous transmission) is silent too.
            with trio.move_on_after(PATIENCE_SECONDS):
                try:
                    frame = await anext(audio)
                except StopAsyncIteration:
                    return
            if frame is None:
                detector.hear_nothing(PATIENCE_SECONDS)
            else:
                detector.hear(frame)
            if detector.speaking and not was_speaking:
                await self._yield_turn()
            elif was_speaking and not detector.speaking:
                await self._take_turn(detector.spoken_seconds)

    async def _yield_turn(self) -> None:
        self._my_turn = trio.Event()
        heard = self._call.flush()
        self._position -= round(heard.dropped * self._call.sample_rate)
        await self._call.send_event(
            "interrupted", {"sentSeconds": round(heard.sent, 3), "droppedSeconds": round(heard.dropped, 3)}
        )

    async def _take_turn(self, spoken_seconds: float) -> None:
        self._my_turn.set()
        await self._call.send_event("heard", {"speechSeconds": round(spoken_seconds, 3)})
