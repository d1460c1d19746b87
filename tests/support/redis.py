"""A real Redis on loopback, which can be stopped and started again."""

import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import BinaryIO

import trio

from support.coturn import answers
from support.patience import PATIENCE
from support.ports import free_port


@dataclass(slots=True)
class RedisServer:
    """Made by ``open_redis``. It keeps nothing on disk, unless ``is_kept``."""

    folder: Path
    port: int
    password: str = ""
    is_kept: bool = False
    process: Popen[bytes] = field(init=False)

    @property
    def url(self) -> str:
        """As settings have it."""
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Also after ``kill``: then it knows what it has kept, or nothing."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        options += ["--appendonly", "yes" if self.is_kept else "no", "--appendfsync", "no"]
        options += ["--requirepass", self.password] if self.password else []
        with (self.folder / "redis.log").open("ab") as log:
            self.process = Popen(["redis-server", *options], stdout=log, stderr=log)

    async def ready(self) -> None:
        """Wait until it answers, with all that it has kept."""
        with trio.fail_after(PATIENCE):
            while not (await answers(self.port) and self._has_loaded()):
                assert self.process.poll() is None, (self.folder / "redis.log").read_text()
                await trio.sleep(0.01)

    def _has_loaded(self) -> bool:
        try:
            return self.ask("ping") == "PONG"
        except AssertionError:
            return False

    def kill(self) -> None:
        """At once, as a machine that loses its power."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """It answers nobody, and closes nothing."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """After ``pause``."""
        os.kill(self.process.pid, signal.SIGCONT)

    def ask(self, *command: str) -> str:
        """What it answers, a line for each part. Raises ``AssertionError`` for an error."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            reader = connection.makefile("rb")
            if self.password:
                connection.sendall(_encoded("auth", self.password))
                assert reader.readline() == b"+OK\r\n"
            connection.sendall(_encoded(*command))
            return "\n".join(_parts(reader))


def _encoded(*words: str) -> bytes:
    bulks = [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
    return b"*%d\r\n%s" % (len(words), b"".join(bulks))


def _parts(reader: BinaryIO) -> Iterator[str]:
    """Of an answer, as RESP has them."""
    kind, text = (line := reader.readline().decode().rstrip())[:1], line[1:]
    assert kind != "-", text
    if kind == "*":
        for _ in range(int(text)):
            yield from _parts(reader)
    elif kind == "$":
        yield reader.read(int(text) + 2)[:-2].decode() if int(text) >= 0 else ""
    else:
        yield text


@asynccontextmanager
async def open_redis(folder: Path, password: str = "", *, is_kept: bool = False) -> AsyncIterator[RedisServer]:
    """On a port of its own until the block is left."""
    server = RedisServer(folder, free_port(), password, is_kept)
    server.start()
    try:
        await server.ready()
        yield server
    finally:
        server.kill()
