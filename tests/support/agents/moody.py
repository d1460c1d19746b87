"""An agent for a process of its own: it gives back what it hears, and does what the caller writes, however bad."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import trio
from glottis import Call
from glottis.isolation import framing, messages

memory: list[bytearray] = []


async def moody(call: Call) -> None:
    """What the file's name and ``moody`` refer to."""
    call.nursery.start_soon(obey, call)
    async for frame in call.audio:
        await call.say(frame)


async def obey(call: Call) -> None:
    """An order is a text."""
    async for message in call.messages:
        text = getattr(message, "text", "")
        if text == "who are you":
            await call.send_text(str(os.getpid()))
        elif text == "transfer":
            call.transfer("clerk")
        elif text.startswith("spin while "):
            spin(Path(text.removeprefix("spin while ")))
        elif text == "stay":
            await call.send_text("for ever")
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()
        else:
            MOODS[text]()


async def clerk(call: Call) -> None:
    """A colleague of hers, who says where it is."""
    await call.send_text(f"clerk in {os.getpid()}")
    await trio.sleep_forever()


def spin(file: Path) -> None:
    """As a native library that holds the interpreter's lock, while the file is there."""
    while file.exists():
        pass


def grow() -> None:
    """By what is really used."""
    for _ in range(40):
        memory.append(bytearray(os.urandom(1) * (10 << 20)))


def babble() -> None:
    """Write to each descriptor that may be the pipe."""
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"\xff" * 64)
        except OSError:
            continue


def repeat(message: messages.FromWorker, pause: float) -> None:
    """Beside the loop that has the pipe, whose number is the first argument of the process."""
    pipe, data = int(sys.argv[1]), framing.frame(messages.encode(message))

    def write() -> None:
        while True:
            with suppress(BlockingIOError):
                os.write(pipe, data)
            time.sleep(pause)

    threading.Thread(target=write, daemon=True).start()


def hang() -> None:
    """Without a use of the processor."""
    time.sleep(600)


def go_deaf() -> None:
    """Read nothing, but seem alive."""
    repeat(messages.Alive(), 0.1)
    hang()


def complain() -> None:
    """On standard error."""
    sys.stderr.write("something is wrong\n")
    sys.stderr.flush()


MOODS: Final[dict[str, Callable[[], Any]]] = {
    "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda: os.execv("/bin/sh", ["sh", "-c", "exit 3"]),
    "leave": sys.exit,
    "hang": hang,
    "grow": grow,
    "babble": babble,
    "deaf": go_deaf,
    "flood": lambda: repeat(messages.Flush(1, 1), 0),
    "complain": complain,
}
