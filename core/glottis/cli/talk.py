"""``glottis talk``: talk with an agent that is one function, in the terminal."""

import argparse
import os
from functools import partial

import msgspec

from glottis.cli.call import add_voice
from glottis.cli.parts import Commands, Parts, add_config, resolved
from glottis.config import Auth, Config, Log, configure_logging, load_log
from glottis.plugins import AgentFile


def add(commands: Commands) -> None:
    """Add the command."""
    talk = commands.add_parser("talk", help="talk with an agent by microphone and loudspeaker, or by WAV files")
    talk.add_argument("agent", metavar="FILE:FUNCTION", help="the agent, such as my.py:agent")
    add_config(talk)
    add_voice(talk, "16-bit WAV file to speak; without it, the microphone's sound")
    talk.set_defaults(run=_talk)


def _talk(options: argparse.Namespace, parts: Parts) -> int:
    from glottis.client.command import CallerOptions  # late, so that other commands need not wait for it

    configure_logging(_without_news(load_log(options.config, os.environ)))
    served = resolved(options.config, parts, partial(AgentFile, options.agent), _for_this_terminal)
    campaign = next(function.campaign_id for function in served.functions if function.name == options.agent)
    caller = CallerOptions("", campaign=campaign, wav=options.wav, record=options.record, listen=options.listen)
    return parts.run_talk(served.config, caller, served.registry)


def _without_news(log: Log) -> Log:
    """The call's own lines say how it goes."""
    return msgspec.structs.replace(log, level="warning") if log.level == "info" else log


def _for_this_terminal(config: Config) -> Config:
    """Nobody else can call, so nobody has to show who they are; and a gateway that runs already is in no one's way."""
    server = msgspec.structs.replace(config.server, host="127.0.0.1", port=0, trusted_proxies=())
    return msgspec.structs.replace(config, server=server, auth=Auth())
