"""A gateway that starts in 1970 and is told the time in the middle of a call: with redis-server and a C compiler.

It records, captures, spools webhooks and is a node of a cluster, as that of ``benchmarks.power_cut``. The call has to
go on without a gap, and a second one to be answered: ``PYTHONPATH=tests python -m benchmarks.late_clock``.

A library before libc gives the process its time of day, and leaves the monotonic clock alone. (Debian's faketime, with
a time that changes, also changes how long threads wait for each other.)
"""

import os
import random
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import trio
from glottis.client.calling import CallRequest, open_client_call
from glottis.contracts.audio import FRAME_SECONDS
from support.installed import installed_plugins
from support.phone import LOUD, RATE

from benchmarks.power_cut.cuts import talk
from benchmarks.power_cut.files import LOG, Files
from benchmarks.power_cut.machine import Machine, open_endpoint

LIBRARY: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile long *offset;

__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("CLOCK_OFFSET"), O_RDONLY);
    offset = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
}

int clock_gettime(clockid_t clock, struct timespec *moment) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, moment);
    if (clock == CLOCK_REALTIME) moment->tv_sec += *offset;
    return result;
}

time_t time(time_t *moment) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (moment) *moment = now.tv_sec;
    return now.tv_sec;
}
"""
"""The seconds in the file that ``CLOCK_OFFSET`` names are added to the time of day."""
SECONDS: Final = 4.0
"""Of the call, before the clock is set and after it."""


async def main() -> None:
    """Print what was heard and what is left."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clock = _prepared(folder)
        async with trio.open_nursery() as nursery:
            endpoint, port = await open_endpoint(nursery, random.Random(1))
            machine = Machine(folder, port)
            machine.start("wav", 1)
            try:
                await machine.ready()
                await _call(machine, clock)
                await trio.sleep(2)
            finally:
                machine.cut()
            nursery.cancel_scope.cancel()
        lines = (folder / LOG).read_text().splitlines()
        print(f"first and last line of the log: {lines[0][:40]} … {lines[-1][:40]}")
        print(f"webhooks taken: {endpoint.taken}, complaints: {endpoint.complaints}")
        files = Files(folder)
        files.look()
        print(dict(files.counts), files.complaints)


def _prepared(folder: Path) -> Path:
    """The file with the offset, for processes that begin from now on: it is half a minute past midnight, in 1970."""
    clock, source, library = folder / "offset", folder / "clock.c", folder / "clock.so"
    _set(clock, 30 - int(time.time()))
    source.write_text(LIBRARY)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    os.environ |= {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(clock), "TZ": "UTC"}
    return clock


def _set(clock: Path, offset: int) -> None:
    """At once for who has it in memory."""
    with clock.open("r+b" if clock.exists() else "wb") as file:
        file.write(struct.pack("@l", offset))


async def _call(machine: Machine, clock: Path) -> None:
    codecs = tuple(installed_plugins().codecs.find(name).spec for name in ("opus", "PCMU"))
    for words in ("call in which the clock is set", "call after it"):
        async with open_client_call(CallRequest(machine.url, codecs, sample_rate=RATE)) as call:
            await call.connected.wait()
            call.nursery.start_soon(talk, call)
            loud = frames = 0
            began, was_set = trio.current_time(), "after" in words
            async for frame in call.audio:
                frames += 1
                loud += max(memoryview(frame.pcm).cast("B").cast("h"), default=0) > LOUD
                if not was_set and trio.current_time() - began > SECONDS:
                    was_set = True
                    _set(clock, 0)
                if trio.current_time() - began > 2 * SECONDS:
                    break
        print(f"{words}: {loud} of {frames} frames heard, of {2 * SECONDS / FRAME_SECONDS:.0f}")


if __name__ == "__main__":
    trio.run(main)
