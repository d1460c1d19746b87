"""A device in touch with a gateway: files and commands are its microphone and loudspeaker."""

import json
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
from glottis import AudioFrame, ComponentSpec, EchoCancelling, PluginError, hookimpl
from glottis.audio import level_dbfs
from glottis.cli.command_line import main
from glottis.client.connection import CallFailed
from glottis.client.device.backoff import BackOff
from glottis.client.device.echo import EchoFreeSound
from glottis.client.device.frame_queue import MAX_FRAMES
from glottis.client.device.running import open_sound
from glottis.client.device.settings import DeviceConfig
from glottis.client.device.sound import CommandSound
from glottis.client.device.state import State
from glottis.client.device.status import ask
from glottis.client.grant import create_session
from glottis.config import load_file
from glottis.contracts.errors import ConfigurationError
from glottis.plugins import load_beside
from glottis_spandsp.echo import SpeexEchoCancelling
from support.audio import SPEECH, from_pcm, read_wav
from support.device import FAULTS, LOUD, RATE, Silent, config_of, eventually, running
from support.gateway import CONFIG, open_test_gateway
from support.installed import installed_plugins
from support.patience import PATIENCE, PROCESS_PATIENCE
from trio.testing import MockClock


@pytest.mark.slow
async def test_device_calls_when_it_is_told_hears_the_echo_and_hangs_up(tmp_path: Path) -> None:
    sound = Silent()
    sound.pcm = LOUD
    async with (
        open_test_gateway(tmp_path) as gateway,
        running(config_of(tmp_path, gateway.url), sound) as device,
    ):
        assert device.answer("status")["state"] == "idle"
        device.answer("talk")
        await eventually(device, lambda: device.state.state is State.SPEAKING)
        assert any(any(pcm) for pcm in sound.played)
        device.answer("hang-up")
        await eventually(device, lambda: device.state.state is State.IDLE)
        assert (device.state.calls, device.state.failures) == (1, 0)


@pytest.mark.slow
async def test_a_loud_sound_begins_a_call_and_silence_ends_it(tmp_path: Path) -> None:
    sound = Silent()
    wish = '[talk]\nbegin = "level"\nend_after_silence = 0.2'
    async with (
        open_test_gateway(tmp_path) as gateway,
        running(config_of(tmp_path, gateway.url, wish), sound) as device,
    ):
        sound.pcm = LOUD
        await eventually(device, lambda: device.state.calls)
        sound.pcm = bytes(640)
        await eventually(device, lambda: device.state.state is State.IDLE)
        assert (device.state.calls, device.state.failures) == (1, 0)


@pytest.mark.slow
async def test_device_finds_a_gateway_that_was_away_and_one_that_goes_in_a_call(tmp_path: Path) -> None:
    wish = '[talk]\nbegin = "always"\n[retry]\nfirst = 0.1\nlongest = 0.1'
    async with open_test_gateway(tmp_path) as gateway:
        port = gateway.url.rpartition(":")[2]
    again = f"[server]\nport = {port}\n[auth]\nscheme = 'anonymous'\n[campaigns.echo]\nagent = 'echo'"
    async with running(config_of(tmp_path, gateway.url, wish)) as device:
        await eventually(device, lambda: device.state.failures)
        assert "nothing listens there" in device.answer("status")["lastError"]
        for number in (1, 2):
            async with open_test_gateway(tmp_path, again):
                await eventually(device, lambda: device.state.state is State.LISTENING)
                assert device.state.calls == number
            await eventually(device, lambda: device.state.state is State.TROUBLE)


@pytest.mark.slow
async def test_device_waits_in_the_gateways_queue_until_there_is_room(tmp_path: Path) -> None:
    wish = '[talk]\nbegin = "always"'
    one = CONFIG.replace("[server]", "[server]\nmax_sessions = 1\nqueue = 5")
    (tmp_path / "other").mkdir()
    async with (
        open_test_gateway(tmp_path, one) as gateway,
        running(config_of(tmp_path, gateway.url, wish)) as first,
    ):
        await eventually(first, lambda: first.state.state is State.LISTENING)
        async with running(config_of(tmp_path / "other", gateway.url, wish)) as second:
            await eventually(second, lambda: second.state.state is State.WAITING)
            first.answer("hang-up")
            await eventually(second, lambda: second.state.state is State.LISTENING)
            assert (second.state.calls, second.state.failures) == (1, 0)


@pytest.mark.slow
async def test_a_gateway_that_restarts_in_good_order_is_called_again_without_a_new_wish(tmp_path: Path) -> None:
    async with open_test_gateway(tmp_path) as gateway:
        port = gateway.url.rpartition(":")[2]
    again = CONFIG.replace("port = 0", f"port = {port}")
    async with running(config_of(tmp_path, gateway.url, "[retry]\nfirst = 0.1\nlongest = 0.1")) as device:
        async with open_test_gateway(tmp_path, again):
            device.answer("talk")
            await eventually(device, lambda: device.state.state is State.LISTENING)
        await eventually(device, lambda: device.state.state is State.TROUBLE)
        async with open_test_gateway(tmp_path, again):
            await eventually(device, lambda: device.state.state is State.LISTENING)
            assert device.state.calls == 2


async def refused(stream: trio.SocketStream) -> None:
    await stream.receive_some(4096)
    body = b'{"detail": "Full.", "code": "FULL"}'
    await stream.send_all(b"HTTP/1.1 503 Full\r\nRetry-After: 20\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def nonsense(stream: trio.SocketStream) -> None:
    await stream.send_all(random.Random(1).randbytes(100_000))


async def odd_json(stream: trio.SocketStream) -> None:
    await stream.receive_some(4096)
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")


async def silence(stream: trio.SocketStream) -> None:
    await stream.aclose()


@pytest.mark.parametrize("answer", [refused, nonsense, odd_json, silence])
async def test_device_bears_whatever_answers(
    answer: Callable[[trio.SocketStream], Awaitable[None]], tmp_path: Path
) -> None:
    asked = 0

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal asked
        asked += 1
        with suppress(trio.BrokenResourceError):
            await answer(stream)
        await stream.aclose()

    wish = '[talk]\nbegin = "always"\n[retry]\nfirst = 0.1\nlongest = 0.1'
    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        async with running(config_of(tmp_path, url, wish)) as device:
            await eventually(device, lambda: device.state.failures)
            assert (device.state.state, asked) == (State.TROUBLE, 1)
            assert device.state.last_error
        nursery.cancel_scope.cancel()


def test_pauses_grow_by_chance_up_to_the_longest_and_begin_anew() -> None:
    back_off = BackOff(1, 8, random.Random(1))
    pauses = [back_off.next_pause() for _ in range(6)]
    for pause, ceiling in zip(pauses, [1, 2, 4, 8, 8, 8], strict=True):
        assert ceiling / 2 <= pause <= ceiling
    back_off.reset()
    assert back_off.next_pause() <= 1


@pytest.mark.parametrize(("value", "seconds"), [(b"20", 20.0), (b"-1", None), (b"soon", None), (b"9" * 40, None)])
async def test_when_a_gateway_wants_to_be_asked_again_is_known(value: bytes, seconds: float | None) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some(4096)
        await stream.send_all(b"HTTP/1.1 503 Full\r\nRetry-After: %s\r\nContent-Length: 19\r\n\r\n" % value)
        await stream.send_all(b'{"detail": "Full."}')

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        with pytest.raises(CallFailed, match="Full") as refusal:
            await create_session(f"http://127.0.0.1:{listener.socket.getsockname()[1]}", {})
        nursery.cancel_scope.cancel()
    assert refusal.value.retry_after == seconds


def test_the_gateway_is_not_asked_before_it_wants_to_be() -> None:
    failure = CallFailed("Full.")
    failure.retry_after = 20.0
    assert 20.5 <= BackOff(1, 8, random.Random(1)).next_pause(failure) <= 21


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("", "gateway"),
        ('[gateway]\nurl = "nowhere"', "gateway.url: expected"),
        ('[gateway]\nurl = "http://h"\n[sound]\nby = "commands"', "sound.capture: expected a command"),
        ('[gateway]\nurl = "http://h"\n[sound]\ncapture = ["cat"]', "sound.capture: expected by"),
        ('[gateway]\nurl = "http://h"\n[retry]\nfirst = 9\nlongest = 1', "retry.longest: expected at least first"),
        ('[gateway]\nurl = "http://h"\n[sound]\nspeed = 9', "sound.speed"),
    ],
)
def test_what_can_never_work_is_told_at_the_start(document: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "device.toml"
    path.write_text(document)
    with pytest.raises(ConfigurationError, match=complaint):
        load_file(path, DeviceConfig)


@pytest.mark.slow
async def test_commands_are_microphone_and_loudspeaker(tmp_path: Path) -> None:
    """One that ends is begun again, and one that cannot be started is only counted."""
    heard, played = tmp_path / "heard", tmp_path / "played"
    heard.write_bytes(LOUD * 3)
    sound = CommandSound(("cat", str(heard)), ("tee", str(played)), RATE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sound.run)
        with trio.fail_after(PATIENCE):
            assert [(await sound.take()).pcm for _ in range(4)] == [LOUD] * 4  # the fourth is of the second run
            while not (played.exists() and played.stat().st_size):
                sound.write(AudioFrame(LOUD, RATE))
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert played.read_bytes().startswith(LOUD)
    assert sound.counters()["capture_ends"] >= 1


async def test_a_command_that_is_not_there_is_tried_again(autojump_clock: MockClock) -> None:
    sound = CommandSound(("/no/such/command",), ("/no/such/command",), RATE)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sound.run)
        while min(sound.counters()[f"{name}_ends"] for name in ("capture", "playback")) < 4:  # noqa: ASYNC110
            await trio.sleep(0.1)  # of virtual time
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began >= 0.25 + 0.5 + 1  # the pauses grow


async def test_what_a_command_has_written_last_is_heard_though_it_has_ended(tmp_path: Path) -> None:
    """It ends while nobody has read yet; all it wrote is in the pipe."""
    (tmp_path / "heard").write_bytes(LOUD * 3)
    sound = CommandSound(("cat", str(tmp_path / "heard")), ("sleep", "1000"), RATE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sound.run)
        with trio.fail_after(PATIENCE):
            for _ in range(3):
                assert (await sound.take()).pcm == LOUD
        assert sound.counters()["capture_ends"] == 0  # all three are of the first run
        nursery.cancel_scope.cancel()


async def test_a_command_that_writes_faster_than_sound_does_not_take_the_processor() -> None:
    sound = CommandSound(("cat", "/dev/zero"), ("sleep", "1000"), RATE)
    with trio.move_on_after(0.1):
        await sound.run()
    assert sound.counters()["capture_dropped"] < 100


async def test_a_loudspeaker_that_takes_nothing_holds_nobody_up() -> None:
    sound = CommandSound(("sleep", "1000"), ("sleep", "1000"), RATE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sound.run)
        for _ in range(10 * MAX_FRAMES):
            sound.write(AudioFrame(LOUD, RATE))
            await trio.lowlevel.checkpoint()
        assert sound.counters()["playback_dropped"] > MAX_FRAMES
        nursery.cancel_scope.cancel()


async def test_status_is_told_and_commands_are_obeyed_on_the_socket(tmp_path: Path) -> None:
    config = config_of(tmp_path, "http://127.0.0.1:1")
    path = config.status.path
    assert path is not None
    async with running(config) as device:
        while not path.exists():
            await trio.lowlevel.checkpoint()
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(BaseExceptionGroup) as second:
            async with running(config):
                await trio.sleep_forever()
        assert second.group_contains(ConfigurationError, match="another device has it")
        answer = await trio.to_thread.run_sync(ask, path, "volume 50")
        assert (answer["state"], answer["volume"]) == ("idle", 50)
        assert "expected status" in (await trio.to_thread.run_sync(ask, path, "dance"))["error"]
        assert (await trio.to_thread.run_sync(ask, path, "mute"))["muted"]
        assert device.state.captured(AudioFrame(LOUD, RATE)).pcm == bytes(640)
        assert max(memoryview(device.state.played(AudioFrame(LOUD, RATE)).pcm).cast("h")) == 0x1800
    assert not path.exists()


async def test_clients_of_the_status_who_never_read_hold_nobody_up(tmp_path: Path) -> None:
    config = config_of(tmp_path, "http://127.0.0.1:1")
    path = str(config.status.path)
    async with running(config) as device:
        await trio.testing.wait_all_tasks_blocked()
        deaf = [await trio.open_unix_socket(path) for _ in range(7)]
        for stream in deaf:
            await stream.send_all(b"watch\n")
        for number in range(1000):
            device.answer(f"volume {number % 100}")
            await trio.lowlevel.checkpoint()
        async with await trio.open_unix_socket(path) as good:
            await good.send_all(b"status\n")
            with trio.fail_after(PATIENCE):
                assert json.loads(await good.receive_some(4096))["state"] == "idle"
        long = await trio.open_unix_socket(path)
        await long.send_all(b"a" * 1000)
        with trio.fail_after(PATIENCE), suppress(trio.BrokenResourceError):  # as it is, if more was sent than read
            assert await long.receive_some(1) == b""
        for stream in (*deaf, long):
            await stream.aclose()


async def test_a_socket_that_a_power_cut_has_left_is_taken_over(tmp_path: Path) -> None:
    config = config_of(tmp_path, "http://127.0.0.1:1")
    path = config.status.path
    assert path is not None
    with trio.socket.socket(trio.socket.AF_UNIX) as left:
        await left.bind(str(path))
    async with running(config):
        await trio.testing.wait_all_tasks_blocked()
        assert (await trio.to_thread.run_sync(ask, path, "status"))["state"] == "idle"


class Room(Silent):
    """What is played comes back, half as loud, five frames later."""

    def __init__(self) -> None:
        super().__init__()
        self.played = [bytes(640)] * 5
        self.at = 0

    async def take(self) -> AudioFrame:
        self.at += 1
        return AudioFrame((from_pcm(self.played[self.at - 1]) // 2).astype("<i2").tobytes(), RATE)


class FaultyCanceller:
    """Raises or returns whatever it is given."""

    def __init__(self, fault: Any) -> None:
        self.fault = fault

    def cancel(self, captured: bytes, played: bytes) -> bytes:
        return self.create_canceller(0, 0, 0)  # type: ignore[no-any-return]

    def create_canceller(self, sample_rate: int, tail_ms: int, noise_suppression_db: int) -> Any:
        if isinstance(self.fault, BaseException):
            raise self.fault
        return self.fault


@pytest.mark.slow
@pytest.mark.parametrize("delay_ms", [0, 80])
async def test_what_the_loudspeaker_plays_is_not_said_to_the_gateway(delay_ms: int) -> None:
    samples, _ = read_wav(SPEECH)
    sound = EchoFreeSound(Room(), SpeexEchoCancelling().create_canceller(RATE, 200, 0), delay_ms)
    left = []
    for at in list(range(0, len(samples) - 320, 320)) * 3:
        frame = AudioFrame(samples[at : at + 320].astype("<i2").tobytes(), RATE)
        sound.write(frame)
        left.append(level_dbfs(await sound.take()) - level_dbfs(frame))
    assert np.median(left[-100:]) < -25  # of which 6 are the room's
    assert sound.counters()["echo_failures"] == 0


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
async def test_a_canceller_that_fails_leaves_the_sound_as_it_is(fault: object) -> None:
    inner = Silent()
    inner.pcm = LOUD
    sound = EchoFreeSound(inner, FaultyCanceller(fault), 0)
    assert [(await sound.take()).pcm for _ in range(2)] == [LOUD] * 2
    assert sound.counters() == {"echo_failures": 2}


class FaultyPlugin:
    def __init__(self, fault: object) -> None:
        self.fault = fault

    @hookimpl
    def register_components(self) -> list[ComponentSpec[EchoCancelling]]:
        return [ComponentSpec(EchoCancelling, "faulty", lambda settings: FaultyCanceller(self.fault))]


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_a_canceller_that_cannot_be_made_is_told_with_its_plugin(fault: object, tmp_path: Path) -> None:
    config = config_of(tmp_path, "http://h", '[sound]\necho_canceller = "faulty"')
    registry = load_beside(installed_plugins(), [FaultyPlugin(fault)])
    with pytest.raises(PluginError, match="create_canceller"), open_sound(config.sound, registry):
        pass


def test_a_canceller_that_is_not_installed_is_told(tmp_path: Path) -> None:
    for name, complaint in (("nobody", "sound.echo_canceller: "), ("speex", "")):
        config = config_of(tmp_path, "http://h", f'[sound]\necho_canceller = "{name}"')
        refusal = pytest.raises(ConfigurationError, match=complaint) if complaint else nullcontext()
        with refusal, open_sound(config.sound, installed_plugins()) as sound:
            assert sound.counters()["echo_failures"] == 0


def test_mistakes_of_the_file_and_a_device_that_is_not_there_are_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config_of(tmp_path, "http://127.0.0.1:1")
    path = tmp_path / "device.toml"
    for words, complaint in (
        (["--status"], "no device answers: No such file or directory"),
        (["--tell", "talk"], "no device answers: No such file or directory"),
    ):
        assert main(["device", "--config", str(path), *words]) == 2
        assert capsys.readouterr().err == f"glottis: {tmp_path / 's'}: {complaint}\n"
    path.write_text('[gateway]\nurl = "nowhere"')
    assert main(["device", "--config", str(path)]) == 2
    expected = "gateway.url: expected one such as https://voice.example.org"
    assert capsys.readouterr().err == f"glottis: {expected} (in {path})\n"


@pytest.mark.slow
async def test_the_command_runs_until_sigterm_and_tells_its_service_manager(tmp_path: Path) -> None:
    """The gateway is not there; neither are the commands."""
    sound = '[sound]\nby = "commands"\ncapture = ["/none"]\nplayback = ["/none"]'
    path = tmp_path / "device.toml"
    config_of(tmp_path, "http://127.0.0.1:1", f'{sound}\n[talk]\nbegin = "always"')
    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM) as manager:
        await manager.bind(str(tmp_path / "manager"))
        command = [Path(sys.executable).with_name("glottis"), "device", "--config", str(path)]
        environment = {"NOTIFY_SOCKET": str(tmp_path / "manager"), "WATCHDOG_USEC": "200000"}
        start = partial(trio.run_process, command, env=os.environ | environment, check=False, capture_stderr=True)
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(start)
            said: set[bytes] = set()
            with trio.fail_after(PROCESS_PATIENCE):
                while not said >= {b"READY=1", b"WATCHDOG=1"}:
                    said.add(await manager.recv(100))
            process.send_signal(signal.SIGTERM)
            with trio.fail_after(PROCESS_PATIENCE):
                assert await process.wait() == 0
