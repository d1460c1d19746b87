"""How soon an assistant answers and falls silent: callers over Opus on loopback, in real time, some at a time.

What is measured is heard by the caller, behind both jitter buffers: from the end of the last word that the caller has
sent to the first sound of the answer, and from the first sound of a caller who interrupts to the last one of the agent.
"""

import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio
from glottis import AudioFrame
from glottis.audio import chunks, level_dbfs
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_client_call

from benchmarks.conversation.voices import RATE
from benchmarks.processes import free_port, wait_for_port
from benchmarks.servers import SERVE
from benchmarks.speech import opus

SOUND_DBFS: Final = -45.0
QUIET_SECONDS: Final = 1.0
"""Of silence end an answer, between whose sentences are shorter pauses."""
PATIENCE: Final = 15.0
LOADING: Final = 60.0
"""Seconds for the agent's process to load its models."""
HELP: Final = "help"
_CONFIG: Final = """
[server]
host = "127.0.0.1"
port = {port}
max_load = 1.0

[auth]
scheme = "anonymous"

[pages]
enabled = ["client"]

[campaigns.assistant]
agent = "assistant"
isolation = "process"

[campaigns.assistant.workers]
processes = 1

[campaigns.assistant.settings]
vad = "silero"
stt = "moonshine"
tts = "hibari"
greeting = ""
idle_prompts = []
"""
_COUNTED: Final = re.compile(r"media.*late.*|late.*media.*")


@dataclass(slots=True)
class Measured:
    """Seconds, of all calls. Where the agent had ended by itself there is no interruption."""

    answers: list[float] = field(default_factory=list)
    interruptions: list[float] = field(default_factory=list)
    unanswered: int = 0


@contextmanager
def assistant() -> Iterator[tuple[str, list[str]]]:
    """A gateway in a process of its own: its URL, and what it has counted once it has ended."""
    port, counted = free_port(), list[str]()
    with tempfile.TemporaryDirectory() as directory:
        config, log = Path(directory) / "glottis.toml", Path(directory) / "log"
        config.write_text(_CONFIG.format(port=port))
        command = [sys.executable, "-c", SERVE, "serve", "--config", str(config)]
        with (
            log.open("w") as errors,
            subprocess.Popen(command, stdout=errors, stderr=errors, text=True) as process,
        ):
            try:
                wait_for_port(port, process)
                _wait_until_ready(f"http://127.0.0.1:{port}/readyz")
                yield f"http://127.0.0.1:{port}", counted
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()
        counted += _COUNTED.findall(log.read_text())


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + LOADING
    while True:
        try:
            with urllib.request.urlopen(url):
                return
        except urllib.error.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


async def measure(url: str, requests: Sequence[bytes], interruptions: Sequence[bytes], calls: int) -> Measured:
    """``calls`` at a time, each of which says all ``requests``, and interrupts the answer to the last, and so on."""
    measured = Measured()
    async with trio.open_nursery() as nursery:
        for number in range(calls):
            nursery.start_soon(_call, url, requests, interruptions, measured, 0.7 * number)
    return measured


async def _call(
    url: str, requests: Sequence[bytes], interruptions: Sequence[bytes], measured: Measured, delay: float
) -> None:
    await trio.sleep(delay)
    request = CallRequest(url, (opus(),), campaign_id="assistant", sample_rate=RATE)
    async with open_client_call(request) as call, trio.open_nursery() as nursery:
        await call.connected.wait()
        ear = Ear()
        nursery.start_soon(ear.listen, call)
        await trio.sleep(1)
        for pcm in requests:
            last_word = await _say(call, pcm)
            answered = await ear.sound_after(last_word)
            if answered is None:
                measured.unanswered += 1
                continue
            measured.answers.append(answered - last_word)
            if pcm is not requests[-1]:
                await ear.quiet()
        for pcm in interruptions:
            await trio.sleep(1)
            began = trio.current_time()
            last_word = await _say(call, pcm)
            if (silent_after := ear.last_sound_before(last_word) - began) > 0:
                measured.interruptions.append(silent_after)
            await ear.sound_after(last_word)
        nursery.cancel_scope.cancel()


async def _say(call: ClientCall, pcm: bytes) -> float:
    """Returns the time of the last word's end, once that has come."""
    last_word = trio.current_time() + len(pcm) / 2 / RATE
    for frame in chunks(AudioFrame(pcm, RATE)):
        await call.say(frame)
    await trio.sleep_until(last_word)
    return last_word


class Ear:
    """When there was sound."""

    def __init__(self) -> None:
        self._sounds: list[float] = []
        self._heard = trio.Event()

    async def listen(self, call: ClientCall) -> None:
        """Until cancelled."""
        async for frame in call.audio:
            if level_dbfs(frame) > SOUND_DBFS:
                self._sounds.append(trio.current_time())
            self._heard.set()
            self._heard = trio.Event()

    async def sound_after(self, moment: float) -> float | None:
        """The first from then on; None for nothing in ``PATIENCE``."""
        with trio.move_on_after(PATIENCE):
            while not self._sounds or self._sounds[-1] < moment:
                await self._heard.wait()
            return next(at for at in self._sounds if at >= moment)
        return None

    async def quiet(self) -> None:
        """Until there was no sound for ``QUIET_SECONDS``: an agent that says nothing sends nothing."""
        while self._sounds and (over := self._sounds[-1] + QUIET_SECONDS) > trio.current_time():  # noqa: ASYNC110
            await trio.sleep_until(over)

    def last_sound_before(self, moment: float) -> float:
        """The last sound of an agent that was interrupted by then."""
        return max((at for at in self._sounds if at < moment), default=0.0)


def report(measured: Measured, calls: int) -> str:
    """In a line."""
    answers = sorted(measured.answers)
    if not answers:
        return f"{calls} calls at a time: no answer at all"
    p95 = answers[min(len(answers) - 1, round(0.95 * len(answers)))]
    silent = ", ".join(f"{1000 * each:.0f}" for each in measured.interruptions)
    return (
        f"{calls} at a time: {len(answers)} answers, p50 {1000 * statistics.median(answers):.0f} ms,"
        f" p95 {1000 * p95:.0f} ms; {measured.unanswered} unanswered; silent {silent} ms after the caller began"
    )
