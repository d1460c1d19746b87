"""Data channels of real browsers: what is sent to the echo agent comes back."""

from collections.abc import AsyncIterator

import pytest
import trio
from glottis.sctp import ChannelState, DataChannels
from glottis.server.gateway import Gateway
from glottis.server.sessions.session import Session
from support.browser import Page
from support.patience import PROCESS_PATIENCE
from support.phone import eventually, webrtc_leg

GREETING = "Backend connected"
SIZES = [1, 100, 1150, 1200, 16 * 1024, 64 * 1024, 256 * 1024]


@pytest.fixture
async def chat(page: Page) -> AsyncIterator[Page]:
    """A call without sound; ``chat`` is its data channel, which has been greeted."""
    await page.evaluate(
        """(async () => {
            globalThis.call = await Call.create();
            globalThis.chat = call.open('chat');
            await call.negotiate();
            globalThis.greeting = await chat.next();
        })()"""
    )
    with trio.fail_after(PROCESS_PATIENCE):
        assert await page.evaluate("greeting") == GREETING
        yield page


async def test_what_media_is_in_force_is_told_once_there_is_audio(chat: Page) -> None:
    told = (
        "call.messages.filter(({ type, name }) => type === 'event' && name === 'media').map(({ data }) => data.codec)"
    )
    assert await chat.evaluate(told) == []
    await chat.evaluate("(async () => { await call.speak(); await call.negotiate(); await chat.echoes('now'); })()")
    assert len(await chat.evaluate(told)) == 1


async def test_texts_and_bytes_of_any_size_come_back_whole_and_what_they_are(chat: Page) -> None:
    results = await chat.evaluate(
        f"""(async () => {{
            const sent = [{SIZES}.map(words), {SIZES}.map(noise), '', new ArrayBuffer(0), 'Grüße, 世界 👋'].flat();
            const results = [];
            for (const data of sent) results.push(await chat.echoes(data));
            return results;
        }})()"""
    )
    assert results == [True] * (2 * len(SIZES) + 3)


async def test_a_thousand_messages_at_once_come_back_in_order(chat: Page) -> None:
    received = await chat.evaluate(
        """(async () => {
            for (let index = 0; index < 1000; index++) chat.send(`message ${index}`);
            const received = [];
            while (received.length < 1000) received.push(await chat.next());
            return received;
        })()"""
    )
    assert received == [f"message {index}" for index in range(1000)]


async def test_fifty_channels_are_kept_apart(chat: Page) -> None:
    results = await chat.evaluate(
        """(async () => {
            const channels = Array.from({ length: 50 }, (_, index) => call.open(`number ${index}`));
            return Promise.all(channels.map(async (channel) => {
                const greeting = await channel.next();
                return [greeting, await channel.echoes(channel.channel.label)];
            }));
        })()"""
    )
    assert results == [[GREETING, True]] * 50


async def test_unordered_unreliable_and_unnamed_channels_work(chat: Page) -> None:
    received = await chat.evaluate(
        """(async () => {
            const exchange = async (label, options) => {
                const channel = call.open(label, options);
                await channel.next();
                for (let index = 0; index < 20; index++) channel.send(`${index}`);
                const received = [];
                while (received.length < 20) received.push(await channel.next());
                return received.map(Number).sort((a, b) => a - b);
            };
            return [
                await exchange('unordered', { ordered: false }),
                await exchange('without retransmission', { maxRetransmits: 0 }),
                await exchange('neither', { ordered: false, maxRetransmits: 0 }),
                await exchange('soon stale', { maxPacketLifeTime: 500 }),
                await exchange('', { protocol: 'x.y' }),
            ];
        })()"""
    )
    assert received == [list(range(20))] * 5  # loopback loses nothing


def channels_of(session: Session) -> DataChannels:
    channels = webrtc_leg(session).peer.channels
    assert channels is not None
    return channels


def only_session(gateway: Gateway) -> Session:
    (session,) = gateway.sessions
    return session


async def test_channel_that_both_ends_agree_on_needs_no_opening(chat: Page, gateway: Gateway) -> None:
    await chat.evaluate("(async () => { globalThis.agreed = call.open('agreed', { negotiated: true, id: 100 }); })()")
    session = only_session(gateway)
    channels_of(session).open("agreed", negotiated_id=100)
    webrtc_leg(session).driver.pump()
    assert await chat.evaluate("agreed.next()") == GREETING
    assert await chat.evaluate("agreed.echoes('as agreed')")


async def test_channel_that_the_gateway_never_agreed_on_is_closed_when_it_is_used(chat: Page) -> None:
    await chat.evaluate(
        """(async () => {
            const lonely = call.open('lonely', { negotiated: true, id: 100 });
            await lonely.opened;
            lonely.send('is anybody there?');
            await lonely.closed;
        })()"""
    )
    assert await chat.evaluate("chat.echoes('here')")


async def test_gateway_may_close_a_channel(chat: Page, gateway: Gateway) -> None:
    session = only_session(gateway)
    channel = webrtc_leg(session).messenger.channels.find(None)
    assert channel is not None
    channel.close()
    webrtc_leg(session).driver.pump()
    await chat.evaluate("chat.closed")
    await eventually(lambda: channel.state is ChannelState.CLOSED)


async def test_gateway_may_open_a_channel(chat: Page, gateway: Gateway) -> None:
    session = only_session(gateway)
    channels_of(session).open("from the gateway", ordered=False)
    webrtc_leg(session).driver.pump()
    await chat.wait_for("call.channels.length")
    assert await chat.evaluate("call.channels[0].channel.label") == "from the gateway"
    assert await chat.evaluate("call.channels[0].next()") == GREETING
    assert await chat.evaluate("call.channels[0].echoes('thanks')")


async def test_a_closed_channel_leaves_the_others_and_its_stream_can_be_used_again(chat: Page) -> None:
    await chat.evaluate(
        """(async () => {
            for (let round = 0; round < 3; round++) {
                const channel = call.open('again');
                await channel.next();
                if (!await channel.echoes(`round ${round}`)) throw new Error('lost');
                channel.channel.close();
                await channel.closed;
            }
        })()"""
    )
    assert await chat.evaluate("chat.echoes('still here')")


async def test_channels_end_with_the_call_when_the_agent_hangs_up(chat: Page, gateway: Gateway) -> None:
    await chat.evaluate("chat.send('hangup')")
    assert await chat.evaluate("chat.next()") == "hangup"
    await chat.evaluate("chat.closed")
    assert await chat.wait_for("call.closed") == {"code": 1000, "reason": "the caller asked for it"}
    assert await chat.evaluate("call.messages.at(-1)") == {"type": "bye", "reason": "the caller asked for it"}
    assert len(gateway.sessions) == 0


async def test_channel_added_by_renegotiation(page: Page) -> None:
    with trio.fail_after(PROCESS_PATIENCE):
        await page.evaluate(
            """(async () => {
                globalThis.call = await Call.create();
                await call.speak();
                await call.negotiate();
            })()"""
        )
        await page.wait_for("call.pc.connectionState === 'connected'")
        await page.evaluate("(async () => { globalThis.chat = call.open('later'); await call.negotiate(); })()")
        assert await page.evaluate("chat.next()") == GREETING
        assert await page.evaluate("chat.echoes('late, but here')")
        assert await page.evaluate("call.errors") == []


async def test_data_section_may_come_before_the_audio(page: Page) -> None:
    with trio.fail_after(PROCESS_PATIENCE):
        sections = await page.evaluate(
            """(async () => {
                globalThis.call = await Call.create();
                globalThis.chat = call.open('first');
                await call.pc.setLocalDescription(); // fixes the order of the sections
                await call.speak();
                await call.negotiate();
                return call.pc.remoteDescription.sdp.match(/^m=\\w+/gm);
            })()"""
        )
        assert sections == ["m=application", "m=audio"]
        assert await page.evaluate("chat.next()") == GREETING
        await page.wait_for("call.tracks.length && !call.tracks[0].muted")
        assert await page.evaluate("call.errors") == []
