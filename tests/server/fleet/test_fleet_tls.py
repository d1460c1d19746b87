"""HTTPS by several workers, a certificate that is renewed, and a reload: calls go on, and new ones have the new one."""

import signal
import ssl
from pathlib import Path

import pytest
import trio
from glottis import AudioFrame
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_client_call
from support.command import Command, open_command
from support.fleet import configured
from support.lean import lean
from support.phone import RATE, TONE, eventually, installed_codec
from support.tls import make_certificate

pytestmark = pytest.mark.realtime


async def served(port: int) -> str:
    """The certificate that a new connection gets."""
    pem: str = await trio.to_thread.run_sync(ssl.get_server_certificate, ("127.0.0.1", port))
    return pem.strip()


class Caller:
    """Counts what it hears."""

    def __init__(self) -> None:
        self.frames = 0
        self.call: ClientCall | None = None

    async def run(self, url: str, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        codecs = (installed_codec("opus"),)
        async with open_client_call(CallRequest(url, codecs, sample_rate=RATE)) as self.call:
            await self.call.connected.wait()
            self.call.nursery.start_soon(self.talk)
            async for _ in self.call.audio:
                self.frames += 1
                if self.frames == 5:
                    task_status.started()

    async def talk(self) -> None:
        assert self.call is not None
        while True:
            await self.call.say(AudioFrame(TONE, RATE))

    async def hear(self, frames: int) -> None:
        wanted = self.frames + frames
        await eventually(lambda: self.frames >= wanted)


async def test_calls_outlive_a_reload_with_a_renewed_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new").mkdir()
    old, new = make_certificate(tmp_path), make_certificate(tmp_path / "new")
    old_pem, new_pem = old[0].read_text(), new[0].read_text()
    (tmp_path / "trusted").write_text(old_pem + new_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted"))
    lines = f'certificate = "{old[0]}"\nprivate_key = "{old[1]}"\nshutdown_grace = 20'
    config = tmp_path / "fleet.toml"
    config.write_text(configured(lines))
    async with open_command("serve", "--config", config, env=lean(configured(lines))) as command:
        serving = await command.wait_for(r"glottis serves (https://127.0.0.1:(\d+)) with")
        await call_through_a_reload(command, serving[1], int(serving[2]), old, new, old_pem.strip(), new_pem.strip())
        command.process.send_signal(signal.SIGINT)


async def call_through_a_reload(
    command: Command, url: str, port: int, old: tuple[Path, Path], new: tuple[Path, Path], old_pem: str, new_pem: str
) -> None:
    callers = [Caller() for _ in range(4)]
    async with trio.open_nursery() as nursery:
        for caller in callers:
            await nursery.start(caller.run, url)
        assert await served(port) == old_pem
        for before, after in zip(old, new, strict=True):
            after.replace(before)
        command.process.send_signal(signal.SIGHUP)
        await command.wait_for("2 new workers serve")
        assert await served(port) == new_pem
        late = Caller()
        await nursery.start(late.run, url)
        for caller in (*callers, late):
            await caller.hear(25)
            assert caller.call is not None
            assert caller.call.end_reason == ""
        nursery.cancel_scope.cancel()
