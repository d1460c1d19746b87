"""A script that serves its own agent: ``run(agent)``."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glottis.contracts.call import Agent


def run(agent: "Agent", *, port: int = 8080, config: str | Path | None = None) -> None:
    """Serve an agent and the demo page on this port until Ctrl-C; the campaign is called what the function is.

    ``config`` is a configuration file for all the rest. Raises ``LocalError`` for a function that is no agent, a
    configuration that is wrong or a port that is taken.
    """
    from glottis.cli.script import run_agent  # late: whoever imports glottis for its types needs no gateway

    run_agent(agent, port, None if config is None else Path(config))
