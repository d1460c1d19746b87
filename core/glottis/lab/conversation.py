"""An agent in a condition: the caller tells it the speech, and interrupts its answer with it."""

from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

from glottis.contracts.errors import ConfigurationError, LocalError
from glottis.lab.call import Ends
from glottis.lab.networks import Network
from glottis.lab.plan import Agent, Condition
from glottis.lab.samples import RATE
from glottis.lab.script import begin, lab_network, network_of, sound_of
from glottis.peer import PeerSettings
from glottis.sctp import DEFAULT_MAX_MESSAGE_SIZE
from glottis.testing import Step, try_agent
from glottis.testing.callers.agents import agent_named, recogniser_named

SILENCE: Final = 1.0
"""Seconds in which the agent says no more: its turn is over."""


def conversation_with(condition: Condition, ends: Ends) -> dict[str, float | None]:
    """Those of ``Measures`` that are of agents. Raises ``LocalError`` where the agent fails."""
    agent = condition.agent
    assert agent is not None, "asked for conditions with one only"
    speech = sound_of(Path(condition.speech), condition.codec.sample_rate)
    answered = Step(expect_words=agent.words, word_errors=1.0) if agent.words else Step(expect_sound=True)
    again = [Step(say=speech), Step(expect_sound=True)] if agent.words else []
    report = try_agent(
        agent.agent,
        Step(say=speech),
        answered,
        *again,
        Step(interrupt=speech, after_s=agent.interrupt_after_s),
        Step(expect_silence_s=SILENCE),
        settings=agent.settings,
        seed=condition.seed,
        network=lab_network(condition.network),
        began=begin,
        patience_s=agent.patience_s,
        recogniser=agent.recogniser,
        recogniser_settings=agent.recogniser_settings,
        peers=(_with_channels(ends.mouth), _with_channels(ends.ear)),
    )
    if report.calls[0].error:
        raise LocalError(f"the agent failed: {report.calls[0].error}")
    return {
        "answer_ms": _median(report.answers_ms),
        "barge_in_ms": _median(report.barge_ins_ms),
        "word_errors": _median(report.word_error_rates),
    }


def check_agent(agent: Agent, networks: tuple[Network, ...]) -> None:
    """Raises ``ConfigurationError`` for what is not there, or cannot be tried together."""
    agent_named(agent.agent, agent.settings, RATE)
    recogniser_named(agent.recogniser, agent.recogniser_settings)
    if bool(agent.words) != bool(agent.recogniser):
        raise ConfigurationError("words: go with a recogniser, and a recogniser with words")
    for network in networks:
        network_of(network)


def _with_channels(settings: PeerSettings) -> PeerSettings:
    """For the caller's texts."""
    return replace(settings, max_message_size=DEFAULT_MAX_MESSAGE_SIZE)


def _median(values: list[float]) -> float | None:
    """None where an answer never came: that is no failure of the condition."""
    return round(median(values), 4) if values else None
