"""The examples of docs/conversation.md do what it says of them."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
import trio
import trio.testing
from glottis import Component, TextMessage
from glottis.config import load_config, resolve
from glottis.plugins import load_plugins
from glottis.testing import fake_call
from glottis_conversation import ConversationConfig, ToolCall, conversation
from support.installed import installed_plugins
from support.markdown import Document
from support.talking import Loudness, Mind, settings

DOCUMENT = Document(Path(__file__).parents[3] / "docs/conversation.md")


def example(name: str, folder: Path) -> ModuleType:
    DOCUMENT.write_files(folder)
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_oracle_answers_and_hangs_up(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    configuration = tmp_path / "glottis.toml"
    configuration.write_text('[campaigns.temple]\nagent = "conversation"\nsettings.llm = "oracle"\n')
    registry = load_plugins([example("oracle", tmp_path)])
    found = resolve(load_config(configuration, {}), registry).campaigns["temple"].agent.settings
    assert isinstance(found, ConversationConfig)
    async with fake_call(conversation(found)) as call:
        call.caller_writes(TextMessage("Who am I?"))
        await trio.sleep(1)
        call.caller_writes(TextMessage("Bye"))
        await call.ended.wait()
    assert [text for text, _ in call.sent_messages] == ["Know thyself.", "You have asked 1 times.", "Farewell."]


async def test_the_bakery_knows_its_prices(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    (spec,) = example("bakery", tmp_path).register_agents()
    mind = Mind([ToolCall("price_of", {"bread": "rye", "loaves": 3})], "Twelve euros.")
    async with fake_call(spec.create(settings(mind))) as call:
        call.caller_writes(TextMessage("What are three loaves of rye?"))
        await trio.sleep(1)
    assert mind.histories[1][-1].text == "12 euros"
    assert call.sent_messages == [("Twelve euros.", None)]


async def test_the_dice_come_to_rest(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    configuration = tmp_path / "glottis.toml"
    configuration.write_text('[campaigns.casino]\nagent = "assistant"\nsettings.skills = ["dice"]\n')
    registry = load_plugins([example("dice", tmp_path)])
    found = resolve(load_config(configuration, {}), registry).campaigns["casino"].agent.settings
    assert isinstance(found, ConversationConfig)
    async with fake_call(conversation(found)) as call:
        await trio.testing.wait_all_tasks_blocked()
        call.caller_writes(TextMessage("Throw!"))
        await trio.sleep(5)
    [_, goes, is_a] = [text for text, _ in call.sent_messages]
    assert goes == "There it goes."
    assert re.fullmatch(r"It is a [1-6]\.", str(is_a))


async def test_the_receptionist_answers_and_takes_orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    DOCUMENT.write_files(tmp_path)
    lines = [(tmp_path / name).read_text().splitlines() for name in ("receptionist.toml", "bakery.md")]
    assert sum(map(len, lines)) <= 40
    monkeypatch.chdir(tmp_path)
    found = (
        resolve(load_config(tmp_path / "receptionist.toml", {}), load_plugins()).campaigns["reception"].agent.settings
    )
    assert isinstance(found, ConversationConfig)
    agent = conversation(msgspec.structs.replace(found, stt=None, tts=None, vad=Component("none", Loudness)))
    order = ["I'd like to order bread for Friday", "Walnut, please", "two", "My name is Bob", "No, three", "yes"]
    async with fake_call(agent) as call:
        await trio.testing.wait_all_tasks_blocked()
        for text in ["When do you open?", *order, "Thanks, goodbye"]:
            before = len(call.sent_messages)
            call.caller_writes(TextMessage(text))
            while len(call.sent_messages) == before:  # a file is written by a thread
                await trio.testing.wait_all_tasks_blocked()
        await call.ended.wait()
    written = [str(text) for text, _ in call.sent_messages]
    assert written[1:4] == [
        "From six in the morning to one in the afternoon, and never on Sundays.",
        "Which bread would you like?",
        "How many loaves?",
    ]
    assert written[-2:] == ["Thank you, I have noted it.", "Goodbye."]
    values = json.loads((tmp_path / "orders.jsonl").read_text())["values"]
    assert values["loaves"] == "3"
    assert values["day"].startswith("Friday")


def test_the_demo_has_a_conversation() -> None:
    config = load_config(Path(__file__).parents[3] / "demo.toml", {})
    found = resolve(config, installed_plugins()).campaigns["assistant"].agent.settings
    assert isinstance(found, ConversationConfig)
    assert found.when_missing == "write"
