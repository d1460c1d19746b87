"""The agent ``assistant``, its skills, and the model ``skills`` that goes by rules, without a language model."""

from collections.abc import Sequence
from typing import Any

from glottis import AgentSpec, ComponentSpec, hookimpl
from glottis_conversation import LanguageModel, Skill, conversation

from glottis_skills.answers import AnswersConfig, AnswersSkill
from glottis_skills.arithmetic import Arithmetic
from glottis_skills.assistant import AssistantConfig
from glottis_skills.clock import Clock, ClockConfig
from glottis_skills.filling import Slot
from glottis_skills.forms import Form, FormConfig, MessageConfig, message
from glottis_skills.manners import (
    Courtesy,
    CourtesyConfig,
    Goodbye,
    GoodbyeConfig,
    Help,
    HelpConfig,
    Repeat,
    VoiceSkill,
)
from glottis_skills.rules import Rules, RulesConfig
from glottis_skills.spelling import Spelling
from glottis_skills.timers import Timers
from glottis_skills.units import Units

__all__ = [
    "AnswersConfig",
    "AssistantConfig",
    "ClockConfig",
    "CourtesyConfig",
    "FormConfig",
    "GoodbyeConfig",
    "HelpConfig",
    "MessageConfig",
    "Rules",
    "RulesConfig",
    "Slot",
]


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``assistant``."""
    return [AgentSpec("assistant", conversation, AssistantConfig)]


@hookimpl
def register_components() -> Sequence[ComponentSpec[Any]]:
    """The model, and the skills."""
    return [
        ComponentSpec(LanguageModel, "skills", Rules, RulesConfig),
        ComponentSpec(Skill, "answers", AnswersSkill, AnswersConfig),
        ComponentSpec(Skill, "arithmetic", Arithmetic),
        ComponentSpec(Skill, "clock", Clock, ClockConfig),
        ComponentSpec(Skill, "courtesy", Courtesy, CourtesyConfig),
        ComponentSpec(Skill, "form", Form, FormConfig),
        ComponentSpec(Skill, "goodbye", Goodbye, GoodbyeConfig),
        ComponentSpec(Skill, "help", Help, HelpConfig),
        ComponentSpec(Skill, "message", message, MessageConfig),
        ComponentSpec(Skill, "repeat", Repeat),
        ComponentSpec(Skill, "spelling", Spelling),
        ComponentSpec(Skill, "timers", Timers),
        ComponentSpec(Skill, "units", Units),
        ComponentSpec(Skill, "voice", VoiceSkill),
    ]
