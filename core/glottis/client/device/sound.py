"""Sound by commands and pipes: whatever they do, nobody else waits for them."""

import fcntl
import logging
import random
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

import trio

from glottis.client.device.backoff import BackOff
from glottis.client.device.frame_queue import FrameQueue
from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_SECONDS, AudioFrame

PIPE_BYTES: Final = 4096
"""The least that Linux has (pipe(7)): what is in the pipe to the loudspeaker is delay, too."""
STEADY: Final = 10.0
"""Seconds that a command has to run for its end to count as a first one."""
LAST_WORD: Final = 1.0
"""Seconds from the end of its pipe to the end of a command by itself."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0

logger = logging.getLogger(__name__)


class Sound(Protocol):
    """A microphone and a loudspeaker."""

    async def take(self) -> AudioFrame: ...
    def forget(self) -> None: ...
    def write(self, frame: AudioFrame) -> None: ...
    def counters(self) -> dict[str, int]: ...
    async def run(self) -> None: ...


class CommandSound:
    """Runs both commands again whenever they end; ``run`` does until it is cancelled."""

    def __init__(self, capture: tuple[str, ...], playback: tuple[str, ...], sample_rate: int) -> None:
        self._capture = capture
        self._playback = playback
        self._sample_rate = sample_rate
        self._frame_bytes = round(sample_rate * FRAME_SECONDS) * BYTES_PER_SAMPLE
        self._heard = FrameQueue(sample_rate)
        self._to_play = FrameQueue(sample_rate)
        self._more_heard = trio.Event()
        self._more_to_play = trio.Event()
        self._ends = {"capture_ends": 0, "playback_ends": 0}

    def counters(self) -> dict[str, int]:
        """Frames that were dropped, or left out where they were silent, and how often a command has ended."""
        return {
            "capture_dropped": self._heard.dropped,
            "capture_skipped": self._heard.skipped,
            "playback_dropped": self._to_play.dropped,
            "playback_skipped": self._to_play.skipped,
            **self._ends,
        }

    async def take(self) -> AudioFrame:
        """The next frame of 20 ms that the microphone has heard."""
        while not self._heard:
            self._more_heard = trio.Event()
            await self._more_heard.wait()
        return AudioFrame(self._heard.take(), self._sample_rate)

    def forget(self) -> None:
        """What nobody has taken is of the past."""
        self._heard.clear()

    def write(self, frame: AudioFrame) -> None:
        """Play a frame after those before it."""
        self._to_play.put(bytes(frame.pcm))
        self._more_to_play.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep, "capture", self._capture, self._read)
            nursery.start_soon(self._keep, "playback", self._playback, self._feed)

    async def _keep(self, name: str, command: tuple[str, ...], use: Callable[[trio.Process], Awaitable[None]]) -> None:
        back_off = BackOff(FIRST_PAUSE, LONGEST_PAUSE, random.SystemRandom())
        while True:
            began = trio.current_time()
            why = await _run_command(command, use, is_source=name == "capture")
            self._ends[f"{name}_ends"] += 1
            if trio.current_time() - began >= STEADY:
                back_off.reset()
            pause = back_off.next_pause()
            logger.warning("sound.%s: %s %s; again in %.1f s", name, command[0], why, pause)
            await trio.sleep(pause)

    async def _read(self, process: trio.Process) -> None:
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.receive_some(PIPE_BYTES):
            rest += chunk
            dropped = self._heard.dropped
            while len(rest) >= self._frame_bytes:
                self._heard.put(rest[: self._frame_bytes])
                rest = rest[self._frame_bytes :]
            self._more_heard.set()
            if self._heard.dropped > dropped:  # whoever writes faster than sound is held to twice that
                await trio.sleep(len(chunk) / BYTES_PER_SAMPLE / self._sample_rate / 2)

    async def _feed(self, process: trio.Process) -> None:
        assert isinstance(process.stdin, trio.lowlevel.FdStream)
        with suppress(OSError):  # where it may not be changed, only the delay is longer
            fcntl.fcntl(process.stdin.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._to_play.clear()
        while True:
            while not self._to_play:
                self._more_to_play = trio.Event()
                await self._more_to_play.wait()
            await process.stdin.send_all(self._to_play.take())


async def _run_command(
    command: tuple[str, ...], use: Callable[[trio.Process], Awaitable[None]], *, is_source: bool
) -> str:
    """Use the command until it ends, and say how it did."""
    stdin, stdout = (subprocess.DEVNULL, subprocess.PIPE) if is_source else (subprocess.PIPE, subprocess.DEVNULL)
    start = partial(trio.run_process, list(command), stdin=stdin, stdout=stdout, check=False)
    why = ""
    try:
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(start)
            nursery.start_soon(_use, process, use, nursery.cancel_scope)
            await process.wait()
            if not is_source:  # what a source has written last is still in the pipe, whose end the reader sees
                nursery.cancel_scope.cancel()
        why = f"has ended with {process.returncode}"
    except* OSError as group:
        error = group.exceptions[0]
        why = f"cannot be started: {error.strerror if isinstance(error, OSError) else error}"
    return why


async def _use(process: trio.Process, use: Callable[[trio.Process], Awaitable[None]], scope: trio.CancelScope) -> None:
    """A command that has closed its pipe is of no use, even if it runs on."""
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await use(process)
    with trio.move_on_after(LAST_WORD):
        await process.wait()
    scope.cancel()
