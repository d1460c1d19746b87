"""Each agent of ``docs/examples`` does what it says of itself, and is shown in the documentation."""

import json
import re
import sys
import wave
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from glottis import CallInfo, TextMessage
from glottis.plugins import AgentFile
from glottis.testing.fake_call import FakeCall, fake_call
from support.audio import SPEECH, write_wav
from support.imports import imports_of
from support.markdown import Document
from support.phone import eventually

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
AGENTS = {
    "parrot": "parrot",
    "player": "player",
    "greeter": "greeter",
    "recorder": "recorder",
    "menu": "menu",
    "transfer": "reception",
    "bridge": "bridge",
    "translator": "translator",
    "chatbot": "chatbot",
    "asyncio_library": "asker",
}
RATE = 16000
SECOND = bytes(2 * RATE)
VOICE = b"\x00\x10" * (RATE // 2) + b"\x00\xf0" * (RATE // 2)
"""A second, of two halves that differ."""


@pytest.fixture(autouse=True)
def forget_examples() -> Iterator[None]:
    with imports_of(EXAMPLES):
        yield


def agent_of(name: str) -> AgentFile:
    return AgentFile(f"{EXAMPLES / name}.py:{AGENTS[name]}")


def conversation(name: str, sample_rate: int = RATE, **info: Any) -> AbstractAsyncContextManager[FakeCall]:
    return fake_call(
        agent_of(name).converse,
        sample_rate=sample_rate,
        info=CallInfo(session_id="session", campaign_id=name, **info),
    )


def texts(call: FakeCall) -> list[str | bytes]:
    return [text for text, _ in call.sent_messages]


def test_there_are_ten_of_ten_to_forty_lines() -> None:
    lengths = {path.stem: len(path.read_text().splitlines()) for path in EXAMPLES.glob("*.py")}
    assert lengths.keys() == AGENTS.keys()
    assert [name for name, length in lengths.items() if not 10 <= length <= 40] == []


def test_each_is_shown_with_the_command_that_serves_it() -> None:
    text = Document(EXAMPLES / "index.md").text
    shown = re.findall(r"^## \[`(\w+)\.py`\]\(\1\.py\)$", text, re.MULTILINE)
    assert shown == list(AGENTS)
    assert re.findall(r'^--8<-- "(\w+)\.py"$', text, re.MULTILINE) == list(AGENTS)
    assert set(re.findall(r"docs/examples/(\w+)\.py:(\w+)", text)) <= set(AGENTS.items())


async def test_parrot_repeats_a_sentence_after_a_pause(autojump_clock: trio.testing.MockClock) -> None:
    async with conversation("parrot") as call:
        await call.caller_speaks(VOICE + SECOND)
        await trio.sleep(2)
        assert call.heard_pcm.startswith(VOICE)


async def test_parrot_is_quiet_when_the_caller_speaks_again(autojump_clock: trio.testing.MockClock) -> None:
    async with conversation("parrot") as call:
        await call.caller_speaks(4 * VOICE + SECOND)
        await call.caller_speaks(VOICE)
        assert not call.is_speaking
        assert len(call.heard_pcm) < len(VOICE)


async def test_player_plays_a_file_and_hangs_up(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    write_wav(tmp_path / "song.wav", VOICE, RATE)
    async with conversation("player", campaign_settings={"file": tmp_path / "song.wav"}) as call:
        await call.ended.wait()
        assert call.heard_pcm == VOICE


async def test_greeter_rings_and_greets_by_name(autojump_clock: trio.testing.MockClock) -> None:
    async with conversation("greeter", dynamic_variables={"name": "Ada"}) as call:
        await trio.sleep(1)
        assert len(call.heard_pcm) == pytest.approx(2 * 0.6 * RATE)
        call.caller_writes(TextMessage("hello", "chat"))
        await trio.sleep(0.1)
        assert call.sent_messages == [("Good day, Ada!", None), ("HELLO", "chat")]


async def test_recorder_keeps_what_is_said_until_the_hash_key(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with conversation("recorder", campaign_settings={"folder": tmp_path}) as call:
        await call.caller_speaks(VOICE)
        await call.caller_presses("1#")
        assert call.hang_up_reason == "the caller has finished"
    with wave.open(str(tmp_path / "session.wav")) as file:
        assert file.getframerate() == RATE
        assert file.readframes(file.getnframes()).startswith(VOICE)


async def test_menu_answers_keys_and_any_other_hangs_up(autojump_clock: trio.testing.MockClock) -> None:
    async with conversation("menu") as call:
        await trio.sleep(0.5)
        speaks = [call.is_speaking]
        for key in "2*":
            await call.caller_presses(key)
            speaks.append(call.is_speaking)
        assert speaks == [True, False, True]
        menu = "1: opening hours, 2: directions"
        assert texts(call) == [menu, "Take the tram to the last stop.", menu]
        await call.caller_presses("9")
        assert call.hang_up_reason == "the caller wants nothing of the menu"


async def test_reception_transfers_to_the_agent_that_is_asked_for(autojump_clock: trio.testing.MockClock) -> None:
    async with conversation("transfer") as call:
        for text in ("help", "sales", "two apples"):
            call.caller_writes(TextMessage(text))
        await call.ended.wait()
        assert texts(call)[1:] == [
            "There is no such department.",
            "Sales. What would you like?",
            "You have bought two apples.",
        ]
        assert call.sent_events == [("transferred", {"to": "sales"})]
    async with conversation("transfer") as call:
        call.caller_writes(TextMessage("support"))
        await trio.sleep(0.1)
        await call.caller_speaks(VOICE)
        await trio.sleep(0.1)
        assert call.heard_pcm == VOICE


async def test_bridge_joins_two_callers_until_one_goes(autojump_clock: trio.testing.MockClock) -> None:
    bridge = agent_of("bridge").converse
    async with fake_call(bridge) as anna, fake_call(bridge) as ben:
        await anna.caller_speaks(VOICE)
        await trio.sleep(0.1)
        assert ben.heard_pcm == VOICE
        ben.caller_hangs_up()
        await anna.ended.wait()


async def test_translator_says_each_sentence_in_its_words(autojump_clock: trio.testing.MockClock) -> None:
    async with conversation("translator") as call:
        await call.caller_speaks(VOICE + SECOND)
        while not call.heard_pcm:
            await call.caller_speaks(SECOND)
        await call.drain()
        assert call.heard_pcm == VOICE[RATE:] + VOICE[:RATE]
        assert call.sent_events == [("transcript", {"role": "agent", "text": "1.0 seconds", "final": True})]


async def test_chatbot_asks_its_server_and_reads_the_answer_aloud(autojump_clock: trio.testing.MockClock) -> None:
    requests: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(json.loads(request.content))
        if request.url.path == "/v1/audio/speech":
            return httpx2.Response(200, content=VOICE)
        return httpx2.Response(200, json={"choices": [{"message": {"role": "assistant", "content": "At nine."}}]})

    transport = httpx2.MockTransport(answer)
    agent_of("chatbot")
    chat = sys.modules["chatbot"].chat
    async with (
        httpx2.AsyncClient(transport=transport, base_url="http://api.example.org/v1") as client,
        fake_call(partial(chat, client=client), sample_rate=24000) as call,
    ):
        call.caller_writes(TextMessage("When do you open?"))
        await trio.sleep(2)
        assert texts(call) == ["At nine."]
        assert call.heard_pcm.startswith(VOICE)
    assert [message["role"] for message in requests[0]["messages"]] == ["system", "user"]
    assert requests[1]["input"] == "At nine."


async def test_library_of_asyncio_answers_within_a_call() -> None:
    async def shout(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all((await stream.receive_some()).upper())

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, shout, 0, host="127.0.0.1"))
        settings = {"host": "127.0.0.1", "port": listener.socket.getsockname()[1]}
        async with conversation("asyncio_library", campaign_settings=settings) as call:
            call.caller_writes(TextMessage("hello"))
            await eventually(lambda: call.sent_messages)
            assert texts(call) == ["HELLO"]
        nursery.cancel_scope.cancel()


async def test_speech_that_is_shown_can_be_played(autojump_clock: trio.testing.MockClock) -> None:
    """The file of which the page speaks."""
    async with conversation("player", campaign_settings={"file": SPEECH}) as call:
        await call.ended.wait()
        assert len(call.heard_pcm) > 2 * 2 * RATE
