"""Runs conditions in as many processes as there are cores, keeps what each has given, and takes what was kept before.

A condition that raises, or that takes its process with it, costs itself alone.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from glottis.audio import write_wav
from glottis.contracts.audio import AudioFrame
from glottis.contracts.errors import ConfigurationError, LocalError
from glottis.lab.keys import FORK
from glottis.lab.plan import Condition
from glottis.lab.samples import RATE
from glottis.lab.threads import in_one_thread
from glottis.lab.timing import Costs
from glottis.lab.trial import Result, run

Progress = Callable[[int, int, int], None]
"""Told of how many are done, of how many, and how many of these have failed."""

CRASHED: Final = "its process has ended (a crash of native code?)"
_PR_SET_PDEATHSIG: Final = 1
"""Of prctl(2), which Linux has."""


class Kept:
    """What conditions have given, in files named by their hashes. Costs are in files of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> Result | None:
        """None where there is none, or what is there is of another version."""
        try:
            result = msgspec.json.decode(self._path(key, "json").read_bytes(), type=Result)
        except (OSError, msgspec.MsgspecError):
            return None
        return result if self.audio_of(key).exists() else None

    def keep(self, key: str, result: Result, heard: bytes) -> None:
        """The figures come last: where they are, all is there. Each file is whole, whoever else writes the same."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._whole(key, "wav") as part:
            write_wav(str(part), AudioFrame(heard, RATE))
        with self._whole(key, "costs.json") as part:
            part.write_bytes(msgspec.json.encode(result.costs))
        with self._whole(key, "json") as part:
            plain = msgspec.structs.replace(result, costs=None)
            part.write_bytes(msgspec.json.format(msgspec.json.encode(plain), indent=1))

    def costs_of(self, key: str) -> Costs | None:
        """As they were when it was run."""
        try:
            return msgspec.json.decode(self._path(key, "costs.json").read_bytes(), type=Costs)
        except (OSError, msgspec.MsgspecError):
            return None

    def audio_of(self, key: str) -> Path:
        """What was heard."""
        return self._path(key, "wav")

    @contextmanager
    def _whole(self, key: str, kind: str) -> Iterator[Path]:
        """A file to write to, which takes its place once it is whole."""
        part = self._path(key, f"{os.getpid()}.part")
        try:
            yield part
            part.replace(self._path(key, kind))
        finally:
            part.unlink(missing_ok=True)

    def _path(self, key: str, kind: str) -> Path:
        return self.folder / f"{key}.{kind}"


def run_all(
    keyed: Sequence[tuple[str, Condition]],
    kept: Kept,
    processes: int | None = None,
    progress: Progress = lambda *_: None,
) -> list[tuple[str, Result]]:
    """Each with its hash, in order. ``processes`` is that of the cores if None, and 0 for this one alone."""
    results = {key: found for key, _ in keyed if (found := kept.find(key)) is not None}
    open_ones = {key: condition for key, condition in keyed if key not in results}
    number = len(results) + len(open_ones)
    failed = 0
    progress(len(results), number, failed)
    for key, result in _run_open(open_ones, kept.folder, processes):
        results[key] = result
        failed += bool(result.error)
        progress(len(results), number, failed)
    return [
        (key, msgspec.structs.replace(results[key], labels=condition.labels, costs=kept.costs_of(key)))
        for key, condition in keyed
    ]


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


def _run_open(conditions: dict[str, Condition], folder: Path, processes: int | None) -> Iterator[tuple[str, Result]]:
    if processes == 0:
        with in_one_thread():
            for key, condition in conditions.items():
                yield key, _try(key, condition, folder)
        return
    left = dict(conditions)
    while left:
        number = min(len(left), processes or cores())
        for key, result in _in_pool(left, folder, number):
            if result is not None:
                left.pop(key, None)
                yield key, result
        if left:  # one has taken its process with it, and the pool: they are tried one by one to see which
            key, condition = next(iter(left.items()))
            [(key, result)] = _in_pool({key: condition}, folder, 1)
            del left[key]
            yield (
                key,
                result or Result(labels=condition.labels, error=CRASHED),
            )


def _in_pool(conditions: dict[str, Condition], folder: Path, processes: int) -> Iterator[tuple[str, Result | None]]:
    """None for those that were not done when the pool broke."""
    pool = ProcessPoolExecutor(processes, FORK, _begin, (os.getpid(),))
    futures: dict[Future[Result], str] = {}
    try:
        with suppress(BrokenProcessPool), _uninterrupted():
            for key, condition in conditions.items():
                futures[pool.submit(_try, key, condition, folder)] = key
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool:
                yield futures[future], None
    finally:
        pool.shutdown(cancel_futures=True)  # what was to follow is not waited for


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes begin here, and are no end of ours yet: an interrupt waits until they are."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _begin(parent: int) -> None:
    """In a process of the pool. An interrupt ends it without a word; on Linux so does its parent's end, of any kind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    in_one_thread()


def _try(key: str, condition: Condition, folder: Path) -> Result:
    """In a process of the pool. Raises ``ConfigurationError`` where it cannot be kept: others could not either."""
    try:
        result, heard = run(condition)
    except Exception as error:
        text = str(error) if isinstance(error, LocalError) else f"{type(error).__name__}: {error}"
        return Result(labels=condition.labels, error=text)
    with writing(folder):
        Kept(folder).keep(key, result, heard.tobytes())
    return result


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raises ``ConfigurationError`` for what goes wrong with files of results, as on a full disk."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"{folder}: cannot be written: {error.strerror}; what was kept there is not run again"
        ) from None
