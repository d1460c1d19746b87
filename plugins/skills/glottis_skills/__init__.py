"""The component ``skills``: answers by rules and from a file, without a language model."""

from collections.abc import Sequence

from glottis import ComponentSpec, hookimpl
from glottis_conversation import LanguageModel

from glottis_skills.model import Skills, SkillsConfig

__all__ = ["Skills", "SkillsConfig"]


@hookimpl
def register_components() -> Sequence[ComponentSpec[LanguageModel]]:
    """The model ``skills``."""
    return [ComponentSpec(LanguageModel, "skills", Skills, SkillsConfig)]
