"""``glottis serve`` and ``glottis call`` as in a terminal: two processes, the demo configuration, real sockets."""

import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from glottis import AgentSpec, Call, hookimpl
from glottis.cli import Parts, main
from glottis.client.command import CallerOptions
from glottis.plugins import Registry
from support.audio import SPEECH, best_similarity, read_wav
from support.command import Command, open_command
from support.gateway import CONFIG, open_test_gateway
from support.patience import PATIENCE
from support.phone import eventually

WAV_HEADER_BYTES = 44
DEMO = Path(__file__).parents[1] / "demo.toml"


@asynccontextmanager
async def open_demo_gateway() -> AsyncIterator[tuple[Command, str]]:
    """The gateway of ``make run`` on a free port, and its URL; SIGINT ends it."""
    async with open_command("serve", "--config", DEMO, env={"GLOTTIS_SERVER__PORT": "0"}) as gateway:
        url = (await gateway.wait_for(r"serves (http://\S+)"))[1]
        yield gateway, url
        gateway.process.send_signal(signal.SIGINT)
        with trio.fail_after(PATIENCE):
            assert await gateway.wait() == 0
    assert "Traceback" not in gateway.errors


@pytest.mark.realtime
async def test_a_call_speaks_a_file_and_records_what_comes_back(tmp_path: Path) -> None:
    recording = tmp_path / "out.wav"
    options = ("--wav", SPEECH, "--record", recording, "--text", "hi \x1b[31m")
    async with open_demo_gateway() as (_, url), open_command("call", url, *options) as call:
        assert await call.wait() == 0
    states = [line for line in call.errors.splitlines() if line.startswith(("state: ", "connection: "))]
    assert states[:4] == ["state: connecting", "connection: connecting", "connection: connected", "state: active"]
    assert "text: hi �[31m\n" in call.errors
    sent, received = map(int, re.findall(r"sent (\d+), received (\d+), lost 0 \(0\.0%\)", call.output)[0])
    assert min(sent, received) > 150  # of 151 of the file and 50 of silence, of which busy machines skip some
    assert re.fullmatch(r"call of \d+\.\d s, .*, round trip [\d.]+ ms; end: the caller hung up\n", call.output)
    played, rate = read_wav(SPEECH)
    heard, recorded_rate = read_wav(recording)
    assert recorded_rate == rate
    assert best_similarity(heard, played, rate) > 0.7


@pytest.mark.realtime
async def test_sigint_ends_the_gateway_at_once_during_a_call_and_the_caller_is_told() -> None:
    options = ("--campaign", "talker", "--listen", "60")
    async with open_demo_gateway() as (gateway, url), open_command("call", url, *options) as call:
        await call.wait_for("state: active")
        gateway.process.send_signal(signal.SIGINT)
        with trio.fail_after(PATIENCE):
            assert await gateway.wait() == 0
            await call.wait()
    assert call.output.endswith("end: the gateway stops\n")


@pytest.mark.realtime
async def test_a_killed_gateway_is_told_as_a_lost_connection_and_exit_code_1() -> None:
    async with open_command("serve", "--config", DEMO, env={"GLOTTIS_SERVER__PORT": "0"}) as gateway:
        url = (await gateway.wait_for(r"serves (http://\S+)"))[1]
        async with open_command("call", url, "--campaign", "talker", "--listen", "60") as call:
            await call.wait_for("state: active")
            gateway.process.kill()
            assert await call.wait() == 1
    complaint = call.errors.splitlines()[-1]
    assert complaint.startswith("glottis: the signaling connection was lost: the gateway was killed, or ")


@pytest.mark.realtime
async def test_an_interrupted_call_hangs_up_and_leaves_a_valid_recording(tmp_path: Path) -> None:
    """By either signal, side by side."""

    async def interrupt(url: str, number: signal.Signals) -> None:
        recording = tmp_path / f"{number.name}.wav"
        options = ("--campaign", "talker", "--listen", "60", "--record", recording)
        async with open_command("call", url, *options) as call:
            await eventually(lambda: recording.exists() and recording.stat().st_size > WAV_HEADER_BYTES)
            call.process.send_signal(number)
            with trio.fail_after(PATIENCE):
                assert await call.wait() == 0
        assert "Traceback" not in call.errors
        assert call.output.endswith("end: the caller hung up\n")
        assert len(read_wav(recording)[0]) > 0

    async with open_demo_gateway() as (gateway, url):
        async with trio.open_nursery() as nursery:
            for number in (signal.SIGINT, signal.SIGTERM):
                nursery.start_soon(interrupt, url, number)
        await gateway.wait_for("(?s)session .* ends: .*session .* ends: ")


class SilentPlugin:
    """An agent that waits for the caller to go."""

    @hookimpl
    def register_agents(self) -> list[AgentSpec]:
        async def wait(call: Call) -> None:
            await trio.sleep_forever()

        return [AgentSpec("silent", lambda config: wait)]


@pytest.mark.realtime
async def test_a_call_without_any_sound_from_the_gateway_is_a_failure(tmp_path: Path) -> None:
    config = CONFIG + '\n[campaigns.silent]\nagent = "silent"\n'
    options = ("--campaign", "silent", "--listen", "0.1")
    async with (
        open_test_gateway(tmp_path, config, [SilentPlugin()]) as gateway,
        open_command("call", gateway.url, *options) as call,
    ):
        assert await call.wait() == 1
    assert call.errors.endswith(
        "glottis: no audio came, though the media connection stood: the campaign's agent has said nothing\n"
    )
    assert "received 0" in call.output


class KeypadPlugin:
    """An agent that presses the keys that it was pressed, once it has heard the hash key."""

    @hookimpl
    def register_agents(self) -> list[AgentSpec]:
        async def answer(call: Call) -> None:
            digits = ""
            async for press in call.dtmf:
                digits += press.digit
                if press.digit == "#":
                    await call.send_dtmf(digits)
                    return

        return [AgentSpec("keypad", lambda config: answer)]


@pytest.mark.realtime
async def test_keys_are_pressed_after_the_speech_and_those_of_the_agent_are_told(tmp_path: Path) -> None:
    config = CONFIG + '\n[campaigns.keypad]\nagent = "keypad"\n'
    async with open_test_gateway(tmp_path, config, [KeypadPlugin()]) as gateway:
        options = ("--campaign", "keypad", "--dtmf", "1a*#", "--listen", "10")
        async with open_command("call", gateway.url, *options) as call:
            with trio.fail_after(PATIENCE):
                assert await call.wait() == 0
    assert [line for line in call.errors.splitlines() if line.startswith("key: ")] == [f"key: {key}" for key in "1A*#"]
    assert call.output.endswith("end: the agent ended the call\n")


@pytest.mark.realtime
async def test_a_refused_call_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    async with (
        open_test_gateway(tmp_path) as gateway,
        open_command("call", gateway.url, "--campaign", "nope") as call,
    ):
        assert await call.wait() == 1
    assert call.output == ""
    assert call.errors == (
        "glottis: the gateway refuses the call: "
        "Use a campaignId that the gateway's configuration has. (UNKNOWN_CAMPAIGN)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["127.0.0.1:8080"], "the gateway's URL: expected one such as "),
        (["http://127.0.0.1:8080", "--wav", "none.wav"], "none.wav: No such file or directory"),
        (["http://127.0.0.1:8080", "--record", "none/out.wav"], "none/out.wav: No such file or directory"),
        (["http://127.0.0.1:8080", "--codec", "mp3"], "--codec: no codec is named 'MP3'; available: "),
    ],
)
def test_what_cannot_be_called_is_one_line_and_exit_code_1(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["call", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"glottis: {complaint}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--listen", "-1"],
        ["--listen", "nan"],
        ["--listen", "x"],
        ["--dtmf", "12x"],
        ["--ice-server", "turn:a"],
        ["--relay", "--websocket"],
    ],
)
def test_an_option_that_means_nothing_is_a_usage_error(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["call", "http://127.0.0.1:8080", *arguments])
    assert caught.value.code == 2


def test_secrets_come_from_options_or_the_environment_and_are_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[CallerOptions] = []

    def run(options: CallerOptions, registry: Registry) -> int:
        seen.append(options)
        return 0

    parts = Parts(run_caller=run)
    monkeypatch.setenv("GLOTTIS_API_KEY", "from-the-environment")
    assert main(["call", "http://127.0.0.1:8080", "--codec", "pcmu", "--websocket"], parts) == 0
    relayed = ["--relay", "--ice-server", "stun:a", "--ice-server", "turn:b,user,from-the-option-too"]
    assert main(["call", "http://127.0.0.1:8080", "--api-key", "from-the-option", *relayed], parts) == 0
    assert [options.api_key.reveal() for options in seen if options.api_key] == [
        "from-the-environment",
        "from-the-option",
    ]
    assert seen[0].codec == "PCMU"
    assert seen[0].websocket
    assert seen[1].ice_policy == "relay"
    assert [server.urls for server in seen[1].ice_servers] == [("stun:a",), ("turn:b",)]
    assert "from-the" not in repr(seen)


def test_the_api_key_of_calls_does_not_disturb_the_gateways_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOTTIS_API_KEY", "k")
    assert main(["config", "check", "--config", str(DEMO)]) == 0
