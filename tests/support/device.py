"""A device without hardware, on trio's clock."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from glottis import AudioFrame
from glottis.client.calling import CallRequest, open_client_call
from glottis.client.device.device import Device, OpenCall
from glottis.client.device.panel import Panel
from glottis.client.device.running import request_of
from glottis.client.device.settings import DeviceConfig
from glottis.config import load_file

from support.installed import installed_plugins
from support.patience import PATIENCE

RATE = 16000
FAULTS = [ValueError("no"), SystemExit(3), BaseExceptionGroup("all", [SystemExit(3)]), None, 7, "text", b"", bytes(2)]
LOUD = b"\x00\x30\x00\xd0" * 160


class Silent:
    """A microphone of silence on trio's clock, and a loudspeaker that keeps what it gets."""

    def __init__(self) -> None:
        self.pcm = bytes(640)
        self.played: list[bytes] = []

    async def take(self) -> AudioFrame:
        await trio.sleep(0.02)
        return AudioFrame(self.pcm, RATE)

    def forget(self) -> None: ...

    def write(self, frame: AudioFrame) -> None:
        self.played.append(bytes(frame.pcm))

    def counters(self) -> dict[str, int]:
        return {}

    async def run(self) -> None:
        await trio.sleep_forever()


def config_of(folder: Path, url: str, more: str = "") -> DeviceConfig:
    path = folder / "device.toml"
    path.write_text(f'[gateway]\nurl = "{url}"\n[status]\nsocket = "{folder / "s"}"\n{more}')
    return load_file(path, DeviceConfig)


@asynccontextmanager
async def running(
    config: DeviceConfig, sound: Any = None, panel: Panel | None = None, open_call: OpenCall = open_client_call
) -> AsyncIterator[Device]:
    request: CallRequest = request_of(config, installed_plugins())
    device = Device(config, request, sound or Silent(), random.Random(1), panel, open_call)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(device.run)
        yield device
        nursery.cancel_scope.cancel()


async def eventually(device: Device, holds: Callable[[], object]) -> None:
    with trio.fail_after(PATIENCE):
        while not holds():
            await device.state.changed.wait()
