"""A conversation on the page, with parts that do what the test says: what is guessed, said, interrupted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from glottis import AudioFrame
from glottis.server.gateway import Gateway
from glottis_conversation import Transcript, conversation
from support.browser import Page
from support.gateway import open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.plugins import TestPlugin
from support.talking import Mind, Mouth, component, settings

STATE = "document.body.dataset.agent"
ANSWER = "It is five o'clock, and all is well " + "in the house and around the house and " * 4 + "under its roof."
"""One sentence, which takes longer than the page needs for anything."""


def bubble(selector: str) -> str:
    return f"document.querySelector('#log {selector} .words')?.textContent"


class Loudness:
    """What is louder than the noise of a line is speech."""

    def detect(self, frame: AudioFrame) -> bool:
        return max(map(abs, memoryview(frame.pcm).cast("h"))) > 300


class Guess:
    """Guesses as soon as somebody speaks, and knows when nobody does any more."""

    async def transcribe(self, audio: AsyncIterator[AudioFrame]) -> AsyncIterator[Transcript]:
        is_first = True
        async for _ in audio:
            if is_first:
                yield Transcript("What time", is_final=False)
            is_first = False
        yield Transcript("What time is it?")


TRACED = """
[extensions]
enabled = ["opentelemetry"]
[extensions.settings.opentelemetry]
share = 0.0
"""


@asynccontextmanager
async def open_conversation(directory: Path, mind: Mind) -> AsyncIterator[Gateway]:
    agent = conversation(settings(mind, ear=Guess(), mouth=Mouth(), vad=component("loudness", Loudness()), greeting=""))
    plugin = TestPlugin(chat=agent)
    async with open_test_gateway(directory, plugin.config() + TRACED, [plugin]) as gateway:
        yield gateway
        await gateway.stop(grace=0)


async def test_bubbles_show_what_is_guessed_said_and_interrupted(chromium_page: Page, tmp_path: Path) -> None:
    page = chromium_page
    async with open_conversation(tmp_path, Mind(ANSWER)) as gateway:
        with trio.fail_after(PROCESS_PATIENCE):
            await page.goto(f"{gateway.url}/?campaign=chat")
            await page.wait_for("!document.getElementById('call').disabled")
            await page.evaluate("document.getElementById('call').click()")
            await page.wait_for(f"{bubble('.user.partial')} === 'What time'")
            assert await page.evaluate(STATE) == "listening"
            await page.evaluate("document.getElementById('mute').click()")  # the caller has said it
            await page.wait_for(f"{bubble('.user:not(.partial)')} === 'What time is it?'")
            await page.wait_for(f"{bubble('.agent.partial')} && {STATE} === 'speaking'")
            assert await page.evaluate(bubble(".agent.partial")) == ANSWER
            time = "document.querySelector('.agent .reply-time').textContent"
            assert (await page.evaluate(time)).startswith("answered ")
            parts = "document.querySelector('.agent .reply-time').title"
            await page.wait_for(f"/^network in .*, buffer .*, detector .*, queue .*, network out /.test({parts})")
            assert (await page.evaluate("document.getElementById('stat-reply').textContent")).endswith(" ms")
            await page.evaluate("document.getElementById('interrupt').click()")
            unheard = await page.wait_for("document.querySelector('#log .agent.interrupted s')?.lastChild.textContent")
            assert unheard
            assert ANSWER.endswith(unheard)
            await page.wait_for(f"{STATE} === 'listening'")


async def test_what_is_written_is_a_bubble_once(chromium_page: Page, tmp_path: Path) -> None:
    page = chromium_page
    async with open_conversation(tmp_path, Mind("Yes.")) as gateway:
        with trio.fail_after(PROCESS_PATIENCE):
            await page.goto(f"{gateway.url}/?campaign=chat")
            await page.evaluate("navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('none'))")
            await page.wait_for("!document.getElementById('call').disabled")
            await page.evaluate("document.getElementById('call').click()")
            await page.wait_for("!document.getElementById('text').disabled")
            await page.evaluate("document.getElementById('text').value = 'Are you there?'")
            await page.evaluate("document.getElementById('chat').requestSubmit()")
            await page.wait_for(f"{bubble('.agent:not(.partial)')} === 'Yes.'")
            assert await page.evaluate("document.querySelectorAll('#log li').length") == 2
