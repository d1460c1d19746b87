"""The agent ``assistant``: can do things without a language model; with one, they are its tools."""

from glottis import Component
from glottis_conversation import ConversationConfig, LanguageModel, Skill

BASICS = (
    "repeat",
    "voice",
    "goodbye",
    "message",
    "timers",
    "arithmetic",
    "units",
    "spelling",
    "clock",
    "courtesy",
    "help",
)


class AssistantConfig(ConversationConfig, frozen=True, kw_only=True):
    """Settings of the agent ``assistant``: those of ``conversation``, with other defaults."""

    llm: Component[LanguageModel] = Component("skills")
    """Finds the answers: ``skills`` goes by rules."""
    skills: tuple[Component[Skill], ...] = tuple(map(Component, BASICS))
    """What it can do."""
    greeting: str = "Hello. What can I do for you?"
    """Said first."""
