"""The examples of docs/conversation.md do what it says of them."""

import importlib.util
from pathlib import Path
from types import ModuleType

import trio
import trio.testing
from glottis import TextMessage
from glottis.config import load_config, resolve
from glottis.plugins import load_plugins
from glottis.testing import fake_call
from glottis_conversation import ConversationConfig, ToolCall, conversation
from support.markdown import Document
from support.talking import Mind, settings

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


def test_the_demo_has_a_conversation() -> None:
    config = load_config(Path(__file__).parents[3] / "demo.toml", {})
    found = resolve(config, load_plugins()).campaigns["assistant"].agent.settings
    assert isinstance(found, ConversationConfig)
    assert found.when_missing == "write"
