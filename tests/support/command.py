"""The command ``glottis`` in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from support.patience import PROCESS_PATIENCE

GLOTTIS = Path(sys.executable).with_name("glottis")


class Command:
    """A running command. ``errors`` is what it has written to standard error."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.output = ""
        self.errors = ""
        self._more = trio.Condition()

    async def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until standard error has this somewhere."""
        async with self._more:
            while not (found := re.search(pattern, self.errors)):
                assert self.process.returncode is None, f"ended without {pattern!r}: {self.errors}"
                await self._more.wait()
        return found

    async def wait(self) -> int:
        """Wait for the end; returns the exit code."""
        return await self.process.wait()

    async def read_errors(self) -> None:
        """Runs until the command closes standard error."""
        assert self.process.stderr
        async for chunk in self.process.stderr:
            async with self._more:
                self.errors += chunk.decode()
                self._more.notify_all()
        async with self._more:
            await self.process.wait()
            self._more.notify_all()

    async def read_output(self) -> None:
        """Runs until the command closes standard output."""
        assert self.process.stdout
        async for chunk in self.process.stdout:
            self.output += chunk.decode()


@asynccontextmanager
async def open_command(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    patience: float = PROCESS_PATIENCE,
    pass_fds: Sequence[int] = (),
) -> AsyncIterator[Command]:
    """Run ``glottis`` with these arguments; leaving the block waits for its end, within ``patience`` in all.

    ``prefix`` is a command that runs it, in another network namespace for example; ``pass_fds`` are descriptors for it.
    """
    async with open_program(*prefix, GLOTTIS, *arguments, env=env, patience=patience, pass_fds=pass_fds) as command:
        yield command


@asynccontextmanager
async def open_program(
    *command_line: str | Path,
    env: Mapping[str, str] | None = None,
    patience: float = PROCESS_PATIENCE,
    pass_fds: Sequence[int] = (),
) -> AsyncIterator[Command]:
    """The same of any other program."""
    start = partial(
        trio.run_process,
        command_line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
        check=False,
        pass_fds=pass_fds,
    )
    with trio.fail_after(patience):
        async with trio.open_nursery() as nursery:
            command = Command(await nursery.start(start))
            nursery.start_soon(command.read_errors)
            nursery.start_soon(command.read_output)
            yield command
