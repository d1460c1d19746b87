"""A client goes on in its session with another peer connection: the agent goes on, and the old one is released."""

import trio
from glottis.calls.messenger import GREETING
from glottis.calls.reopening import PATIENCE
from glottis.server.sessions.states import SessionState
from glottis.signaling.messages import Text
from support.conversation import Clock, Conversation, Socket, open_conversation
from support.phone import eventually


def texts(socket: Socket) -> list[str]:
    return [message.text for message in socket.sent if isinstance(message, Text)]


async def lose_both(conversation: Conversation) -> None:
    conversation.lose_socket()
    conversation.lose_media()
    await conversation.interrupted()


async def test_who_comes_back_with_another_connection_hears_the_agent_go_on_where_it_was(
    autojump_clock: Clock,
) -> None:
    async with open_conversation() as conversation:
        await lose_both(conversation)
        await trio.sleep(0.5)
        said, sent = conversation.said, len(conversation.line.media_sent)
        conversation.attach()
        conversation.begin_anew()
        await eventually(lambda: conversation.told == ["interrupted", "resumed"], 0.5)
        await trio.sleep(1)
        spoken = len(conversation.line.media_sent) - sent
        assert 45 <= spoken <= 52
        assert conversation.said - said == spoken
        statistics = conversation.session.statistics()
        assert statistics.outbound_rtp is not None
        assert statistics.outbound_rtp.packets_sent == len(conversation.line.media_sent)
        assert conversation.session.state is SessionState.ACTIVE


async def test_a_call_that_was_not_interrupted_changes_its_connection_without_a_word(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        told = list(conversation.events)
        before = conversation.begin_anew()
        await conversation.caller.connected.wait()
        await trio.sleep(1)
        assert conversation.events == told
        assert not await conversation.is_silent_for(0.1)
        assert before.peer.state.value == "closed"


async def test_the_gateway_keeps_nothing_of_the_connection_before(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        for number in range(3):
            conversation.begin_anew(f"198.51.100.{number}")
            await conversation.caller.connected.wait()
            await trio.sleep(0.1)
            assert len(conversation.line) == 1
        heard = conversation.session.statistics().inbound_rtp
        assert heard is not None
        assert heard.ssrc != 0


# Texts


async def test_texts_that_were_on_their_way_come_once_and_in_order_by_the_channel_of_the_same_name(
    autojump_clock: Clock,
) -> None:
    async with open_conversation() as conversation:
        chat = await conversation.open_channel("chat")
        await conversation.call.send_text("first")
        await eventually(lambda: conversation.caller.texts == [GREETING, "first"])
        await trio.sleep(0.5)
        await lose_both(conversation)
        for text in ("second", "third"):
            await conversation.call.send_text(text)
        conversation.attach()
        conversation.begin_anew()
        await conversation.caller.connected.wait()
        conversation.nursery.start_soon(conversation.call.send_text, "fourth")
        await trio.sleep(0.2)
        again = await conversation.open_channel("chat")
        continued = '{"type":"event","name":"continued","data":{"sent":2,"received":1}}'
        await eventually(lambda: conversation.caller.texts == [GREETING, continued, "second", "third", "fourth"])
        assert chat is not again
        assert texts(conversation.socket) == []


async def test_texts_whose_channel_is_not_opened_again_go_by_the_socket(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        await conversation.open_channel("chat")
        await trio.sleep(0.5)
        conversation.lose_media()
        await conversation.call.send_text("first")
        conversation.begin_anew()
        await conversation.caller.connected.wait()
        began = trio.current_time()
        await conversation.call.send_text("second")
        assert trio.current_time() - began <= PATIENCE
        assert texts(conversation.socket) == ["first", "second"]
