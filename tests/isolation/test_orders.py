"""Which agents can have processes of their own, and what is said of others."""

import re
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis import Call
from glottis.cli import main
from glottis.contracts.errors import ConfigurationError
from glottis.isolation.orders import make, order_of
from glottis.isolation.pickles import pickled, unpickled
from glottis.isolation.pool import PLACE_PATIENCE
from glottis.isolation.workers import AgentWorkers
from glottis.plugins import AgentFile, FunctionAgent
from support.gateway import resolve_test_config
from support.imports import imports_of

ISOLATED = """
[auth]
scheme = "anonymous"

[campaigns.mine]
agent = "{agent}"
isolation = "process"
"""


OTHER = """
[campaigns.mine.agents.other]
agent = "echo"
"""


async def agent(call: Call) -> None:
    """Given directly."""


def test_an_agent_that_no_process_can_load_is_refused(tmp_path: Path) -> None:
    function = FunctionAgent(agent, "agent", __name__)
    with pytest.raises(ConfigurationError, match=r"campaigns\.mine\.agent: expected an agent that a process can"):
        resolve_test_config(tmp_path, ISOLATED.format(agent="agent"), [function])


@pytest.mark.parametrize("place", ["campaigns.mine", "campaigns.mine.agents.other"])
def test_settings_are_checked_where_the_agent_is_not_made(place: str, tmp_path: Path) -> None:
    config = f"{ISOLATED.format(agent='echo')}{OTHER}\n[{place}.settings]\nencoded = 3\n"
    with pytest.raises(ConfigurationError, match=rf"{re.escape(place)}\.settings\.encoded: expected"):
        resolve_test_config(tmp_path, config)


def test_what_is_ordered_is_made(tmp_path: Path) -> None:
    config = ISOLATED.format(agent="echo") + "\n[campaigns.mine.settings]\nencoded = true\n" + OTHER
    order = order_of("mine", resolve_test_config(tmp_path, config))
    made = make(unpickled(pickled(order)))
    assert {name: one.settings.encoded for name, one in made.agents.items()} == {"echo": True, "other": False}


async def test_who_asks_for_a_session_does_not_wait_for_ever_for_a_process(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    workers = AgentWorkers(resolve_test_config(tmp_path, ISOLATED.format(agent="echo")))  # none of which is started
    began = trio.current_time()
    assert not await workers.some_ready("mine")
    assert trio.current_time() - began == PLACE_PATIENCE
    assert not workers.have_begun
    assert workers.counts().calls_refused == 1
    assert await workers.some_ready("another, which has no processes")


def test_a_function_of_a_file_is_made(tmp_path: Path) -> None:
    file = tmp_path / "my.py"
    file.write_text("async def agent(call):\n    pass\n")
    name = f"{file}:agent"
    with imports_of(tmp_path):
        resolved = resolve_test_config(tmp_path, ISOLATED.format(agent=name), [AgentFile(name)])
        assert make(unpickled(pickled(order_of("mine", resolved)))).plugins[-1].name == name


def test_the_option_is_for_the_function_beside_it() -> None:
    assert main(["serve", "--isolation", "process"]) == 2
