"""Taking turns: the tune yields to the caller's voice within a frame."""

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from glottis import Agent, Call, Component, TurnSettings, VoiceActivityDetector

from glottis_talker.tune import Tune, tune_at

FRAME_SECONDS: Final = 0.02


class TalkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the agent."""

    detector: Component[VoiceActivityDetector] = Component("energy")
    """Tells when the caller speaks."""
    turns: TurnSettings = TurnSettings()
    """When that begins and ends a turn."""


def talker(config: TalkerConfig) -> Agent:
    """The agent of these settings. It makes a detector at once: one that cannot be made is told before any call."""
    config.detector.make()

    async def talk(call: Call) -> None:
        """Play at once and go on until the caller speaks; then be silent until the caller is."""
        tune = tune_at(call.sample_rate)
        turns = call.turns(config.detector.make(), config.turns)
        position = 0  # of the first sample that was not heard
        playing = call.start_saying(_played(tune, position, call.sample_rate))
        async for turn in turns:
            heard = playing.cancel()
            position += round(heard.sent * call.sample_rate)
            await call.send_event(
                "cut_short", {"sentSeconds": round(heard.sent, 3), "droppedSeconds": round(heard.dropped, 3)}
            )
            await turn.ended.wait()
            playing = call.start_saying(_played(tune, position, call.sample_rate))
            await call.send_event("heard", {"speechSeconds": round(turn.spoken_seconds, 3)})

    return talk


async def _played(tune: Tune, position: int, sample_rate: int) -> AsyncIterator[bytes]:
    """The tune from there on, as if it went round for ever."""
    while True:
        pcm = tune.read(position, round(FRAME_SECONDS * sample_rate))
        position += len(pcm) // 2
        yield pcm
