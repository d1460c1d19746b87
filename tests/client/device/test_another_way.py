"""A device in a call whose gateway wants another way for its media."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from glottis import AudioFrame, Call
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest
from glottis.client.device.state import State
from glottis.signaling.messages import Event
from msgspec.structs import replace
from support.device import Silent, config_of, running
from support.memory import open_memory_exchange_with
from support.memory_call import open_memory_call
from support.phone import RATE, TONE, eventually, webrtc_leg
from support.plugins import TestPlugin
from trio.testing import MockClock


async def hum(call: Call) -> None:
    while True:
        await call.say(AudioFrame(TONE, RATE))


async def test_a_device_restarts_ice_when_it_is_asked_to_and_its_call_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_memory_exchange_with(tmp_path, TestPlugin(hum=hum)) as exchange:

        def open_call(
            request: CallRequest, *, waits: Callable[[int], object]
        ) -> AbstractAsyncContextManager[ClientCall]:
            return open_memory_call(exchange, replace(request, campaign_id="hum"))

        sound = Silent()
        async with running(config_of(tmp_path, "http://memory"), sound, open_call=open_call) as device:
            device.answer("talk")
            await eventually(lambda: device.state.state is State.SPEAKING)
            (session,) = exchange.gateway.sessions
            peer = webrtc_leg(session).peer
            before = peer.local_ufrags[0]
            session.say(Event("restart_ice", {"reason": "why not"}))
            await eventually(lambda: before not in peer.local_ufrags)
            sound.played.clear()
            await eventually(lambda: sum(any(pcm) for pcm in sound.played) > 5)
            told = device.answer("status")
            assert (told["state"], device.state.calls, device.state.failures) == ("speaking", 1, 0)
