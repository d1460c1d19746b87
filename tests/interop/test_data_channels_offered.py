"""aiortc answers an offer of ours with data channels; either end opens one, and both send."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
import trio
from glottis.dtls import Certificate
from glottis.media.driver import PeerDriver
from glottis.media.endpoint import UdpEndpoint
from glottis.media.scheduler import Scheduler
from glottis.peer import ConnectionState, PeerConnection, PeerConnectionEvent, PeerSettings
from glottis.sctp import BytesReceived, ChannelOpened, DataChannel, TextReceived
from support.aiortc import AiortcPeer, open_aiortc
from support.audio import SPEECH
from support.installed import installed_plugins
from support.patience import PROCESS_PATIENCE

E = TypeVar("E")
OPUS = installed_plugins().codecs.find("opus").spec


@dataclass
class Offerer:
    """Our end, and what it was told."""

    peer: PeerConnection
    driver: PeerDriver = field(init=False)
    events: list[PeerConnectionEvent] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    news: trio.Event = field(default_factory=trio.Event)

    def tell(self, event: PeerConnectionEvent) -> None:
        self.events.append(event)
        self.news.set()

    async def expect(self, kind: type[E]) -> E:
        """The next event of this kind."""
        while True:
            for event in self.events:
                if isinstance(event, kind):
                    self.events.remove(event)
                    return event
            self.news = trio.Event()
            await self.news.wait()


@pytest.fixture
async def aiortc() -> AsyncIterator[AiortcPeer]:
    with trio.fail_after(PROCESS_PATIENCE):
        async with open_aiortc(SPEECH) as peer:
            yield peer


@pytest.fixture
async def offerer(aiortc: AiortcPeer, nursery: trio.Nursery) -> AsyncIterator[Offerer]:
    with UdpEndpoint.bind(["127.0.0.1"], 0) as endpoint:
        scheduler = Scheduler(endpoint)
        nursery.start_soon(endpoint.run)
        nursery.start_soon(scheduler.run)
        peer = PeerConnection(
            PeerSettings((OPUS,)),
            certificate=Certificate.generate(),
            local_addresses=endpoint.addresses,
            rng=random.SystemRandom(),
        )
        ours = Offerer(peer)
        ours.driver = PeerDriver(
            peer, endpoint=endpoint, scheduler=scheduler, handle_event=ours.tell, handle_error=ours.errors.append
        )
        answer = await aiortc.do("answer", sdp=peer.make_offer())
        peer.accept_answer_untrusted(answer["sdp"], trio.current_time())
        ours.driver.pump()
        while peer.state is not ConnectionState.CONNECTED:
            ours.news = trio.Event()
            await ours.news.wait()
        yield ours
        ours.driver.close()
        assert ours.errors == []
        nursery.cancel_scope.cancel()


async def open_channel(offerer: Offerer, label: str) -> DataChannel:
    assert offerer.peer.channels is not None
    channel = offerer.peer.channels.open(label)
    offerer.driver.pump()
    assert (await offerer.expect(ChannelOpened)).channel is channel
    return channel


async def test_messages_of_ours_reach_aiortc_and_its_own_reach_us(aiortc: AiortcPeer, offerer: Offerer) -> None:
    channel = await open_channel(offerer, "chat")
    channel.send_text("hello")
    channel.send_bytes(bytes(range(256)) * 256)
    channel.send_text("")
    offerer.driver.pump()
    received = (await aiortc.do("receive", label="chat", count=3))["messages"]
    assert [next(iter(message)) for message in received] == ["text", "bytes", "text"]
    assert (received[0], received[2]) == ({"text": "hello"}, {"text": ""})
    await aiortc.do("send", label="chat", messages=[{"text": "good day"}, {"bytes": "AAE="}])
    assert (await offerer.expect(TextReceived)).text == "good day"
    assert (await offerer.expect(BytesReceived)).data == b"\0\1"


async def test_a_channel_that_aiortc_opens_is_open_here_too(aiortc: AiortcPeer, offerer: Offerer) -> None:
    await open_channel(offerer, "first")
    await aiortc.do("open", label="theirs")
    theirs = (await offerer.expect(ChannelOpened)).channel
    assert theirs.label == "theirs"
    theirs.send_text("welcome")
    offerer.driver.pump()
    assert (await aiortc.do("receive", label="theirs", count=1))["messages"] == [{"text": "welcome"}]
