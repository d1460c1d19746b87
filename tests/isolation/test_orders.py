"""Which agents can have processes of their own, and what is said of others."""

from pathlib import Path

import pytest
from glottis import Call
from glottis.cli import main
from glottis.contracts.errors import ConfigurationError
from glottis.isolation.orders import make, order_of
from glottis.isolation.pickles import pickled, unpickled
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


async def agent(call: Call) -> None:
    """Given directly."""


def test_an_agent_that_no_process_can_load_is_refused(tmp_path: Path) -> None:
    function = FunctionAgent(agent, "agent", __name__)
    with pytest.raises(ConfigurationError, match=r"campaigns\.mine\.isolation: expected an agent that a process can"):
        resolve_test_config(tmp_path, ISOLATED.format(agent="agent"), [function])


def test_calls_cannot_be_handed_on_from_a_process(tmp_path: Path) -> None:
    config = ISOLATED.format(agent="echo") + '\n[campaigns.mine.agents.other]\nagent = "echo"\n'
    with pytest.raises(ConfigurationError, match=r"campaigns\.mine\.agents: expected none"):
        resolve_test_config(tmp_path, config)


def test_settings_are_checked_where_the_agent_is_not_made(tmp_path: Path) -> None:
    config = ISOLATED.format(agent="echo") + "\n[campaigns.mine.settings]\nencoded = 3\n"
    with pytest.raises(ConfigurationError, match=r"campaigns\.mine\.settings\.encoded: expected"):
        resolve_test_config(tmp_path, config)


def test_what_is_ordered_is_made(tmp_path: Path) -> None:
    config = ISOLATED.format(agent="echo") + "\n[campaigns.mine.settings]\nencoded = true\n"
    order = order_of("mine", resolve_test_config(tmp_path, config))
    made = make(unpickled(pickled(order)))
    assert made.settings.encoded


def test_a_function_of_a_file_is_made(tmp_path: Path) -> None:
    file = tmp_path / "my.py"
    file.write_text("async def agent(call):\n    pass\n")
    name = f"{file}:agent"
    with imports_of(tmp_path):
        resolved = resolve_test_config(tmp_path, ISOLATED.format(agent=name), [AgentFile(name)])
        assert make(unpickled(pickled(order_of("mine", resolved)))).plugins[-1].name == name


def test_the_option_is_for_the_function_beside_it() -> None:
    assert main(["serve", "--isolation", "process"]) == 2
