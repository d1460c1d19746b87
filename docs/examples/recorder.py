"""Keeps what each caller says in a WAV file of its own, in ``folder`` of the campaign's settings; the key # ends it."""

import wave
from pathlib import Path

from glottis import Call


async def recorder(call: Call) -> None:
    """The agent."""
    path = Path(call.info.campaign_settings.get("folder", ".")) / f"{call.info.session_id}.wav"
    call.nursery.start_soon(hang_up_at_hash, call)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, call.sample_rate, 0, "NONE", ""))
        start: int | None = None
        async for frame in call.audio:
            start = frame.timestamp if start is None else start
            pause = frame.timestamp - start - file.tell()  # samples in which nothing came
            file.writeframes(bytes(2 * pause) + frame.pcm)


async def hang_up_at_hash(call: Call) -> None:
    """Wait for the key."""
    async for press in call.dtmf:
        if press.digit == "#":
            call.hang_up("the caller has finished")
