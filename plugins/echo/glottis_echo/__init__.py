"""The agent ``echo``: gives back what it hears and reads. The text ``hangup`` makes it hang up."""

from collections.abc import Sequence
from typing import Final

import msgspec
import trio
from glottis import Agent, AgentSpec, BytesMessage, Call, TextMessage, hookimpl

HANG_UP: Final = "hangup"


class EchoConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the agent."""

    encoded: bool = False
    """Send the caller's packets back as they came, without decoding them."""


def create(config: EchoConfig) -> Agent:
    """The agent with these settings."""

    async def echo(call: Call) -> None:
        call.nursery.start_soon(echo_messages, call)
        if config.encoded:
            with call.forward(call, encoded=True):
                await trio.sleep_forever()
        async for frame in call.audio:
            await call.say(frame)

    return echo


async def echo_messages(call: Call) -> None:
    """Send each message back, by the channel that it came by."""
    async for message in call.messages:
        if isinstance(message, BytesMessage):
            await call.send_bytes(message.data, message.channel)
            continue
        await call.send_text(message.text, message.channel)
        if isinstance(message, TextMessage) and message.text.strip() == HANG_UP:
            call.hang_up("the caller asked for it")


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``echo``."""
    return [AgentSpec("echo", create, EchoConfig)]
