"""The recogniser and the voice ``deepgram``."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import trio
import trio.testing
from glottis import AudioFrame, Malformed, Secret
from glottis.audio import chunks
from glottis.testing import ComponentContract, fake_call
from glottis.testing.fake_call import FakeCall
from glottis_conversation import Transcript, conversation
from glottis_conversation.tape import Tape
from glottis_deepgram import Aura, AuraConfig, Deepgram, DeepgramConfig, register_components
from glottis_deepgram.results import read_message_untrusted
from glottis_services import ServiceFailed
from hypothesis import given
from hypothesis import strategies as st
from support.deepgram import METADATA, results
from support.services import FakeService, streamed
from support.socket_service import Peer, socket_service
from support.talking import LOUD, Ear, Mind, component, settings, silence, speech

KEY = "correct-horse-battery"
UNAUTHORIZED = b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.slow
class TestListeningContract(ComponentContract):
    spec = register_components()[0]


@pytest.mark.slow
class TestSpeakingContract(ComponentContract):
    spec = register_components()[1]


class Recogniser:
    """Says something while it hears, and the rest at the end."""

    def __init__(self, meanwhile: list[Any], at_last: list[Any]) -> None:
        self.meanwhile = meanwhile
        self.at_last = at_last

    async def behave(self, peer: Peer) -> None:
        first = await peer.connection.get_message()
        assert isinstance(first, bytes)
        peer.heard += first
        await peer.send(*self.meanwhile)
        await peer.receive_type("CloseStream")
        await peer.send(*self.at_last)


def frames(pcm: bytes) -> AsyncIterator[AudioFrame]:
    tape = Tape(60)
    for frame in chunks(AudioFrame(pcm, 16000)):
        tape.add(frame)
    tape.end()
    return tape.frames()


WHOLE = Recogniser(
    [results("What", is_final=False), results("", is_final=False)],
    [results("What time", is_final=True), results("is it?", is_final=True), METADATA],
)


async def test_a_caller_is_understood_while_speaking(autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind("Five.")
    async with socket_service(WHOLE.behave) as service:
        ear = Deepgram(DeepgramConfig(api_key=Secret(KEY), keyterms=("rye", "bun")), service.connect)
        mouths = FakeService(streamed(speech(1), content_type="audio/l16"))
        mouth = Aura(AuraConfig(api_key=Secret(KEY), sample_rate=16000), mouths.transport)
        async with fake_call(conversation(settings(mind, ear=ear, mouth=mouth))) as call:
            await call.caller_speaks(speech(0.5))
            assert partial(call) == ["What"]
            await call.caller_speaks(speech(0.5) + silence(3))
        peer = service.peer
    assert mind.histories[0][-1].text == "What time is it?"
    assert peer.headers["authorization"] == f"Token {KEY}"
    assert peer.path == (
        "/v1/listen?model=nova-3&language=en&encoding=linear16&sample_rate=16000&channels=1&interim_results=true"
        "&smart_format=true&endpointing=false&keyterm=rye&keyterm=bun"
    )
    assert peer.heard.count(LOUD) == pytest.approx(16000, rel=0.03)
    assert sum(map(bool, memoryview(call.heard_pcm).cast("h"))) / 16000 == pytest.approx(1.0, abs=0.03)
    (asked,) = mouths.requests
    assert str(asked.url) == (
        "https://api.deepgram.com/v1/speak?model=aura-2-thalia-en&encoding=linear16&sample_rate=16000&container=none"
    )
    assert asked.headers["authorization"] == f"Token {KEY}"
    assert mouths.bodies == [{"text": "Five."}]


def partial(call: FakeCall) -> list[str]:
    return [data["text"] for name, data in call.sent_events if name == "transcript" and not data["final"]]


async def test_one_who_stops_listening_leaves_nothing_behind(autojump_clock: trio.testing.MockClock) -> None:
    async with socket_service(WHOLE.behave) as service:
        said = Deepgram(DeepgramConfig(), service.connect).transcribe(frames(speech(1)))
        assert await anext(said) == Transcript("What", is_final=False)
        await said.aclose()  # type: ignore[attr-defined]
        assert service.peer.connection.closed is not None


async def test_silence_is_no_speech() -> None:
    async with socket_service(Recogniser([], [results("", is_final=True), METADATA]).behave) as service:
        ear = Deepgram(DeepgramConfig(), service.connect)
        assert [each async for each in ear.transcribe(frames(speech(1)))] == []
        assert [each async for each in ear.transcribe(frames(b""))] == []
    assert len(service.peers) == 1


@pytest.mark.parametrize(
    ("meanwhile", "at_last", "message"),
    [
        ([], [], "has ended the conversation (code 1000)"),
        (["<html>"], [], "it says what is no result: check url, model and extra"),
        ([b'{"type": "\xc3"}'], [], "it says what is no result: check url, model and extra"),
        ([{"type": "Error", "description": KEY}], [], "it tells of an error: check url, model and extra"),
    ],
)
async def test_a_service_that_fails_is_one_error(
    meanwhile: list[Any], at_last: list[Any], message: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with socket_service(Recogniser(meanwhile, at_last).behave) as service:
        with pytest.raises(ServiceFailed) as raised:
            async for _ in Deepgram(DeepgramConfig(), service.connect).transcribe(frames(speech(1))):
                pass
    assert str(raised.value).startswith("https://api.deepgram.com")
    assert message in str(raised.value)
    assert KEY not in str(raised.value)


async def test_a_service_that_does_not_come_to_an_end_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async def behave(peer: Peer) -> None:
        while True:
            await peer.receive()

    async with socket_service(behave) as service:
        with pytest.raises(ServiceFailed, match="has not understood a turn within 6 s"):
            async for _ in Deepgram(DeepgramConfig(), service.connect).transcribe(frames(speech(1))):
                pass


@pytest.mark.slow
async def test_another_recogniser_takes_over_in_the_same_turn(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    mind = Mind("Yes.")
    async with socket_service(WHOLE.behave) as service:
        service.failures.append(UNAUTHORIZED)
        ear = Deepgram(DeepgramConfig(api_key=Secret(KEY)), service.connect)
        config = settings(mind, ear=ear, stt_fallbacks=(component("other", Ear(["Hello?"])),))
        async with fake_call(conversation(config)) as call:
            await call.caller_speaks(speech(1) + silence(3))
    assert mind.histories[0][-1].text == "Hello?"
    assert caplog.messages == [
        "the recogniser ear has failed: https://api.deepgram.com does not accept the key: check api_key (HTTP 401)"
    ]


async def test_a_voice_that_is_refused_says_what_to_change() -> None:
    service = FakeService(httpx2.Response(402, json={"err_code": "ASR_PAYMENT_REQUIRED", "err_msg": KEY}))
    with pytest.raises(ServiceFailed, match=r"^https://api\.deepgram\.com wants to be paid: check the account"):
        async for _ in Aura(AuraConfig(), service.transport).synthesize("Five."):
            pass


@pytest.mark.slow
@given(st.binary(max_size=200) | st.from_regex(rb'\{"type": "Results", "channel": .{0,30}\}'))
def test_any_message_is_read_or_refused(message: bytes) -> None:
    """Fuzz: ``read_message_untrusted`` raises ``Malformed`` and nothing else."""
    try:
        said = read_message_untrusted(message)
    except Malformed:
        return
    assert said.transcript is None or said.transcript.text
