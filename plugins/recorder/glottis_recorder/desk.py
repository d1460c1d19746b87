"""Where recordings lie: begun for calls, kept as long as they may be, and finished before the gateway ends."""

import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import trio
from glottis import CallInfo, ConfigurationError, Tell
from glottis.contracts.clock import EARLIEST, wall_clock
from glottis_opus import OPUS

from glottis_recorder.disk import Disk
from glottis_recorder.ogg_opus import OggFile
from glottis_recorder.recording import AudioFile, Recording
from glottis_recorder.settings import RecorderConfig
from glottis_recorder.unfinished import mend_all
from glottis_recorder.wav import WavFile

logger = logging.getLogger(__name__)

DAY: Final = 86_400.0
SWEEP_INTERVAL: Final = 3600.0
"""Seconds between looks at what is too old."""
SUFFIXES: Final = (".wav", ".ogg")


class RecordingDesk:
    """Begins recordings, on one disk."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.directories: list[Path] = []
        """Where the gateways that run keep their recordings."""

    def open(self, call_info: CallInfo, tell: Tell, settings: RecorderConfig) -> Recording:
        """For a new call."""
        return Recording(
            call_info,
            tell,
            self.disk,
            partial(_open_file, call_info, settings),
            trio.lowlevel.current_clock().current_time,
            settings.consent_key if settings.consent == "required" else None,
            _file_name(call_info, settings),
        )


def _file_name(call_info: CallInfo, settings: RecorderConfig) -> str:
    return f"{call_info.session_id}.{settings.format}"


def _open_file(call_info: CallInfo, settings: RecorderConfig) -> AudioFile:
    path = Path(settings.directory) / _file_name(call_info, settings)
    if settings.format == "wav":
        return WavFile(path, settings.sample_rate)
    return OggFile(path, OPUS, [f"SESSION={call_info.session_id}", f"CAMPAIGN={call_info.campaign_id}"])


@asynccontextmanager
async def keep_recordings(desk: RecordingDesk, settings: RecorderConfig) -> AsyncIterator[None]:
    """As long as the gateway. Raises ``ConfigurationError`` if the directory cannot be made."""
    directory = Path(settings.directory)
    try:
        await trio.Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"extensions.settings.recorder.directory: {error.strerror}") from None
    await trio.to_thread.run_sync(mend_all, directory)
    desk.directories.append(directory)
    try:
        async with trio.open_nursery() as nursery:
            if settings.keep_days is not None:
                nursery.start_soon(sweep_often, directory, settings.keep_days * DAY)
            yield
            nursery.cancel_scope.cancel()
    finally:
        desk.directories.remove(directory)
    await trio.to_thread.run_sync(desk.disk.wait_idle, abandon_on_cancel=True)


async def sweep_often(directory: Path, seconds: float, suffixes: Sequence[str] = SUFFIXES) -> None:
    """Until cancelled, delete what is older than these seconds."""
    while True:
        if wall_clock.is_set():
            await trio.to_thread.run_sync(sweep, directory, wall_clock.now() - seconds, suffixes)
        await trio.sleep(SWEEP_INTERVAL)


def sweep(directory: Path, oldest: float, suffixes: Sequence[str] = SUFFIXES) -> None:
    """Delete recordings that were last written before this time, in seconds since 1970.

    The time of those that were written before the clock was set begins now.
    """
    for path in directory.iterdir():
        try:
            if path.suffix not in suffixes:
                continue
            written_at = path.stat().st_mtime
            if written_at < EARLIEST:
                os.utime(path)
            elif written_at < oldest:
                path.unlink()
                logger.info("deleted the recording of session %s: its time is over", path.stem)
        except OSError as error:
            logger.error("the recording of session %s cannot be deleted: %s", path.stem, error.strerror)
