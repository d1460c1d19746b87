"""What ``glottis.run`` does: the command ``glottis serve`` for a function that a script has at hand."""

import os
from functools import partial
from pathlib import Path

import msgspec

from glottis.cli.fleet import begin
from glottis.cli.parts import Parts, resolved
from glottis.config import Config, flush_logs, load_log, name_sources, uncaught_errors_logged
from glottis.contracts.call import Agent
from glottis.contracts.checks import check_integer
from glottis.contracts.errors import ConfigurationError, LocalError
from glottis.plugins import FunctionAgent


def run_agent(agent: Agent, port: int, path: Path | None, parts: Parts | None = None) -> None:
    """See ``glottis.run``."""
    parts = parts or Parts()
    try:
        check_integer("port", port, 0, 65535)
    except ValueError as error:
        raise LocalError(f"run: {error}") from None
    name = getattr(agent, "__qualname__", type(agent).__qualname__)
    open_agent = partial(FunctionAgent, agent, name, getattr(agent, "__module__", ""))
    begin(load_log(path, os.environ))
    try:
        if parts.run_parent(path) is not None:
            return
        served = resolved(path, parts, open_agent, partial(_on_port, port))
        with uncaught_errors_logged():
            parts.run_gateway(served.config)
    except ConfigurationError as error:
        raise ConfigurationError(name_sources(str(error), os.environ, path)) from None
    finally:
        flush_logs()


def _on_port(port: int, config: Config) -> Config:
    return msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, port=port))
