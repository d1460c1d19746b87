"""The agent axis of an experiment: how soon it answers, how soon it stops, and how well it is understood."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from glottis.contracts.errors import ConfigurationError
from glottis.lab import Agent, Experiment, Network
from glottis.lab.comparison import HIGHER_IS_BETTER
from glottis.lab.waterfall import WAY
from support.audio import SPEECH, read_wav, write_wav

AGENT = """
from glottis.audio import level_dbfs
from glottis.testing import voice

async def slow(call):
    await answer(call, 700)

async def quick(call):
    await answer(call, 200)

async def broken(call):
    raise LookupError("no answer")

async def answer(call, patience_ms):
    quiet = None
    async for frame in call.audio:
        if level_dbfs(frame) > -40:
            quiet = 0
            call.flush()
        elif quiet is not None:
            quiet += call.frame_ms
            if quiet == patience_ms:
                await call.send_event("turn", {"latencyMs": 150, "parts": {"llm": 100, "tts": 50}})
                call.start_saying(voice(1.5, call.sample_rate))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    samples, rate = read_wav(SPEECH)
    write_wav(tmp_path / "speech.wav", samples[: rate * 3 // 2].astype("int16").tobytes(), rate)
    (tmp_path / "agents.py").write_text(AGENT)
    return tmp_path


def experiment(folder: Path, agents: Sequence[Agent], **changes: object) -> Experiment:
    return Experiment(speech=(str(folder / "speech.wav"),), agents=tuple(agents), **changes)  # type: ignore[arg-type]


@pytest.mark.slow
def test_agents_are_compared_by_how_soon_they_answer_and_stop(folder: Path) -> None:
    agents = [
        Agent(label=name, agent=f"{folder}/agents.py:{name}", patience_s=5) for name in ("slow", "quick", "broken")
    ]
    results = experiment(folder, agents).run(folder / "results", processes=0)
    slow, quick, broken = (row.result for row in results.rows)
    assert [one.labels["agent"] for one in (slow, quick)] == ["slow", "quick"]
    assert slow.measures is not None
    assert quick.measures is not None
    assert slow.measures.pesq == quick.measures.pesq
    assert slow.measures.answer_ms is not None
    assert quick.measures.answer_ms is not None
    assert 450 < slow.measures.answer_ms - quick.measures.answer_ms < 550
    assert 0 < (quick.measures.barge_in_ms or 0) < 500
    answers = [turn for turn in quick.turns if turn.answer_ms is not None]
    assert [turn.speaker for turn in quick.turns[:2]] == ["caller", "agent"]
    assert {tuple(turn.parts_ms.items()) for turn in answers} == {(("llm", 100), ("tts", 50))}
    picture = (folder / "results" / "turns-0.svg").read_text()
    assert all(f">{name}<" in picture for name in ("caller", "agent", "interrupted", WAY, "llm", "slow", "quick"))
    assert broken.error == "the agent failed: LookupError: no answer"
    assert not HIGHER_IS_BETTER["answer_ms"]


@pytest.mark.parametrize(
    ("agent", "network", "line"),
    [
        (Agent(agent="nobody"), Network(), "agents.0.agent: .*nobody"),
        (Agent(agent="echo", settings={"speed": 1}), Network(), "agents.0.settings.speed"),
        (Agent(agent="echo", words="hello"), Network(), "agents.0.words: go with a recogniser"),
        (Agent(agent="echo"), Network(drift_ppm=3), "agents.0.network.drift_ppm"),
    ],
)
def test_agents_that_cannot_be_tried_are_refused(agent: Agent, network: Network, line: str, folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=line):
        experiment(folder, [agent], networks=(network,)).check()
