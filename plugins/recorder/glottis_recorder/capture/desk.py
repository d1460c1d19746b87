"""Where captures lie: begun for calls, deleted when their time is over, and finished before the gateway ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from glottis import CallInfo, ConfigurationError, Tell
from glottis.wire.call_file import SUFFIX

from glottis_recorder.capture.capture import Capture
from glottis_recorder.capture.settings import CaptureConfig
from glottis_recorder.capture.writer import CaptureWriter
from glottis_recorder.desk import DAY, sweep_often
from glottis_recorder.disk import Disk
from glottis_recorder.unfinished import mend_all


class CaptureDesk:
    """Begins captures, on one disk."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.version = ""
        """Of glottis."""

    def open(self, call_info: CallInfo, tell: Tell, settings: CaptureConfig) -> Capture:
        """For a new call."""
        session_id = call_info.session_id
        writer = CaptureWriter(Path(settings.directory) / f"{session_id}{SUFFIX}", session_id)
        clock = trio.lowlevel.current_clock().current_time
        return Capture(call_info, tell, self.disk, writer, clock, settings, self.version)


@asynccontextmanager
async def keep_captures(desk: CaptureDesk, version: str, settings: CaptureConfig) -> AsyncIterator[None]:
    """As long as the gateway. Raises ``ConfigurationError`` if the directory cannot be made."""
    directory, desk.version = Path(settings.directory), version
    try:
        await trio.Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"extensions.settings.call-capture.directory: {error.strerror}") from None
    await trio.to_thread.run_sync(mend_all, directory)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sweep_often, directory, settings.keep_days * DAY, (SUFFIX,))
        yield
        nursery.cancel_scope.cancel()
    await trio.to_thread.run_sync(desk.disk.wait_idle, abandon_on_cancel=True)
