"""The parts for small devices, as they are: the program flite, and a process with pocketsphinx."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from glottis import AudioFrame, ConfigurationError, PluginError
from glottis.audio import level_dbfs
from glottis_local_speech import Flite, FliteConfig, Sphinx, SphinxConfig
from glottis_local_speech.sphinx import Worker

pytestmark = pytest.mark.slow


async def spoken(text: str, voice: Flite | None = None) -> list[AudioFrame]:
    return [frame async for frame in (voice or Flite(FliteConfig())).synthesize(text)]


async def stream(frames: list[AudioFrame]) -> AsyncIterator[AudioFrame]:
    for frame in frames:
        yield frame


async def test_what_one_part_says_the_other_understands() -> None:
    ears = Sphinx(SphinxConfig())
    said = await spoken("Set a timer for twenty five minutes.")
    understood = [each.text async for each in ears.transcribe(stream(said))]
    assert understood == ["set a timer for twenty five minutes"]
    assert [each async for each in ears.transcribe(stream([AudioFrame(bytes(32000), 16000)]))] == []


async def test_a_grammar_of_ones_own_is_all_that_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "shop.gram"
    path.write_text("#JSGF V1.0;\ngrammar shop;\npublic <order> = (red | white) wine;\n")
    ears = Sphinx(SphinxConfig(grammar=str(path)))
    assert [each.text async for each in ears.transcribe(stream(await spoken("White wine")))] == ["white wine"]


async def test_a_grammar_that_makes_no_sense_is_told_before_any_call(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="grammar: there is no file"):
        Sphinx(SphinxConfig(grammar=str(tmp_path / "none.gram")))
    path = tmp_path / "bad.gram"
    path.write_text("public <order> = (red")
    with pytest.raises(PluginError, match="the process of pocketsphinx has ended"):
        Sphinx(SphinxConfig(grammar=str(path)))


async def test_speech_has_a_pace_and_a_level() -> None:
    voice = Flite(FliteConfig())
    usual = sum(frame.duration for frame in await spoken("One two three four five", voice))
    voice.pace = 0.5
    slow = await spoken("One two three four five", voice)
    assert sum(frame.duration for frame in slow) == pytest.approx(2 * usual, rel=0.2)
    assert max(map(level_dbfs, slow)) > -30
    assert await spoken("** https://example.org", voice) == []


async def test_a_sentence_that_nobody_wants_ends_its_process() -> None:
    with trio.move_on_after(0.01) as scope:
        await spoken("A very long sentence. " * 200)
    assert scope.cancelled_caught


def test_a_process_that_is_gone_is_noticed() -> None:
    worker = Worker(str(Path(__file__).parents[1] / "glottis_local_speech" / "assistant.gram"))
    worker.end()
    with pytest.raises(PluginError, match="has ended"):
        worker.understand(bytes(3200))


def test_a_program_that_is_not_there_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PluginError, match="needs the program flite: apt-get install flite"):
        Flite(FliteConfig())
