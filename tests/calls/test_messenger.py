from typing import Any, cast

import pytest
import trio
import trio.testing
from glottis import BytesMessage, LocalError, MessageTooLong, TextMessage
from glottis.calls.messenger import GREETING, LAST_WORDS, MAX_BUFFERED, MAX_SIGNALED, Messenger
from glottis.calls.own_channel import OwnChannel
from glottis.sctp import (
    BufferedAmountLow,
    BytesReceived,
    ChannelClosed,
    ChannelOpened,
    ChannelState,
    DataChannel,
    EverythingAcknowledged,
    LeftOver,
    SendBufferFull,
    TextReceived,
)
from glottis.signaling.messages import Event, ServerMessage, Text
from support.cost import operations


class Channel:
    """Stands for a data channel."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.sent: list[str | bytes] = []
        self.state = ChannelState.OPEN
        self.is_full = False
        self.limit = 2 * MAX_BUFFERED
        self.buffered_amount = 0
        self.buffered_amount_low_threshold = 0

    @property
    def real(self) -> DataChannel:
        """As events have it."""
        return cast("DataChannel", self)

    def send_text(self, text: str) -> None:
        if self.is_full:
            raise SendBufferFull("full")
        if len(text) > self.limit:
            raise MessageTooLong(f"the peer takes messages of at most {self.limit} bytes, not {len(text)}")
        self.sent.append(text)

    def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)


class Client:
    """Both sides of a messenger."""

    def __init__(self) -> None:
        self.signaled: list[ServerMessage] = []
        self.delivered: list[Any] = []
        self.is_owed = False
        """Whether it has not acknowledged all that was sent."""
        self.messenger = Messenger(
            send_signaling=self.signaled.append,
            deliver=self.delivered.append,
            pump=lambda: None,
            tell_when_acknowledged=lambda: self.is_owed,
        )

    def open(self, label: str) -> Channel:
        channel = Channel(label)
        self.messenger.handle_channel_event(ChannelOpened(channel.real))
        return channel


@pytest.fixture
def client() -> Client:
    return Client()


async def test_every_channel_is_greeted(client: Client) -> None:
    assert [client.open(label).sent for label in ("chat", "")] == [[GREETING], [GREETING]]


async def test_a_channel_whose_client_takes_no_greeting_serves_without_one(client: Client) -> None:
    channel = Channel("chat")
    channel.limit = len(GREETING) - 1
    client.messenger.handle_channel_event(ChannelOpened(channel.real))
    await client.messenger.send_text("hello", None)
    assert channel.sent == ["hello"]
    with pytest.raises(MessageTooLong, match="the peer takes messages of at most 16 bytes, not 17"):
        await client.messenger.send_text("x" * 17, None)


async def test_without_a_channel_text_and_events_go_by_the_websocket(client: Client) -> None:
    await client.messenger.send_text("hello", None)
    await client.messenger.send_event("transcript", {"text": "hi"})
    assert client.signaled == [Text("hello"), Event("transcript", {"text": "hi"})]


async def test_the_first_channel_is_the_default_and_labels_choose_others(client: Client) -> None:
    chat, other = client.open("chat"), client.open("other")
    await client.messenger.send_text("hello", None)
    await client.messenger.send_bytes(b"\x00", "other")
    await client.messenger.send_event("transcript", {"text": "hi"})
    assert chat.sent[1:] == ["hello", '{"type":"event","name":"transcript","data":{"text":"hi"}}']
    assert other.sent[1:] == [b"\x00"]
    assert client.signaled == []


async def test_a_channel_that_is_closing_gives_way_to_the_next_of_its_label_and_then_to_the_default(
    client: Client,
) -> None:
    chat, first, second = client.open("chat"), client.open("other"), client.open("other")
    first.state = ChannelState.CLOSING
    await client.messenger.send_text("one", "other")
    second.state = ChannelState.CLOSING
    await client.messenger.send_text("two", "other")
    for channel in (first, second):
        client.messenger.handle_channel_event(ChannelClosed(channel.real, "closed by the peer"))
    third = client.open("other")
    await client.messenger.send_text("three", "other")
    assert [channel.sent[1:] for channel in (chat, first, second, third)] == [["two"], [], ["one"], ["three"]]


@pytest.mark.parametrize("state", [ChannelState.OPEN, ChannelState.CLOSING])
async def test_finding_a_channel_by_its_label_costs_the_same_however_many_there_are(
    client: Client, state: ChannelState
) -> None:
    for number in range(1000):
        client.open(f"{number}").state = state
    last = client.open("last")
    cost = operations(client.messenger.channels.find, "last")
    assert client.messenger.channels.find("last") is last.real
    assert cost < 100


async def test_after_the_last_channel_closed_the_websocket_serves_again(client: Client) -> None:
    channel = client.open("chat")
    client.messenger.handle_channel_event(ChannelClosed(channel.real, "closed by the peer"))
    await client.messenger.send_text("hello", None)
    assert client.signaled == [Text("hello")]


async def test_bytes_without_a_channel_are_the_agents_error(client: Client) -> None:
    with pytest.raises(LocalError, match="need a data channel"):
        await client.messenger.send_bytes(b"x", None)


async def test_an_event_that_is_no_json_is_the_agents_error(client: Client) -> None:
    with pytest.raises(LocalError, match="event message"):
        await client.messenger.send_event("transcript", {"at": object()})


async def test_what_is_too_long_for_the_websocket_is_the_agents_error(client: Client) -> None:
    for text in ("x" * MAX_SIGNALED, "\0" * (MAX_SIGNALED // 6), "😀" * (MAX_SIGNALED // 4)):
        with pytest.raises(MessageTooLong, match="takes messages of at most 262144 bytes"):
            await client.messenger.send_text(text, None)
    with pytest.raises(MessageTooLong, match="takes messages of at most"):
        await client.messenger.send_event("transcript", {"text": "x" * MAX_SIGNALED})
    await client.messenger.send_text("x" * (MAX_SIGNALED - 100), None)
    assert len(client.signaled) == 1


async def test_an_agent_that_sends_too_fast_waits_for_the_channel(client: Client, nursery: trio.Nursery) -> None:
    channel = client.open("chat")
    channel.buffered_amount = MAX_BUFFERED + 1
    nursery.start_soon(client.messenger.send_text, "later", None)
    await trio.testing.wait_all_tasks_blocked()
    assert channel.sent == [GREETING]
    channel.buffered_amount = 0
    client.messenger.handle_channel_event(BufferedAmountLow(channel.real))
    await trio.testing.wait_all_tasks_blocked()
    assert channel.sent == [GREETING, "later"]


async def test_an_agent_waits_while_the_association_is_full(client: Client, nursery: trio.Nursery) -> None:
    channel = client.open("chat")
    channel.is_full = True
    nursery.start_soon(client.messenger.send_text, "later", None)
    await trio.testing.wait_all_tasks_blocked()
    channel.is_full = False
    client.messenger.handle_channel_event(BufferedAmountLow(channel.real))
    await trio.testing.wait_all_tasks_blocked()
    assert channel.sent == [GREETING, "later"]


async def test_the_end_of_a_call_waits_no_longer_than_the_client_takes_to_acknowledge(
    client: Client, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    client.open("chat")
    client.is_owed = True
    ended_at: list[float] = []

    async def end() -> None:
        await client.messenger.flush()
        ended_at.append(trio.current_time())

    async def acknowledge(after: float) -> None:
        await trio.sleep(after)
        client.is_owed = False
        client.messenger.handle_channel_event(EverythingAcknowledged())

    started_at = trio.current_time()
    nursery.start_soon(end)
    await acknowledge(after=0.123)
    await trio.testing.wait_all_tasks_blocked()
    assert ended_at == [started_at + 0.123]


@pytest.mark.parametrize("channels", [0, 1])
async def test_the_end_of_a_call_does_not_wait_for_a_client_that_is_gone(
    channels: int, client: Client, autojump_clock: trio.testing.MockClock
) -> None:
    for _ in range(channels):
        client.open("chat")
    client.is_owed = True
    started_at = trio.current_time()
    await client.messenger.flush()
    assert trio.current_time() - started_at == channels * LAST_WORDS


async def test_a_channel_that_is_closed_when_it_opens_is_never_used(client: Client) -> None:
    channel = Channel("chat")
    channel.state = ChannelState.CLOSED
    client.messenger.handle_channel_event(ChannelOpened(channel.real))
    await client.messenger.send_text("hello", None)
    assert (channel.sent, client.signaled) == ([], [Text("hello")])


async def test_what_the_client_sends_reaches_the_agent_with_its_channel(client: Client) -> None:
    channel = client.open("chat")
    client.messenger.handle_channel_event(TextReceived(channel.real, "hello"))
    client.messenger.handle_channel_event(BytesReceived(channel.real, b"\x01"))
    client.messenger.handle_text("hi")
    assert client.delivered == [TextMessage("hello", "chat"), BytesMessage(b"\x01", "chat"), TextMessage("hi")]


def test_closing_a_channel_costs_the_same_however_many_there_are() -> None:
    costs = []
    for count in (2, 1024):
        client = Client()
        channels = [client.open(str(number)) for number in range(count)]
        costs.append(operations(client.messenger.handle_channel_event, ChannelClosed(channels[-1].real, "closed")))
    assert costs[0] == costs[1]


async def test_a_channel_that_was_never_open_may_close(client: Client) -> None:
    chat = client.open("chat")
    client.messenger.handle_channel_event(ChannelClosed(Channel("other").real, "closed"))
    await client.messenger.send_text("hello", None)
    assert chat.sent == [GREETING, "hello"]


async def test_own_channel_is_no_agents_and_is_spoken_by_while_there_is_room(client: Client) -> None:
    opened: list[str] = []
    heard: list[str] = []
    messenger = client.messenger
    own = messenger.own_channel = OwnChannel("own", opened=lambda: opened.append("open"), heard=heard.append)
    assert not messenger.say_by_own_channel("too early")
    first, second, chat = (client.open(label) for label in ("own", "own", "chat"))
    messenger.handle_channel_event(TextReceived(second.real, "hello"))
    assert (opened, heard, client.delivered) == (["open"], ["hello"], [])
    assert messenger.say_by_own_channel("hi")
    await messenger.send_text("for signaling", "own")
    assert (first.sent, second.sent, chat.sent) == (["hi"], [], [GREETING])
    assert client.signaled == [Text("for signaling")]
    first.is_full = True
    assert not messenger.say_by_own_channel("full")
    first.is_full, first.buffered_amount = False, 2 * MAX_BUFFERED + 1
    assert not messenger.say_by_own_channel("behind")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(own.wait_for_room)
        await trio.testing.wait_all_tasks_blocked()
        first.buffered_amount = 0
        messenger.handle_channel_event(BufferedAmountLow(first.real))
    messenger.handle_channel_event(ChannelClosed(first.real, "closed by the peer"))
    assert not own.is_open
    assert await messenger.wait_for_channel(None) == "chat"
    messenger.change_over(lambda: None, lambda: False, [LeftOver("own", 1, ("old",), 0)], 0.0)
    assert client.open("own").sent == []
    assert own.is_open
