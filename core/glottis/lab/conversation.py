"""An agent in a condition: the caller tells it the speech, and interrupts its answer with it."""

from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

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
from glottis.testing.callers.report import CallReport
from glottis.testing.callers.turns import Turn

SILENCE: Final = 1.0
"""Seconds in which the agent says no more: its turn is over."""


class TimedTurn(Turn, frozen=True, kw_only=True):
    """A turn with what the agent has told of its answer by the event ``turn`` (docs/conversation.md)."""

    parts_ms: dict[str, float] = field(default_factory=dict)


class _TurnEvent(Struct, frozen=True, tag_field="name", tag="turn"):
    data: dict[str, Any]


def timed(call: CallReport) -> tuple[TimedTurn, ...]:
    """The turns of a call. An answer's event comes between the end of what it answers and its own."""
    told = [(text.at_s, parts) for text in call.texts if (parts := _parts_of(text.text)) is not None]

    def parts_of(turn: Turn) -> dict[str, float]:
        if turn.answer_ms is None:
            return {}
        asked = turn.start_s - turn.answer_ms / 1000
        return next((parts for at, parts in told if asked < at <= turn.end_s), {})

    return tuple(TimedTurn(**msgspec.structs.asdict(turn), parts_ms=parts_of(turn)) for turn in call.turns)


def conversation_with(condition: Condition, ends: Ends) -> tuple[dict[str, float | None], tuple[TimedTurn, ...]]:
    """Those of ``Measures`` that are of agents, and the turns. Raises ``LocalError`` where the agent fails."""
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
    [call] = report.calls
    if call.error:
        raise LocalError(f"the agent failed: {call.error}")
    return {
        "answer_ms": _median(report.answers_ms),
        "barge_in_ms": _median(report.barge_ins_ms),
        "word_errors": _median(report.word_error_rates),
    }, timed(call)


def _parts_of(text: str) -> dict[str, float] | None:
    """None of what is no such event."""
    try:
        parts = msgspec.json.decode(text, type=_TurnEvent).data["parts"]
        return {str(name): float(milliseconds) for name, milliseconds in parts.items()}
    except (msgspec.MsgspecError, KeyError, AttributeError, TypeError, ValueError):
        return None


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
