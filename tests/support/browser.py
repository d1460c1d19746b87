"""What the browsers have in common: a process that says where it can be driven, and pages that run scripts."""

import json
import os
import re
import signal
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import IO, Any
from urllib.parse import urlsplit

import trio
from trio_websocket import WebSocketConnection, wrap_client_stream

from support.patience import PATIENCE

MAX_ANSWER = 1 << 28
"""Bytes of one message: recordings and screenshots."""


class PageError(Exception):
    """A script in the page threw; the message is its stack."""


class Page(ABC):
    """One tab, with storage and permissions of its own."""

    @abstractmethod
    async def goto(self, url: str) -> None:
        """Navigate and wait for the load event."""

    @abstractmethod
    async def evaluate(self, expression: str) -> Any:
        """The JSON value of a JavaScript expression; a promise is awaited. Counts as a user's gesture."""

    @abstractmethod
    async def run_script(self, source: str) -> None:
        """Run a classic script: what it declares is global."""

    @abstractmethod
    async def screenshot(self) -> bytes:
        """A PNG of the page."""

    @abstractmethod
    async def close(self) -> None:
        """Close the tab, as a person would."""

    async def wait_for(self, expression: str, seconds: float = PATIENCE) -> Any:
        """Wait in the page until an expression is truthy, and return it."""
        return await self.evaluate(
            f"""new Promise((resolve, reject) => {{
                const giveUp = performance.now() + {seconds * 1000};
                const look = () => {{
                    const value = ({expression});
                    if (value) resolve(value);
                    else if (performance.now() > giveUp) reject(new Error("in vain: " + {json.dumps(expression)}));
                    else setTimeout(look, 20);
                }};
                look();
            }})"""
        )


@contextmanager
def run_browser(
    command: Sequence[str], announcement: re.Pattern[str], environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run a browser; yields the WebSocket URL that it announces on its standard error."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **(environment or {})},
        process_group=0,
    )
    assert process.stderr
    try:
        url = _announced(process.stderr, announcement)
        reader = threading.Thread(target=_discard, args=[process.stderr])  # a full pipe would stop the browser
        reader.start()
        try:
            yield url
        finally:
            _kill(process)
            reader.join()
    finally:
        _kill(process)
        process.wait()
        process.stderr.close()


@asynccontextmanager
async def open_remote_control(url: str) -> AsyncIterator[WebSocketConnection]:
    """A connection to a browser, dropped at the end of the block without waiting for the browser's consent."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    async with await trio.open_tcp_stream(parts.hostname, parts.port) as stream, trio.open_nursery() as nursery:
        yield await wrap_client_stream(nursery, stream, parts.netloc, parts.path, max_message_size=MAX_ANSWER)
        nursery.cancel_scope.cancel()


def _kill(process: subprocess.Popen[str]) -> None:
    """With the processes that it has started, which may outlive it and hold its standard error."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _announced(log: IO[str], announcement: re.Pattern[str]) -> str:
    said = []
    for line in log:
        if match := announcement.search(line):
            return match[1]
        said.append(line)
    raise AssertionError(f"the browser ended: {''.join(said)}")


def _discard(log: IO[str]) -> None:
    for _ in log:
        pass
