"""The parts of one call, made from its settings."""

import logging
from collections.abc import Iterable, Sequence
from typing import TypeVar

from glottis import Call, Component, ConfigurationError, PluginError, VoiceActivityDetector

from glottis_conversation.chain import Chain
from glottis_conversation.kinds import Floor, Manner, Tool, ToolFunction
from glottis_conversation.settings import ConversationConfig
from glottis_conversation.speech import Voice
from glottis_conversation.thinking import Mind
from glottis_conversation.tools import tool_of

T = TypeVar("T")

_logger = logging.getLogger(__name__)


def chain_of(what: str, first: Component[T] | None, fallbacks: Sequence[Component[T]]) -> Chain[T]:
    """Those of a kind that can be made, in their order; what became of the others was told by ``check_parts``."""
    parts: list[tuple[str, T]] = []
    for component in _line(first, fallbacks):
        try:
            parts.append((component.name, component.make()))
        except (ConfigurationError, PluginError) as error:
            _logger.debug("the %s %s cannot be made: %s", what, component.name, error)
    return Chain(what, parts)


def detector_of(config: ConversationConfig) -> VoiceActivityDetector | None:
    """None where it cannot be made, and callers are to write instead: that was told before any call."""
    try:
        return config.vad.make()
    except (ConfigurationError, PluginError):
        if config.when_missing == "refuse":
            raise
        return None


def mind_of(config: ConversationConfig, tools: Sequence[Tool]) -> Mind:
    """What answers, with these tools."""
    models = chain_of("model", config.llm, config.llm_fallbacks)
    return Mind(models, tools, config.patience, config.max_reply_characters)


def voice_of(config: ConversationConfig, call: Call, manner: Manner) -> Voice:
    """What speaks, in this manner."""
    voices = chain_of("voice", config.tts, config.tts_fallbacks)
    return Voice(call, voices, config.resampling.make(), config.patience, manner)


def tools_of(
    config: ConversationConfig, floor: Floor, functions: Sequence[ToolFunction], hang_up: ToolFunction
) -> list[Tool]:
    """All that there are for who has this floor. Of two with one name the first."""
    brought = [each for box in config.tools for each in box.make().functions(floor.call)]
    skills = [each for skill in config.skills for each in skill.make().tools(floor)]
    tools: dict[str, Tool] = {}
    for tool in (*map(tool_of, functions), *map(tool_of, brought), *skills, tool_of(hang_up)):
        tools.setdefault(tool.name, tool)
    return list(tools.values())


def check_parts(config: ConversationConfig) -> None:
    """Make each part once, so that one that cannot be made is told before any call.

    Raises ``PluginError`` and ``ConfigurationError``; where callers may write instead, those for speech are logged.
    """
    needed = [config.llm, config.turn_detector, config.resampling, *config.llm_fallbacks]
    for component in [*needed, *config.tools, *config.skills]:
        component.make()
    voices = [*_line(config.tts, config.tts_fallbacks), *config.voices.values()]
    for speaking in (_line(config.stt, config.stt_fallbacks), voices, [config.vad]):
        for part in speaking:
            try:
                part.make()
            except (ConfigurationError, PluginError) as error:
                if config.when_missing == "refuse":
                    raise
                _logger.warning("%s is left out: %s", part.name, error)


def _line(first: Component[T] | None, fallbacks: Iterable[Component[T]]) -> list[Component[T]]:
    return [*([first] if first is not None else []), *fallbacks]
