"""``glottis lab call``: callers who follow a script in TOML, and the report of their turns."""

import json
from pathlib import Path

import pytest
from glottis.cli import main
from support.audio import SPEECH, read_wav, write_wav

SCRIPT = """
agent = "echo"
codec = "PCMU"
sample_rate = 8000
[[steps]]
say = "speech.wav"
[[steps]]
expect_sound = true
[[steps]]
write = "hello"
[[steps]]
expect_text = "hello"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a WAV file of half a second at a rate that is not the call's."""
    samples, rate = read_wav(SPEECH)
    pcm = samples[rate // 2 : rate].astype("int16").tobytes()
    write_wav(tmp_path / "speech.wav", pcm, rate + rate // 2)
    return tmp_path


def call(folder: Path, script: str, *options: str) -> int:
    path = folder / "script.toml"
    path.write_text(script)
    return main(["lab", "call", str(path), *options])


def test_the_report_of_turns_is_for_people_and_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = SCRIPT + "[network]\ndelay_ms = 150\n"
    assert call(folder, slow, "--callers", "2", "--json", "--seed", "7") == 0
    report = json.loads(capsys.readouterr().out)
    assert [one["seed"] for one in report["calls"]] == [7, 8]
    caller, agent = report["calls"][0]["turns"]
    assert (caller["speaker"], agent["speaker"]) == ("caller", "agent")
    assert 0.3 < agent["start_s"] - caller["start_s"] < 0.5
    assert caller["end_s"] - caller["start_s"] < 0.4, "it was resampled"
    assert call(folder, slow) == 0
    assert 'expect_text "hello": came: hello' in capsys.readouterr().out


def test_what_was_not_as_expected_gives_exit_code_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = SCRIPT.replace('expect_text = "hello"', 'expect_text = "goodbye"\nwithin_s = 2')
    assert call(folder, script) == 1
    assert "NOT SO: no such text came, but ['hello'] within 2 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("say =", "sya ="), "steps[0].sya: unknown key, did you mean say?"),
        (("write =", "press = '1'\nwrite ="), "steps[2].write: is one step, and press another"),
        (("agent =", "[network]\nloss = 2\n#"), "network.loss: "),
        (("[[steps]]", "[network]\ndrift_ppm = 5\n[[steps]]"), "network.drift_ppm: is for experiments without agents"),
        (("[[steps]]", "[network]\npreset = '9g'\n[[steps]]"), "network.preset"),
        (("speech.wav", "script.toml"), "script.toml: is no WAV file"),
        (('"echo"', '"agent.py:answer"'), "agent.py"),
        (("= true", "= maybe"), "script.toml: is no TOML"),
    ],
)
def test_what_is_wrong_is_said_by_its_path(
    change: tuple[str, str], line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(folder, SCRIPT.replace(*change, 1)) == 2
    assert line in capsys.readouterr().err


def test_an_agent_may_be_a_function_in_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "agent.py").write_text("async def answer(call):\n    raise LookupError('no answer')\n")
    script = SCRIPT.replace('"echo"', '"agent.py:answer"')
    assert call(folder, script) == 1
    assert "the agent failed: LookupError: no answer" in capsys.readouterr().out
