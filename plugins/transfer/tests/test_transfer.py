"""Callers get whom they choose, by key or word, in time or not."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
import trio.testing
from glottis import Call, CallInfo, CampaignInfo, ConfigurationError, TextMessage
from glottis.testing.fake_call import FakeCall, fake_call
from glottis_transfer import Reception, SelectionConfig, TransferConfig, select_agent

Clock = trio.testing.MockClock
CAMPAIGN = CampaignInfo("hotline", 16000, ("transfer", "sales", "support"))


async def sales(call: Call) -> None:
    await call.send_text("Sales.")
    async for message in call.messages:
        assert isinstance(message, TextMessage)
        await call.send_text(f"You have bought {message.text}.")


async def support(call: Call) -> None:
    await call.send_text("Support.")
    await trio.sleep_forever()


def conversation(**settings: Any) -> AbstractAsyncContextManager[FakeCall]:
    config = TransferConfig(**{"choices": {"1": "sales", "Help": "support"}, **settings})
    return fake_call(Reception(config, CAMPAIGN), agents={"sales": sales, "support": support})


def texts(call: FakeCall) -> list[str | bytes]:
    return [text for text, _ in call.sent_messages]


async def test_key_leads_to_an_agent(autojump_clock: Clock) -> None:
    async with conversation(prompt="Press 1.") as call:
        await call.caller_presses("51")
        await trio.sleep(0.1)
        assert texts(call) == ["Press 1.", "Sales."]
        assert call.sent_events == [("transferred", {"to": "sales"})]


async def test_word_leads_to_an_agent_and_the_next_text_is_theirs(autojump_clock: Clock) -> None:
    async with conversation() as call:
        for text in ("what?", " HELP "):
            call.caller_writes(TextMessage(text))
        await trio.sleep(0.1)
        choices = "1: sales, Help: support"
        assert texts(call) == [choices, f"Nobody is called that. {choices}", "Support."]
    async with conversation() as call:
        for text in ("1", "two apples", "a pear"):
            call.caller_writes(TextMessage(text))
        await trio.sleep(0.1)
        assert texts(call)[1:] == ["Sales.", "You have bought two apples.", "You have bought a pear."]


@pytest.mark.parametrize(("fallback", "transfers"), [("support", ["support"]), ("", [])])
async def test_who_chooses_nothing_gets_the_fallback(
    fallback: str, transfers: list[str], autojump_clock: Clock
) -> None:
    async with conversation(fallback=fallback, wait=10) as call:
        await trio.sleep(11)
        assert call.transfers == transfers
        assert call.ended.is_set() == (not transfers)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"choices": {}}, "choices: expected at least one"),
        (
            {"choices": {"1": "nobody"}},
            "choices: 'nobody' is none of the campaign's agents; there are: transfer, sales",
        ),
        ({"choices": {"1": "sales"}, "fallback": "nobody"}, "choices: 'nobody' is none of the campaign's agents"),
    ],
)
def test_choice_that_nobody_could_have_is_refused_at_the_start(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{complaint}"):
        Reception(TransferConfig(**settings), CAMPAIGN)


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"agent": "sales"}, "sales"),
        ({"agent": "nobody"}, None),
        ({"agent": 7}, None),
        ({"agent": ["sales"]}, None),
        ({}, None),
    ],
)
def test_request_may_name_who_answers(variables: dict[str, Any], name: str | None) -> None:
    info = CallInfo("session", "hotline", dynamic_variables=variables)
    assert select_agent(info, CAMPAIGN.agents, SelectionConfig()) == name
    assert select_agent(info, CAMPAIGN.agents, SelectionConfig(variable="other")) is None
