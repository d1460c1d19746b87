"""What docs/lab.md says is so: its tables have all keys with their defaults, and its examples run."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from glottis.cli import main
from glottis.lab import Agent, Codec, Delay, Experiment, Network, Protection, read_experiment
from glottis.lab.networks import Link, Stalls
from glottis.lab.parts import find_codec
from glottis.lab.results import MEASURES
from glottis.lab.script import Script
from glottis.testing import Step, check_codec
from glottis.testing.callers.steps import ACTIONS
from support.audio import SPEECH, read_wav, write_wav
from support.markdown import Document, table_rows

DOCS = Path(__file__).parents[2] / "docs"
LAB, CALLERS = Document(DOCS / "lab.md"), Document(DOCS / "callers.md")
STEP = {field.name: field for field in msgspec.structs.fields(Step)}
TABLES: dict[str, type[msgspec.Struct]] = {
    "Networks": Network,
    "Codecs": Codec,
    "Delays": Delay,
    "Protections": Protection,
    "Agents": Agent,
    "All of an experiment": Experiment,
}


@pytest.mark.parametrize("heading", TABLES)
def test_tables_have_all_keys_with_their_defaults(heading: str) -> None:
    rows = {row[0].strip("`"): row[2] for row in table_rows(LAB.section(heading))}
    fields = {field.name: field for field in msgspec.structs.fields(TABLES[heading])}
    assert set(rows) == set(fields)
    for name, said in rows.items():
        default: Any = fields[name].default
        if said.startswith("`"):
            assert json.loads(said.strip("`")) == default, name
        else:
            assert not isinstance(default, bool | int | float) or default is None, name


def test_the_other_way_has_the_keys_up_to_trace() -> None:
    keys = [row[0].strip("`") for row in table_rows(LAB.section("Networks"))]
    known = {field.name for field in msgspec.structs.fields(Link)}
    assert known <= set(keys[: keys.index("trace") + 1])
    assert not known & set(keys[keys.index("trace") + 1 :])


def test_every_measure_is_explained() -> None:
    named = [name for row in table_rows(LAB.section("What is measured")) for name in re.findall("`([^`]+)`", row[0])]
    assert sorted(named) == sorted(MEASURES)


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page, and speech."""
    (tmp_path / "speech.wav").write_bytes(SPEECH.read_bytes())
    samples, rate = read_wav(SPEECH)
    write_wav(tmp_path / "hello.wav", samples[: rate * 3 // 2].astype("int16").tobytes(), rate)
    LAB.write_files(tmp_path)
    CALLERS.write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "conditions"),
    [("experiment", 27), ("fec-or-red", 60), ("fixed-or-adaptive", 9), ("own-codec", 27), ("agents", 4)],
)
def test_experiments_in_toml_can_be_run(name: str, conditions: int, examples: Path) -> None:
    assert len(read_experiment(examples / f"{name}.toml").check()) == conditions


@pytest.mark.slow
def test_the_study_runs_in_short_form(examples: Path) -> None:
    """Its speech is three seconds, and of its networks there is one, with one seed."""
    study = read_experiment(examples / "fec-or-red.toml")
    lossy = [network for network in study.networks if network.loss == 0.2]
    results = msgspec.structs.replace(study, networks=tuple(lossy), seeds=1).run(examples / "results", processes=0)
    found = {row.result.labels["protection"]: row.result.measures for row in results.rows}
    pesq = {protection: measures.pesq for protection, measures in found.items() if measures is not None}
    assert pesq["nothing"] < min(pesq[protection] for protection in ("FEC", "RED", "both"))


@pytest.mark.slow
def test_the_study_of_delays_runs_in_short_form(examples: Path) -> None:
    """Its speech is three seconds, and of its networks there is one, which stalls each second."""
    study = read_experiment(examples / "fixed-or-adaptive.toml")
    often = msgspec.structs.replace(study.networks[0], stalls=Stalls(every_s=1, ms=150))
    results = msgspec.structs.replace(study, networks=(often,)).run(examples / "results", processes=0)
    adaptive, short, long = (row.result.measures for row in results.rows)
    assert adaptive is not None
    assert short is not None
    assert long is not None
    assert adaptive.late < long.late <= short.late
    assert (adaptive.delay_ms or 0) > (short.delay_ms or 0)
    assert (examples / "results" / "delay-over-time-0.svg").exists()


@pytest.mark.slow
def test_the_own_codec_keeps_the_rules_and_is_compared_in_short_form(examples: Path) -> None:
    study = read_experiment(examples / "own-codec.toml")
    check_codec(find_codec("jayant", study.plugins))
    results = msgspec.structs.replace(study, networks=study.networks[:1], seeds=1).run(examples / "r", processes=0)
    own, g722, _ = (row.result.measures for row in results.rows)
    assert own is not None
    assert g722 is not None
    assert 2.5 < own.pesq < g722.pesq
    assert abs(own.kbits - g722.kbits) < 2


def test_scripts_and_steps_are_explained_with_their_defaults() -> None:
    rows = {row[0].strip("`"): row[2] for row in table_rows(CALLERS.section("As a file"))}
    fields = {field.name: field.default for field in msgspec.structs.fields(Script)}
    assert set(rows) == set(fields)
    said = {name: json.loads(text.strip("`")) for name, text in rows.items() if text.startswith("`")}
    assert said == {name: fields[name] for name in said}
    steps = list(table_rows(CALLERS.section("Steps")))
    assert [row[0].strip("`") for row in steps] == [*ACTIONS, *(name for name in STEP if name not in ACTIONS)]


@pytest.mark.slow
def test_callers_of_the_page_are_answered(examples: Path) -> None:
    assert main(["lab", "call", "script.toml", "--callers", "1"]) == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_parrot.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=examples)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_experiment_in_python_runs(examples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec((examples / "experiment.py").read_text(), {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" ")[0] for line in lines] == [
        "clean nothing",
        "loss 0.1 nothing",
        "clean FEC",
        "loss 0.1 FEC",
    ]
    assert (examples / "results" / "report.html").exists()
