"""The agent ``conversation``."""

from collections.abc import Sequence

from glottis import Agent, Call

from glottis_conversation.dialogue import Dialogue
from glottis_conversation.kinds import ToolFunction
from glottis_conversation.parts import check_parts
from glottis_conversation.settings import ConversationConfig


def conversation(config: ConversationConfig, tools: Sequence[ToolFunction] = ()) -> Agent:
    """The agent of these settings, whose model may call these ``tools``, too.

    It makes each part at once: one that cannot be made is told before any call.
    """
    check_parts(config)

    async def converse(call: Call) -> None:
        await Dialogue(call, config, tools).run()

    return converse
