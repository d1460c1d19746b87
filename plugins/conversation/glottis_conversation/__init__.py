"""The agent ``conversation``: joins recognisers, models and voices, whoever brings these, to somebody to talk with."""

from collections.abc import Sequence

from glottis import AgentSpec, ComponentSpec, hookimpl

from glottis_conversation.agent import conversation
from glottis_conversation.kinds import (
    Choosing,
    Floor,
    Judging,
    LanguageModel,
    Manner,
    Message,
    Paced,
    Request,
    Skill,
    SpeechToText,
    TextToSpeech,
    Tool,
    Toolbox,
    ToolCall,
    ToolFunction,
    Transcript,
    TurnDetector,
)
from glottis_conversation.settings import ConversationConfig
from glottis_conversation.tools import tool_of
from glottis_conversation.turn_detector import WordsConfig, WordsDetector

__all__ = [
    "Choosing",
    "ConversationConfig",
    "Floor",
    "Judging",
    "LanguageModel",
    "Manner",
    "Message",
    "Paced",
    "Request",
    "Skill",
    "SpeechToText",
    "TextToSpeech",
    "Tool",
    "ToolCall",
    "ToolFunction",
    "Toolbox",
    "Transcript",
    "TurnDetector",
    "WordsConfig",
    "WordsDetector",
    "conversation",
    "tool_of",
]


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``conversation``."""
    return [AgentSpec("conversation", conversation, ConversationConfig)]


@hookimpl
def register_components() -> Sequence[ComponentSpec[TurnDetector]]:
    """The turn detector ``words``."""
    return [ComponentSpec(TurnDetector, "words", WordsDetector, WordsConfig)]
