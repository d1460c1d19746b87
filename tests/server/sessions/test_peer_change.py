"""A client goes on in its session with another peer connection: the agent goes on, and the old one is released."""

import trio
from glottis.server.sessions.states import SessionState
from support.conversation import Clock, Conversation, open_conversation
from support.phone import eventually


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
