"""Fixtures for pytest: ``from glottis.testing.fixtures import caller`` in a test module or ``conftest.py``."""

from collections.abc import Callable
from typing import Any

import pytest

from glottis.contracts.call import Agent
from glottis.testing.callers.report import Report
from glottis.testing.callers.steps import Step
from glottis.testing.callers.trying import try_agent

Caller = Callable[..., Report]


@pytest.fixture
def caller() -> Caller:
    """``try_agent``, but the test fails, with the report of turns, where something is not as the script expects."""

    def call(agent: Agent | str, *steps: Step, **options: Any) -> Report:
        report = try_agent(agent, *steps, **options)
        if not report.ok:
            pytest.fail(f"not as expected\n{report}", pytrace=False)
        return report

    return call
