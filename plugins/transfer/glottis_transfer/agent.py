"""The agent: asks for a key or a word, and hands the call over."""

from functools import partial
from typing import Annotated

import msgspec
import trio
from glottis import Call, CampaignInfo, ConfigurationError, TextMessage
from msgspec import Meta


class TransferConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the agent."""

    choices: dict[str, str]
    """By what the caller presses or writes: the name of an agent of the campaign."""
    prompt: str = ""
    """What is written to the caller. Empty: the choices."""
    fallback: str = ""
    """The agent for who chooses nothing in time. Empty: the call ends."""
    wait: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    """Seconds for the caller to choose."""

    def __post_init__(self) -> None:
        if not self.choices:
            raise ConfigurationError('choices: expected at least one, such as { 1 = "sales" }')


class Reception:
    """One for each campaign."""

    def __init__(self, config: TransferConfig, campaign: CampaignInfo) -> None:
        wanted = [*config.choices.values(), *([config.fallback] if config.fallback else [])]
        if unknown := [name for name in wanted if name not in campaign.agents]:
            known = ", ".join(campaign.agents)
            raise ConfigurationError(f"choices: {unknown[0]!r} is none of the campaign's agents; there are: {known}")
        self._config = config
        self._choices = {choice.strip().lower(): name for choice, name in config.choices.items()}

    async def __call__(self, call: Call) -> None:
        """Hands the call over, or ends it when nobody was chosen."""
        await call.send_text(self._config.prompt or _listing(self._config.choices))
        chosen = self._config.fallback
        send, receive = trio.open_memory_channel[str](0)
        with trio.move_on_after(self._config.wait):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(self._hear_keys, call, send))
                nursery.start_soon(partial(self._read_texts, call, send))
                chosen = await receive.receive()
                nursery.cancel_scope.cancel()
        if chosen:
            call.flush()
            await call.send_event("transferred", {"to": chosen})
            call.transfer(chosen)

    async def _hear_keys(self, call: Call, send: trio.MemorySendChannel[str]) -> None:
        async for press in call.dtmf:
            if press.digit.lower() in self._choices:
                await send.send(self._choices[press.digit.lower()])
                return

    async def _read_texts(self, call: Call, send: trio.MemorySendChannel[str]) -> None:
        async for message in call.messages:
            if not isinstance(message, TextMessage):
                continue
            if (word := message.text.strip().lower()) in self._choices:
                await send.send(self._choices[word])
                return  # what comes next is for whom the caller has chosen
            await call.send_text(f"Nobody is called that. {_listing(self._config.choices)}")


def _listing(choices: dict[str, str]) -> str:
    return ", ".join(f"{choice}: {name}" for choice, name in choices.items())
