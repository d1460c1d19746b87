"""Real browsers that restart ICE, hold or stop audio, change the codec, or come back after a loss: the call goes on."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from glottis.peer import ConnectionState
from glottis.server.gateway import Gateway
from support.browser import Page
from support.patience import PROCESS_PATIENCE
from support.phone import eventually, webrtc_leg

UFRAG = "call.pc.remoteDescription.sdp.match(/a=ice-ufrag:(.*)/)[1].trim()"
EVENTS = "call.messages.filter(({ type }) => type === 'event')"


@pytest.fixture
async def talk(page: Page) -> AsyncIterator[Page]:
    """In the middle of a call with audio and a channel."""
    with trio.fail_after(PROCESS_PATIENCE):
        await page.evaluate(
            """(async () => {
                globalThis.call = await Call.create();
                globalThis.sender = await call.speak();
                globalThis.chat = call.open('chat');
                await call.negotiate();
                await chat.next();
            })()"""
        )
        await hear(page)
        yield page
        assert await page.evaluate("call.errors") == []


async def hear(page: Page) -> None:
    """Wait until the page hears something that is said from now on."""
    while not await page.evaluate("energy(0.3)"):
        pass


async def packets(page: Page) -> int:
    """How many come within some frames' time."""
    count = """[...(await call.pc.getStats()).values()].filter(({ type }) => type === 'inbound-rtp')
        .reduce((sum, { packetsReceived }) => sum + packetsReceived, 0)"""
    return int(
        await page.evaluate(
            f"""(async () => {{
                const before = {count};
                await new Promise((resolve) => setTimeout(resolve, 300));
                return {count} - before;
            }})()"""
        )
    )


async def negotiate(page: Page, change: str) -> None:
    await page.evaluate(f"(async () => {{ {change}; await call.negotiate(); }})()")


def peer(gateway: Gateway) -> Any:
    """The gateway's end."""
    (session,) = gateway.sessions
    return webrtc_leg(session).peer


async def test_a_restart_of_ice_is_not_heard(talk: Page, gateway: Gateway) -> None:
    """The second time the answer is late, so that the new sockets send their first checks without it."""
    before = await talk.evaluate(UFRAG)
    for milliseconds in (0, 500):
        await talk.evaluate(f"call.late = {milliseconds}")
        await negotiate(talk, "call.pc.restartIce()")
        after = await talk.evaluate(UFRAG)
        assert after != before
        before = after
        await eventually(lambda: len(peer(gateway).local_ufrags) == 1)
        assert peer(gateway).local_ufrags[0] == after
    await hear(talk)
    assert await talk.evaluate("chat.echoes('still here')")
    assert await talk.evaluate("call.states.at(-1)") == "connected"
    states = [event["data"]["state"] for event in await talk.evaluate(EVENTS) if event["name"] == "connection"]
    assert states == ["connecting", "connected"]


async def test_a_call_on_hold_is_taken_up_again(talk: Page) -> None:
    transceiver = "call.pc.getTransceivers()[0]"
    for direction in ("inactive", "sendonly"):
        await negotiate(talk, f"{transceiver}.direction = '{direction}'")
        assert await talk.evaluate(f"{transceiver}.currentDirection") == direction
        while await packets(talk):  # those that were on their way
            pass
        await negotiate(talk, f"{transceiver}.direction = 'sendrecv'")
        assert await talk.evaluate(f"{transceiver}.currentDirection") == "sendrecv"
        await hear(talk)
    assert await talk.evaluate("chat.echoes('still here')")


async def test_channels_go_on_where_the_audio_before_them_is_stopped_and_comes_again(talk: Page) -> None:
    """Each time another section holds the transport, and the browser makes another one: ICE, DTLS and SCTP."""
    assert await talk.evaluate("chat.echoes('before')")
    await negotiate(talk, "call.pc.getTransceivers()[0].stop()")
    assert await talk.evaluate("chat.echoes('without audio')")
    await negotiate(talk, "await call.speak()")
    await hear(talk)
    assert await talk.evaluate("chat.echoes('with audio')")
    assert await talk.evaluate("chat.channel.readyState") == "open"
    states = [event["data"]["state"] for event in await talk.evaluate(EVENTS) if event["name"] == "connection"]
    assert states == ["connecting", "connected"]


async def test_another_codec_takes_over(talk: Page) -> None:
    await negotiate(
        talk,
        """const codecs = RTCRtpReceiver.getCapabilities('audio').codecs;
        call.pc.getTransceivers()[0].setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === 'audio/PCMU'))""",
    )
    await talk.wait_for(f"{EVENTS}.filter(({{ name }}) => name === 'media').length === 2")
    media = [event["data"]["codec"] for event in await talk.evaluate(EVENTS) if event["name"] == "media"]
    assert media == ["opus", "PCMU"]
    await hear(talk)


async def test_who_has_lost_both_socket_and_network_goes_on_after_a_restart(talk: Page, gateway: Gateway) -> None:
    connection = peer(gateway)
    passes = {"media": True}
    handle = connection.handle_datagram
    connection.handle_datagram = lambda data, path, now: passes["media"] and handle(data, path, now)
    passes["media"] = False
    await talk.evaluate("call.ws.close(4000)")
    await eventually(lambda: connection.state is ConnectionState.DISCONNECTED)
    (session,) = gateway.sessions
    assert repr(session).endswith("active>")
    passes["media"] = True
    await talk.evaluate("(async () => { await call.resume(); call.pc.restartIce(); await call.negotiate(); })()")
    await talk.wait_for("call.messages.some(({ name }) => name === 'resumed')")
    await hear(talk)
    assert await talk.evaluate("chat.echoes('still here')")
    names = [event["name"] for event in await talk.evaluate(EVENTS)]
    assert names.index("interrupted") < names.index("resumed")
