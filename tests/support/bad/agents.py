"""Agents, made of a good one: each says what it hears half a second later."""

import json
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

import trio
from glottis import Agent, AgentSpec, AudioFrame, Call, CampaignInfo, ConfigurationError, TextMessage


async def good(call: Call) -> None:
    """Answers texts, and gives back what it hears."""
    call.nursery.start_soon(answer, call)
    async for frame in call.audio:
        if frame.timestamp % call.sample_rate == 0:
            await trio.to_thread.run_sync(time.sleep, 0.01)
        call.start_saying(frame)


async def answer(call: Call) -> None:
    async for message in call.messages:
        if isinstance(message, TextMessage):
            await call.send_text(message.text.upper(), message.channel)


def spec_of(agent: Agent, sample_rate: int = 16000) -> AgentSpec:
    return AgentSpec("sample", lambda settings: agent, sample_rate=sample_rate)


async def stubborn(call: Call) -> None:
    """Takes the end of the call for something that can be tried again."""
    while True:
        try:
            async for frame in call.audio:
                await call.say(frame)
        except BaseException:
            continue


async def careful(call: Call) -> None:
    """Says goodbye, however long that takes."""
    try:
        await good(call)
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(5)


async def everlasting(call: Call) -> None:
    """Its task does not end."""

    async def think() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    call.nursery.start_soon(think)
    await good(call)


async def absorbed(call: Call) -> None:
    """Cannot be called back from its thread."""
    async for _ in call.messages:
        await trio.to_thread.run_sync(time.sleep, 2.5)


async def failing(call: Call) -> None:
    async for _ in call.dtmf:
        raise KeyError("1")


async def last_words(call: Call) -> None:
    """Fails when it is hung up in the middle of what it says."""
    try:
        while True:
            await call.say(AudioFrame(bytes(2 * call.sample_rate), call.sample_rate))
    finally:
        if call.is_speaking:
            with trio.CancelScope(shield=True):
                await trio.sleep(2)


kept: list[object] = []


async def collecting(call: Call) -> None:
    """Keeps each call."""
    kept.append(call)
    await good(call)


async def remembering(call: Call) -> None:
    """Keeps what each caller has said."""
    async for frame in call.audio:
        kept.append(frame.pcm)


async def careless(call: Call) -> None:
    """Leaves its files open."""
    kept.append(os.open(os.devnull, os.O_RDONLY))
    await good(call)


async def outliving(call: Call) -> None:
    """Has tasks that are nobody's."""
    trio.lowlevel.spawn_system_task(trio.sleep_forever)
    await good(call)


async def threaded(call: Call) -> None:
    """Has a thread for each call, which nobody ends."""
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    await good(call)


async def forking(call: Call) -> None:
    """Has a process for each call, and forgets it."""
    os.posix_spawnp("sleep", ["sleep", "5"], os.environ)  # noqa: ASYNC221
    await good(call)


async def impatient(call: Call) -> None:
    """Never waits for what it says."""
    while True:
        call.nursery.start_soon(call.say, AudioFrame(bytes(call.sample_rate // 25), call.sample_rate))
        await trio.sleep(0.02)


async def deaf_while_it_speaks(call: Call) -> None:
    async for frame in call.audio:
        if any(frame.pcm):
            await call.say(AudioFrame(frame.pcm * 150, call.sample_rate))


async def expecting_json(call: Call) -> None:
    async for message in call.messages:
        if isinstance(message, TextMessage) and message.text not in ("hello", "how are you?", "are you there?"):
            json.loads(message.text)["type"].upper()


async def busy(call: Call) -> None:
    """Looks again and again whether something has come."""
    call.nursery.start_soon(good, call)
    while True:  # noqa: ASYNC110
        await trio.sleep(0.0001)


async def afraid_of_silence(call: Call) -> None:
    with trio.fail_after(10):
        async for _ in call.messages:
            pass


async def monotonous(call: Call) -> None:
    """Takes its own rate for that of each campaign."""
    async for _ in call.audio:
        await call.say(AudioFrame(bytes(640), 16000))


def create_monotonous(settings: None, campaign: CampaignInfo) -> Agent:
    """Refuses the others."""
    if campaign.sample_rate != 16000:
        raise ConfigurationError("sample_rate: expected 16000")
    return monotonous


async def stiff(call: Call) -> None:
    """Takes 20 ms for the length of all frames."""
    async for frame in call.audio:
        if frame.sample_count * 50 != call.sample_rate:
            raise RuntimeError("what a frame")


async def sending_bytes(call: Call) -> None:
    """Takes data channels for granted."""
    async for _ in call.messages:
        await call.wait_for_channel()
        await call.send_bytes(b"here")


async def blocking(call: Call) -> None:
    async for _ in call.dtmf:
        time.sleep(0.2)  # noqa: ASYNC251


def no_agent(settings: Any) -> Any:
    return lambda call: None


GOOD = spec_of(good)
REFUSING = AgentSpec("sample", create_monotonous)
BAD: Mapping[str, list[AgentSpec]] = {
    "description": [AgentSpec("", lambda settings: good), AgentSpec("sample", lambda settings: None)],  # type: ignore[arg-type, return-value]
    "conversation": [AgentSpec("sample", no_agent), spec_of(failing)],
    "cancellation": [spec_of(stubborn), spec_of(careful), spec_of(everlasting), spec_of(absorbed)],
    "leaves-nothing": [
        spec_of(collecting),
        spec_of(remembering),
        spec_of(careless),
        spec_of(outliving),
        spec_of(threaded),
        spec_of(forking),
    ],
    "back-pressure": [spec_of(impatient)],
    "barge-in": [spec_of(deaf_while_it_speaks)],
    "hang-up": [spec_of(last_words)],
    "floods": [spec_of(expecting_json)],
    "silence": [spec_of(busy), spec_of(afraid_of_silence)],
    "rates": [spec_of(monotonous)],
    "frames": [spec_of(stiff)],
    "transports": [spec_of(sending_bytes)],
    "yields": [spec_of(blocking)],
}
