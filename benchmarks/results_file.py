"""What was measured, for programs: ``--json FILE``."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.aims import Aim, aims
from benchmarks.fleet import FleetResults, Way, fleet_aims
from benchmarks.machine import description
from benchmarks.rounds import Results, Row
from benchmarks.scenarios import Scenario

VERSION: Final = 1
"""Of the format: it grows when what a member means changes."""


def write_results(results: Results, path: Path, fleet: FleetResults | None = None) -> None:
    """Replace the file."""
    path.write_text(json.dumps(_without_nan(as_json(results, fleet)), indent=1, ensure_ascii=False) + "\n")


def as_json(results: Results, fleet: FleetResults | None = None) -> dict[str, Any]:
    """All rounds of all rows, in the units of ``Measurement`` and ``SetupCost``; null is what was not measured."""
    return {
        "version": VERSION,
        "machine": description(),
        "rows": [_row(row) for row in results.rows.values()],
        "busy": _row(results.busy) if results.busy else None,
        "setup": {"rounds": [asdict(one) for one in results.setup], "complaints": results.setup_complaints},
        "fleet": _fleet(fleet) if fleet else None,
        "aims": [_aim(aim) for aim in (*aims(results), *(fleet_aims(fleet) if fleet else ()))],
    }


def _fleet(fleet: FleetResults) -> dict[str, Any]:
    rounds = [{way.title: asdict(measured) for way, measured in one.items()} for one in fleet.rounds]
    return {"calls": fleet.calls, "rounds": rounds, "complaints": fleet.complaints(*Way)}


def _row(row: Row) -> dict[str, Any]:
    return {
        "scenario": _scenario(row.scenario),
        "rounds": [asdict(one) for one in row.rounds],
        "complaints": row.complaints,
    }


def _scenario(scenario: Scenario) -> dict[str, Any]:
    return {**asdict(scenario), "kind": scenario.kind.value}


def _aim(aim: Aim) -> dict[str, Any]:
    measured = asdict(aim.measured)
    return {"sentence": aim.sentence, "limit": aim.limit, "measured": measured, "verdict": aim.verdict}


def _without_nan(value: Any) -> Any:
    """JSON has no number for what is not one."""
    match value:
        case dict():
            return {key: _without_nan(member) for key, member in value.items()}
        case list():
            return [_without_nan(member) for member in value]
        case float() if math.isnan(value):
            return None
        case _:
            return value
