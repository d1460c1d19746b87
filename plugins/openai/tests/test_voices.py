"""The recogniser and the voice ``openai``."""

import io
import struct
import wave
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import trio
import trio.testing
from glottis import AudioFrame, Malformed, Secret
from glottis.audio import chunks, joined, read_wav
from glottis.testing import ComponentContract, fake_call
from glottis_conversation import Transcript, conversation
from glottis_openai import (
    ChatConfig,
    Speech,
    SpeechConfig,
    TranscriptionConfig,
    Transcriptions,
    register_components,
)
from glottis_openai.transcriptions import read_text_untrusted
from glottis_services import ServiceFailed
from hypothesis import given
from hypothesis import strategies as st
from support.services import FakeService, streamed
from support.talking import Mind, settings, silence, speech

KEY = Secret("sk-correct-horse-battery")
URL = "http://voice.example/v1"
SAID = httpx2.Response(200, json={"text": " What time\n is it? "})


@pytest.mark.slow
class TestTranscriptionsContract(ComponentContract):
    spec = register_components()[0]


@pytest.mark.slow
class TestChatContract(ComponentContract):
    spec = register_components()[1]
    settings = ChatConfig(model="m")


@pytest.mark.slow
class TestSpeechContract(ComponentContract):
    spec = register_components()[2]


async def frames(pcm: bytes) -> AsyncIterator[AudioFrame]:
    for frame in chunks(AudioFrame(pcm, 16000)):
        yield frame


async def understand(*replies: Any, **others: Any) -> list[Transcript]:
    config = TranscriptionConfig(**{"url": URL, "api_key": KEY, **others})
    ear = Transcriptions(config, FakeService(*replies).transport)
    return [each async for each in ear.transcribe(frames(speech(1)))]


async def speak(*replies: Any, **others: Any) -> list[AudioFrame]:
    mouth = Speech(SpeechConfig(**{"url": URL, "api_key": KEY, **others}), FakeService(*replies).transport)
    return [frame async for frame in mouth.synthesize("Five.")]


def wav(pcm: bytes, rate: int = 22050, channels: int = 1, *, unknown_length: bool = False) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(channels)
        recording.setsampwidth(2)
        recording.setframerate(rate)
        recording.writeframes(pcm)
    whole = file.getvalue()
    return whole if not unknown_length else whole[:40] + b"\xff\xff\xff\xff" + whole[44:]


async def test_a_caller_is_understood_and_answered(autojump_clock: trio.testing.MockClock) -> None:
    ears = FakeService(SAID)
    pcm = speech(1.5)
    mouths = FakeService(streamed(pcm[:1001], pcm[1001:], content_type="audio/pcm"))
    mind = Mind("Five.")
    config = settings(
        mind,
        ear=Transcriptions(TranscriptionConfig(url=URL, api_key=KEY, language="en"), ears.transport),
        mouth=Speech(SpeechConfig(url=URL, api_key=KEY), mouths.transport),
    )
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(silence(0.5) + speech(1) + silence(3))
    assert mind.histories[0][-1].text == "What time is it?"
    assert sum(map(bool, memoryview(call.heard_pcm).cast("h"))) / 16000 == pytest.approx(1.0, abs=0.05)
    assert mouths.bodies == [{"model": "gpt-4o-mini-tts", "voice": "alloy", "response_format": "pcm", "input": "Five."}]
    (asked,) = ears.requests
    assert asked.headers["authorization"] == "Bearer sk-correct-horse-battery"
    assert b'name="language"\r\n\r\nen\r\n' in asked.content
    start = asked.content.index(b"RIFF")
    assert read_wav(io.BytesIO(asked.content[start:])).duration == pytest.approx(1.6, abs=0.1)


@pytest.mark.parametrize("text", ["[BLANK_AUDIO]", "(music) [Noise]", " . ", "", "*coughs*"])
async def test_noise_is_no_speech(text: str) -> None:
    assert await understand(httpx2.Response(200, json={"text": text})) == []


async def test_plain_text_is_understood() -> None:
    assert await understand(httpx2.Response(200, text="Five (5) o'clock\n")) == [Transcript("Five (5) o'clock")]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx2.Response(200, json={"error": {"code": "model_not_loaded"}}), "no transcription: model_not_loaded"),
        (httpx2.Response(200, content=b"\xff\xfe"), "no transcription: check url"),
        (httpx2.Response(200, json={"text": 7}), "no transcription: check url"),
        (httpx2.Response(413), "takes no request of this length (HTTP 413)"),
        (streamed(b'{"text": "', 10.0), "has said nothing for 6 s"),
        (streamed(*[b" " * 65536] * 17), "has not ended its answer"),
    ],
)
async def test_a_recogniser_that_fails_says_what_to_change(
    answer: Any, message: str, autojump_clock: trio.testing.MockClock
) -> None:
    with pytest.raises(ServiceFailed, match=r"^http://voice\.example") as raised:
        await understand(answer)
    assert message in str(raised.value)


@pytest.mark.parametrize("unknown_length", [False, True])
async def test_a_wav_file_has_its_own_rate(unknown_length: bool) -> None:
    whole = wav(speech(0.1), unknown_length=unknown_length)
    parts = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    said = await speak(streamed(*parts, content_type="audio/wav"), response_format="wav")
    assert joined(said) == AudioFrame(speech(0.1), 22050)


async def test_raw_samples_are_played_as_they_come(autojump_clock: trio.testing.MockClock) -> None:
    service = FakeService(streamed(speech(0.1), 5.0, speech(0.1), content_type="audio/pcm"))
    mouth = Speech(SpeechConfig(url=URL, sample_rate=16000), service.transport)
    began = trio.current_time()
    said = mouth.synthesize("Five.")
    assert await anext(said) == AudioFrame(speech(0.1), 16000)
    assert trio.current_time() - began < 1
    await said.aclose()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (streamed(b"ID3" + bytes(20), content_type="audio/mpeg"), "expected raw samples or a WAV file: check model"),
        (streamed(wav(speech(0.1), channels=2), content_type="audio/wav"), "expected a WAV file of mono samples"),
        (streamed(b"RIFF....WAVEfact" + struct.pack("<I", 1 << 30) + bytes(99)), "expected samples in the WAV file"),
        (httpx2.Response(200, json={"error": "x"}), "it answers no audio"),
        (streamed(*[bytes(1 << 20)] * 17), "has not ended its answer"),
        (streamed(bytes(2000), httpx2.ReadError("x")), "has broken off"),
        (streamed(), "has spoken nothing"),
        (httpx2.Response(503), "has failed by itself (HTTP 503)"),
    ],
)
async def test_a_voice_that_fails_says_what_to_change(
    answer: Any, message: str, autojump_clock: trio.testing.MockClock
) -> None:
    with pytest.raises(ServiceFailed, match=r"^http://voice\.example") as raised:
        await speak(answer)
    assert message in str(raised.value)


@pytest.mark.slow
@given(st.binary(max_size=100) | st.builds(lambda text: b'{"text": ' + text + b"}", st.binary(max_size=20)))
def test_any_transcription_is_read_or_refused(body: bytes) -> None:
    """Fuzz: ``read_text_untrusted`` raises ``Malformed`` and nothing else."""
    try:
        read_text_untrusted(body)
    except Malformed:
        return
