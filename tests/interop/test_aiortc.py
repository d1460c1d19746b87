"""Calls with aiortc, as the gateway's client and as the answerer of a call of ours, in both DTLS roles."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from glottis import AudioFrame
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_call_over
from glottis.client.grant import create_session
from glottis.client.signaling import ClientSignaling, open_client_signaling
from glottis.media.endpoint import UdpEndpoint
from glottis.server.gateway import Gateway
from glottis.signaling.messages import Answer, Bye, ClientMessage, Event, Offer, ServerMessage, TrickledCandidate
from support.aiortc import AiortcPeer, open_aiortc
from support.audio import SPEECH, from_pcm, read_wav, similarity
from support.gateway import open_test_gateway
from support.installed import installed_plugins
from support.patience import PATIENCE, PROCESS_PATIENCE
from support.phone import eventually

CODECS = installed_plugins().codecs
LISTENING_SECONDS = 2.0
LIKENESS = {"opus": 0.7, "PCMU": 0.8, "G722": 0.8}
"""Opus keeps the sound, not the waveform; other speech of the same voice has less than 0.65."""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_test_gateway(tmp_path) as gateway:
        yield gateway


@pytest.fixture
async def aiortc() -> AsyncIterator[AiortcPeer]:
    async with open_aiortc(SPEECH) as peer:
        yield peer


def is_speech(heard: bytes, least: float) -> bool:
    played, rate = read_wav(SPEECH)
    return similarity(from_pcm(heard), played, rate) > least


async def hear_speech(peer: AiortcPeer, least: float) -> None:
    """Until the peer has heard a piece of it; a busy machine stutters, which passes."""
    piece = LISTENING_SECONDS * 16000 * 2
    start = 0
    with trio.fail_after(PROCESS_PATIENCE):
        while True:
            while len(heard := await peer.heard()) < start + piece:  # noqa: ASYNC110
                await trio.sleep(0.1)
            if is_speech(heard[start:], least):
                return
            start = len(heard)


async def hear_speech_at_our_end(call: ClientCall, least: float) -> None:
    """The same."""
    heard = b""
    with trio.fail_after(PROCESS_PATIENCE):
        async for frame in call.audio:
            heard += frame.pcm
            if len(heard) >= LISTENING_SECONDS * 16000 * 2:
                if is_speech(heard, least):
                    return
                heard = b""


# Aiortc calls the gateway's echo


async def answer_of(signaling: ClientSignaling, offer: str) -> str:
    signaling.send(Offer(offer))
    while not isinstance(message := await signaling.receive(), Answer):
        pass
    return message.sdp


async def wait_for_event(signaling: ClientSignaling, name: str, state: str) -> None:
    while True:
        message = await signaling.receive()
        if isinstance(message, Event) and message.name == name and message.data["state"] == state:
            return


@pytest.mark.parametrize("setup", ["actpass", "passive"])
async def test_aiortc_hears_the_echo_of_what_it_says(gateway: Gateway, aiortc: AiortcPeer, setup: str) -> None:
    grant = await create_session(gateway.url, {"campaignId": "echo"})
    async with open_client_signaling(grant.websocket_url) as signaling:
        offer = (await aiortc.do("offer"))["sdp"].replace("a=setup:actpass", f"a=setup:{setup}")
        answer = await answer_of(signaling, offer)
        assert ("a=setup:active" in answer) == (setup == "passive")
        await aiortc.do("accept", sdp=answer)
        await wait_for_event(signaling, "connection", "connected")
        await hear_speech(aiortc, LIKENESS["opus"])
        await aiortc.do("close")
        await wait_for_event(signaling, "state", "ending")
        await eventually(lambda: len(gateway.sessions) == 0)


async def test_aiortc_that_would_send_its_picture_too_is_heard_and_chats(gateway: Gateway, aiortc: AiortcPeer) -> None:
    grant = await create_session(gateway.url, {"campaignId": "echo"})
    async with open_client_signaling(grant.websocket_url) as signaling:
        await aiortc.do("open", label="chat")
        await aiortc.do("accept", sdp=await answer_of(signaling, (await aiortc.do("offer", picture=True))["sdp"]))
        await hear_speech(aiortc, LIKENESS["opus"])
        await aiortc.do("receive", label="chat", count=1)


async def test_agent_hangs_up_when_aiortc_asks_for_it(gateway: Gateway, aiortc: AiortcPeer) -> None:
    grant = await create_session(gateway.url, {"campaignId": "echo"})
    async with open_client_signaling(grant.websocket_url) as signaling:
        await aiortc.do("open", label="chat")
        await aiortc.do("accept", sdp=await answer_of(signaling, (await aiortc.do("offer"))["sdp"]))
        await aiortc.do("receive", label="chat", count=1)
        await aiortc.do("send", label="chat", messages=[{"text": "hangup"}])
        while await signaling.receive() != Bye("the caller asked for it"):
            pass
        await eventually(lambda: len(gateway.sessions) == 0)


async def test_aiortc_goes_on_in_its_session_with_another_peer_connection(gateway: Gateway, aiortc: AiortcPeer) -> None:
    grant = await create_session(gateway.url, {"campaignId": "echo"})
    async with open_client_signaling(grant.websocket_url) as signaling, open_aiortc(SPEECH) as other:
        for peer in (aiortc, other):
            await peer.do("open", label="chat")
            await peer.do("accept", sdp=await answer_of(signaling, (await peer.do("offer"))["sdp"]))
            await hear_speech(peer, LIKENESS["opus"])
            await peer.do("receive", label="chat", count=1)
        told = await other.do("receive", label="chat", count=1)
        continued = {"type": "event", "name": "continued", "data": {"sent": 1, "received": 0}}
        assert [json.loads(message["text"]) for message in told["messages"]] == [continued]
        await other.do("send", label="chat", messages=[{"text": "hangup"}])
        while await signaling.receive() != Bye("the caller asked for it"):
            pass


# Our call, answered by aiortc


class AnsweringMachine:
    """Signaling that hands the offer to aiortc, as ``setup`` says, and its candidates one by one if ``trickle``."""

    def __init__(self, peer: AiortcPeer, *, setup: str, trickle: bool) -> None:
        self._peer = peer
        self._setup = setup
        self._trickle = trickle
        self._sent, self._to_answer = trio.open_memory_channel[ClientMessage](16)
        self._answered, self._received = trio.open_memory_channel[ServerMessage](16)

    def send(self, message: ClientMessage) -> None:
        self._sent.send_nowait(message)

    def play(self, audio: bytes) -> int:
        raise AssertionError("audio has a way of its own")

    async def receive(self) -> ServerMessage:
        return await self._received.receive()

    async def probe(self) -> None:
        """It is there."""

    async def run(self) -> None:
        async for message in self._to_answer:
            if isinstance(message, Offer):
                await self._answer(message.sdp.replace("a=setup:actpass", f"a=setup:{self._setup}"))

    async def _answer(self, offer: str) -> None:
        offer, candidates = self._without_candidates(offer)
        answer, answered_candidates = self._without_candidates((await self._peer.do("answer", sdp=offer))["sdp"])
        self._answered.send_nowait(Answer(answer))
        for candidate in answered_candidates:
            self._answered.send_nowait(TrickledCandidate(candidate, "0"))
        for candidate in candidates:
            await self._peer.do("candidate", candidate=candidate, sdpMid="0")

    def _without_candidates(self, sdp: str) -> tuple[str, list[str]]:
        if not self._trickle:
            return sdp, []
        lines = sdp.split("\r\n")
        kept = [line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
        return "\r\n".join(kept), [line.removeprefix("a=") for line in lines if line.startswith("a=candidate:")]


@asynccontextmanager
async def open_call(peer: AiortcPeer, codec: str, *, setup: str, trickle: bool) -> AsyncIterator[ClientCall]:
    request = CallRequest("", (CODECS.find(codec).spec,), sample_rate=16000)
    signaling = AnsweringMachine(peer, setup=setup, trickle=trickle)
    with UdpEndpoint.bind(["127.0.0.1"], 0) as endpoint:
        async with open_call_over(signaling, endpoint, request, "s") as call:
            call.nursery.start_soon(signaling.run)
            await call.connected.wait()
            yield call


async def say_in_a_loop(call: ClientCall) -> None:
    played, rate = read_wav(SPEECH)
    while True:
        await call.say(AudioFrame(played.astype("<i2").tobytes(), rate))


@pytest.mark.parametrize(
    ("codec", "setup", "trickle"),
    [("opus", "actpass", True), ("opus", "active", False), ("PCMU", "active", True), ("G722", "actpass", False)],
)
async def test_aiortc_answers_and_both_hear_each_other(
    aiortc: AiortcPeer, codec: str, setup: str, trickle: bool
) -> None:
    async with open_call(aiortc, codec, setup=setup, trickle=trickle) as call:
        call.nursery.start_soon(say_in_a_loop, call)
        await hear_speech_at_our_end(call, LIKENESS[codec])
        await hear_speech(aiortc, LIKENESS[codec])
        inbound = call.statistics().inbound_rtp
        assert inbound is not None
        assert inbound.packets_lost == 0


async def test_the_end_of_aiortcs_connection_ends_the_call(aiortc: AiortcPeer) -> None:
    with trio.fail_after(PATIENCE):
        async with open_call(aiortc, "opus", setup="actpass", trickle=False) as call:
            await anext(call.audio)  # so aiortc is connected, too
            await aiortc.do("close")
            await trio.sleep_forever()
    assert call.end_reason == "the gateway has closed the media connection"
