"""Starts aiortc in a process of its own and talks with it."""

import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from support.patience import PROCESS_PATIENCE

SCRIPT = Path(__file__).parents[1] / "interop" / "aiortc_peer.py"


class AiortcPeer:
    """See ``aiortc_peer.py`` for what it can be asked to do."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._buffer = bytearray()

    async def do(self, what: str, **arguments: Any) -> dict[str, Any]:
        """Ask and wait for the reply."""
        assert self._process.stdin
        await self._process.stdin.send_all(json.dumps({"do": what, **arguments}).encode() + b"\n")
        result: dict[str, Any] = json.loads(await self._line())
        return result

    async def heard(self) -> bytes:
        """Mono 16-bit samples at 16 kHz of all that was heard so far."""
        return base64.b64decode((await self.do("report"))["heard"])

    async def _line(self) -> bytes:
        assert self._process.stdout
        while b"\n" not in self._buffer:
            chunk = await self._process.stdout.receive_some()
            assert chunk, "aiortc's process ended"
            self._buffer += chunk
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        return line


@asynccontextmanager
async def open_aiortc(wav: Path, relay: Mapping[str, Any] | None = None) -> AsyncIterator[AiortcPeer]:
    """A peer that plays ``wav`` in a loop; ``relay`` is the RTCIceServer by which alone it is to call."""
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(wav), *([json.dumps(relay)] if relay else [])]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        with trio.fail_after(PROCESS_PATIENCE):
            yield AiortcPeer(process)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            if process.stdin and process.stdout:
                await process.stdin.aclose()
                await process.stdout.aclose()
