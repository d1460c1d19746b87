"""Answers texts by any server with OpenAI's interface; where the campaign's sample_rate is 24000, aloud as well."""

import os

import httpx2
from glottis import AudioFrame, Call, TextMessage

URL = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1")
KEY = os.environ.get("OPENAI_API_KEY", "none")
MODEL = os.environ.get("OPENAI_MODEL", "llama3.2")
SPEECH_RATE = 24000  # hertz, of what the interface calls pcm


async def chatbot(call: Call) -> None:
    """The agent."""
    async with httpx2.AsyncClient(base_url=URL, headers={"Authorization": f"Bearer {KEY}"}, timeout=30) as client:
        await chat(call, client)


async def chat(call: Call, client: httpx2.AsyncClient) -> None:
    """The conversation, by a client that is there."""
    messages = [{"role": "system", "content": "You are on the telephone. Answer in one sentence."}]
    async for message in call.messages:
        if isinstance(message, TextMessage):
            call.flush()
            messages.append({"role": "user", "content": message.text})
            response = await client.post("chat/completions", json={"model": MODEL, "messages": messages})
            messages.append(response.raise_for_status().json()["choices"][0]["message"])
            await call.send_text(messages[-1]["content"], message.channel)
            if call.sample_rate == SPEECH_RATE:
                call.nursery.start_soon(read_aloud, call, client, messages[-1]["content"])


async def read_aloud(call: Call, client: httpx2.AsyncClient, text: str) -> None:
    """Have it made to speech, and say that."""
    wish = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": "pcm"}
    response = await client.post("audio/speech", json=wish)
    await call.say(AudioFrame(response.raise_for_status().content, SPEECH_RATE))
