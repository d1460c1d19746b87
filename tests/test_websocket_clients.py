"""The clients that the documentation shows for audio by WebSocket call a real gateway, and are heard."""

import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import trio
from glottis import AudioFrame, Call, TextMessage
from glottis_media_streams.messages import RATE as LAW_RATE
from glottis_media_streams.messages import Media, Told, samples_of
from support.audio import SPEECH, best_similarity, from_pcm, read_wav, write_wav
from support.browser import Page
from support.chromium import open_chromium_page, run_chromium
from support.firefox import open_firefox_page, run_firefox
from support.gateway import CONFIG, open_test_gateway
from support.imports import import_file
from support.markdown import Document
from support.patience import PROCESS_PATIENCE
from support.phone import RATE, TONE, eventually
from support.plugins import TestPlugin
from support.sound_card import open_sound_card

FRAME: Final = 0.02
OpenPage = Callable[[], AbstractAsyncContextManager[Page]]
PAGE, PHONES = (Document(Path(__file__).parents[1] / "docs" / name) for name in ("websocket-audio.md", "phones.md"))


@pytest.mark.realtime
async def test_the_client_in_python_hears_its_echo(tmp_path: Path) -> None:
    PAGE.write_files(tmp_path)
    client = import_file(tmp_path / "websocket_caller.py")
    assert sum(bool(line.strip()) for line in (tmp_path / "websocket_caller.py").read_text().splitlines()) <= 30
    played, rate = read_wav(SPEECH)
    async with open_test_gateway(tmp_path) as gateway:
        with trio.fail_after(PROCESS_PATIENCE):
            await client.call(gateway.url, "echo", str(SPEECH), str(tmp_path / "heard.wav"))
    heard, heard_rate = read_wav(tmp_path / "heard.wav")
    assert heard_rate == rate
    assert best_similarity(heard, played, rate) > 0.85


@pytest.mark.realtime
async def test_the_caller_by_telephone_hears_its_echo(tmp_path: Path) -> None:
    PHONES.write_files(tmp_path)
    caller = import_file(tmp_path / "phone_caller.py")
    samples, rate = read_wav(SPEECH)
    played = samples[: 2 * rate : rate // LAW_RATE]
    spoken, heard = tmp_path / "speech.ul", tmp_path / "heard.ul"
    spoken.write_bytes(b64decode(Told("", "", "").media(played.astype("int16").tobytes())["media"]["payload"]))
    async with open_test_gateway(tmp_path, f'{CONFIG}\n[routes]\nenabled = ["twilio"]\n') as gateway:
        with trio.fail_after(PROCESS_PATIENCE):
            url = gateway.url.replace("http", "ws", 1)
            await caller.call(f"{url}/twilio/echo", str(spoken), str(heard))
    assert best_similarity(from_pcm(samples_of(Media(heard.read_bytes()))), played, LAW_RATE) > 0.85


@pytest.mark.realtime
async def test_a_simulator_of_twilio_finds_nothing_wrong(tmp_path: Path) -> None:
    samples, rate = read_wav(SPEECH)
    write_wav(tmp_path / "speech.wav", samples[: rate : rate // LAW_RATE].astype("int16").tobytes(), LAW_RATE)
    scenario = {"steps": [{"say": "speech.wav"}, {"wait": 0.3}, {"dtmf": "5"}, {"wait": 0.1}, "hangup"]}
    (tmp_path / "scenario.yaml").write_text(json.dumps(scenario))
    simulator = Path(sys.executable).with_name("streamdouble")
    async with open_test_gateway(tmp_path, f'{CONFIG}\n[routes]\nenabled = ["twilio"]\n') as gateway:
        url = f"{gateway.url.replace('http', 'ws', 1)}/twilio/echo"
        command = [str(simulator), "scenario", str(tmp_path / "scenario.yaml"), url, "--json"]
        with trio.fail_after(PROCESS_PATIENCE):
            ran = await trio.run_process(command, capture_stdout=True)
        told = json.loads(ran.stdout)
        assert (told["violations"], told["unknown_events"], told["closed_by"]) == ([], [], "caller")
        assert told["media_frames_received"] > 40
        assert told["marks_echoed"] == told["marks_received"] > 0
        await eventually(lambda: not len(gateway.sessions))


class TimedFile(BytesIO):
    """Knows when sound was last written to it."""

    sound_at = 0.0

    def write(self, data: Any) -> int:
        if len(data) > 200 and any(data):
            self.sound_at = trio.current_time()
        return super().write(data)


@pytest.mark.realtime
async def test_the_client_in_python_is_silent_soon_after_an_interruption(tmp_path: Path) -> None:
    """By what it plays. A busy machine is late at times, so that it may be interrupted again."""
    PAGE.write_files(tmp_path)
    client = import_file(tmp_path / "websocket_caller.py")
    interrupted_at: list[float] = []

    async def talk(call: Call) -> None:
        call.nursery.start_soon(call.say, AudioFrame(1000 * TONE, RATE))
        for _ in range(50):
            await anext(call.audio)
        assert 0.5 < call.flush().sent < 1.5
        interrupted_at.append(trio.current_time())
        await trio.sleep_forever()

    plugin = TestPlugin(talk=talk)
    async with open_test_gateway(tmp_path, plugin.config(), [plugin]) as gateway:
        with trio.fail_after(PROCESS_PATIENCE):
            for _ in range(5):
                played = TimedFile()
                await client.call(gateway.url, "talk", str(SPEECH), played)
                late = played.sound_at + FRAME - interrupted_at.pop()
                if late < 0.1:
                    break
    assert -0.1 < late < 0.1


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def open_page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenPage]:
    """Each browser in turn, with a sound card."""
    directory = tmp_path_factory.mktemp(request.param)
    if request.param == "chromium":
        with run_chromium(directory, SPEECH) as url:
            yield lambda: open_chromium_page(url)
    else:
        with open_sound_card(directory) as card, run_firefox(directory, card) as url:
            yield lambda: open_firefox_page(url)


SPEAK = f"""(async () => {{
    const context = new AudioContext(), bytes = atob({json.dumps(b64encode(SPEECH.read_bytes()).decode())});
    const wav = Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)).buffer;
    const source = new AudioBufferSourceNode(context, {{ buffer: await context.decodeAudioData(wav), loop: true }});
    const microphone = new MediaStreamAudioDestinationNode(context, {{ channelCount: 1 }});
    source.connect(microphone);
    source.start();
    navigator.mediaDevices.getUserMedia = async () => microphone.stream;
}})()"""
"""Firefox has no microphone that plays a file, and Chromium changes the sound of its own."""


@pytest.mark.browser
async def test_the_page_hears_its_echo(open_page: OpenPage, tmp_path: Path) -> None:
    """A busy machine leaves gaps at times, so that it may listen for longer."""
    (block,) = PAGE.blocks_of("js")
    played, rate = read_wav(SPEECH)
    async with open_test_gateway(tmp_path) as gateway, open_page() as page:
        with trio.fail_after(PROCESS_PATIENCE):
            await page.goto(f"{gateway.url}/healthz")
            await page.run_script(block.code)
            await page.evaluate(SPEAK)
            await page.evaluate("""(async () => {
                globalThis.heard = [];
                globalThis.started = await call("echo");
                started.socket.addEventListener("message", ({ data }) => {
                    if (typeof data !== "string") heard.push(...new Int16Array(data));
                });
            })()""")
            page_rate = await page.evaluate("started.context.sampleRate")
            for _ in range(5):
                await page.wait_for("heard.length > 3 * started.context.sampleRate")
                text = await page.evaluate("JSON.stringify(heard.splice(0))")
                samples = np.array(json.loads(text), dtype=np.float64)
                heard = np.interp(np.arange(0, len(samples), page_rate / rate), np.arange(len(samples)), samples)
                if (likeness := best_similarity(heard, played, rate)) > 0.9:
                    break
    assert likeness > 0.9


async def chatterbox(call: Call) -> None:
    """Speaks when it is told to, until it is told to stop."""
    async for message in call.messages:
        call.flush()
        if message == TextMessage("speak"):
            call.nursery.start_soon(call.say, AudioFrame(1000 * TONE, RATE))


@pytest.mark.browser
async def test_the_page_is_silent_soon_after_an_interruption(open_page: OpenPage, tmp_path: Path) -> None:
    """Measured at its loudspeaker: milliseconds from the interruption to the last sound.

    A busy machine is late at times, so that it may be interrupted again.
    """
    (block,) = PAGE.blocks_of("js")
    plugin = TestPlugin(chatterbox=chatterbox)
    async with open_test_gateway(tmp_path, plugin.config(), [plugin]) as gateway, open_page() as page:
        with trio.fail_after(PROCESS_PATIENCE):
            await page.goto(f"{gateway.url}/healthz")
            await page.run_script(block.code)
            await page.evaluate("""(async () => {
                globalThis.started = await call("chatterbox");
                const analyser = new AnalyserNode(started.context, { fftSize: 128 });
                started.play.connect(analyser);
                const samples = new Float32Array(128);
                globalThis.soundAt = 0;
                setInterval(() => {
                    analyser.getFloatTimeDomainData(samples);
                    if (samples.some((sample) => Math.abs(sample) > 0.01)) soundAt = performance.now();
                }, 2);
            })()""")
            await page.wait_for("started.socket.readyState === WebSocket.OPEN")
            for _ in range(5):
                await page.evaluate(f"globalThis.saidAt = performance.now(), {says('speak')}")
                await page.wait_for("soundAt > saidAt + 500")
                await page.evaluate(f"globalThis.saidAt = performance.now(), {says('stop')}")
                await page.wait_for("performance.now() - soundAt > 500")
                if (late := await page.evaluate("soundAt - saidAt")) < 100:
                    break
            assert late < 100


def says(text: str) -> str:
    return f"started.socket.send(JSON.stringify({{ type: 'text', text: '{text}' }}))"
