"""The state of a device, on a Unix socket: a word in each line, and a JSON object in each that comes back."""

import errno
import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import trio

from glottis.contracts.errors import ConfigurationError, LocalError

MAX_CLIENTS: Final = 8
MAX_LINE: Final = 256
"""Bytes of a command."""
PATIENCE: Final = 5.0
"""Seconds for a client to read an answer."""

Answer = Callable[[str], dict[str, Any]]
"""Obeys a line and says how things stand then."""
Changed = Callable[[], trio.Event]
"""What is set at the next change."""


class StatusServer:
    """Whoever does not read, or asks beside too many others, is let go: the device waits for nobody."""

    def __init__(self, answer: Answer, changed: Changed) -> None:
        self._answer = answer
        self._changed = changed
        self._clients = 0

    async def serve(self, listener: trio.SocketListener) -> None:
        """Until cancelled."""
        await trio.serve_listeners(self._serve_client, [listener])

    async def _serve_client(self, stream: trio.SocketStream) -> None:
        self._clients += 1
        try:
            if self._clients <= MAX_CLIENTS:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._converse(stream)
        finally:
            self._clients -= 1
            await trio.aclose_forcefully(stream)

    async def _converse(self, stream: trio.SocketStream) -> None:
        waiting = b""
        while chunk := await stream.receive_some(MAX_LINE):
            *lines, waiting = (waiting + chunk).split(b"\n")
            for line in lines:
                if not await self._obey(stream, line.decode(errors="replace").strip()):
                    return
            if len(waiting) > MAX_LINE:
                return

    async def _obey(self, stream: trio.SocketStream, line: str) -> bool:
        """Whether the client has read the answer."""
        if line != "watch":
            return await _send(stream, self._answer(line))
        while True:
            changed = self._changed()
            if not await _send(stream, self._answer("status")):
                return False
            await changed.wait()


async def _send(stream: trio.SocketStream, document: dict[str, Any]) -> bool:
    with trio.move_on_after(PATIENCE):
        await stream.send_all(json.dumps(document).encode() + b"\n")
        return True
    return False


@contextmanager
def listening_at(path: Path) -> Iterator[trio.SocketListener]:
    """A socket for this user alone. Raises ``ConfigurationError`` if there cannot be one, or another device has it."""
    with socket.socket(socket.AF_UNIX) as sock:
        _bind(sock, path)
        sock.listen(MAX_CLIENTS)
        sock.setblocking(False)
        mine = path.stat().st_ino
        try:
            yield trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        finally:
            with suppress(OSError):
                if path.stat().st_ino == mine:
                    path.unlink()


def _bind(sock: socket.socket, path: Path) -> None:
    previous = os.umask(0o177)
    try:
        if _is_left_over(path):
            path.unlink()
        sock.bind(str(path))
    except OSError as error:
        why = "another device has it" if error.errno == errno.EADDRINUSE else error.strerror
        raise ConfigurationError(f"status.socket: {path}: {why}") from error
    finally:
        os.umask(previous)


def _is_left_over(path: Path) -> bool:
    """Whether there is a socket that a device has left when its power was cut."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(path)) == errno.ECONNREFUSED


def ask(path: Path, line: str) -> dict[str, Any]:
    """Say a line to a device that runs, and return its answer. Raises ``LocalError``."""
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(str(path))
            sock.sendall(f"{line}\n".encode())
            with sock.makefile() as answers:
                answer: dict[str, Any] = json.loads(answers.readline())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise LocalError(f"{path}: no device answers: {why}") from error
    return answer
