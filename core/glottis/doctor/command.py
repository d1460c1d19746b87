"""``glottis doctor``: examine, and print what was found."""

import json
import sys
from typing import Final

import trio

from glottis.config import ResolvedConfig
from glottis.doctor.examination import examine
from glottis.doctor.findings import Finding, Level
from glottis.plugins import Registry

EXIT_FAILED: Final = 1


def run(config: ResolvedConfig, registry: Registry, *, as_json: bool = False) -> int:
    """One line for each finding, or all of them as a JSON array; returns the exit code: 1 if anything fails."""
    return trio.run(_run, config, registry, as_json)


async def _run(config: ResolvedConfig, registry: Registry, as_json: bool) -> int:
    findings: list[Finding] = []
    async for finding in examine(config, registry):
        findings.append(finding)
        if not as_json:
            sys.stdout.write(f"{finding}\n")
            sys.stdout.flush()
    if as_json:
        sys.stdout.write(json.dumps([finding.document() for finding in findings], ensure_ascii=False, indent=2) + "\n")
    return EXIT_FAILED if any(finding.level is Level.FAIL for finding in findings) else 0
