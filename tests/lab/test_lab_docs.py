"""What docs/lab.md says is so: its tables have all keys with their defaults, and its examples run."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from glottis.lab import Codec, Delay, Experiment, Network, Protection, read_experiment
from glottis.lab.networks import Link
from glottis.lab.results import MEASURES
from support.audio import SPEECH
from support.markdown import Document, table_rows

DOCS = Path(__file__).parents[2] / "docs"
LAB = Document(DOCS / "lab.md")
TABLES: dict[str, type[msgspec.Struct]] = {
    "Networks": Network,
    "Codecs": Codec,
    "Delays": Delay,
    "Protections": Protection,
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
    LAB.write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "conditions"), [("experiment", 27), ("fec-or-red", 60), ("fixed-or-adaptive", 9)])
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
