"""A client that comes back by a new socket, perhaps on another network, goes on with the same agent (CONTRACT §3)."""

import pytest
import trio
from glottis.server.sessions.flood import OFFER_BURST
from glottis.server.sessions.missed import MAX_MISSED_MESSAGES
from glottis.server.sessions.states import SessionState
from glottis.signaling.messages import Answer, Error, Event, Text
from support.conversation import Clock, Conversation, Socket, open_conversation
from support.phone import eventually


def texts(socket: Socket) -> list[str]:
    return [message.text for message in socket.sent if isinstance(message, Text)]


async def lose_both(conversation: Conversation) -> None:
    conversation.lose_socket()
    conversation.lose_media()
    await conversation.interrupted()


@pytest.mark.slow
async def test_who_comes_back_with_a_restart_hears_the_agent_go_on_within_a_second(autojump_clock: Clock) -> None:
    async with open_conversation(resume_grace=8) as conversation:
        await lose_both(conversation)
        await trio.sleep(6)  # longer than consent lasts here
        said, sent = conversation.said, len(conversation.line.media_sent)
        conversation.find_media()
        conversation.attach()
        back_at = trio.current_time()
        conversation.restart()
        await eventually(lambda: conversation.told == ["interrupted", "resumed"])
        await eventually(lambda: len(conversation.line.media_sent) > sent)
        assert trio.current_time() - back_at < 1
        await trio.sleep(3)  # the grace is no matter any more
        assert conversation.session.state is SessionState.ACTIVE
        # Nothing was left unsaid, and a frame that waited when the line was lost may come on top.
        assert len(conversation.line.media_sent) - sent - (conversation.said - said) in (0, 1)


async def test_who_comes_back_is_spoken_to_once_there_is_a_way_and_not_only_when_it_speaks(
    autojump_clock: Clock,
) -> None:
    """Chromium sends its media by a new path a second after it has found it."""
    async with open_conversation() as conversation:
        conversation.caller.speaks = lambda now: False
        await lose_both(conversation)
        conversation.attach()
        conversation.find_media()
        conversation.restart()
        await eventually(lambda: conversation.told[-1] == "resumed", 0.5)
        assert not await conversation.is_silent_for(0.1)


async def test_what_was_queued_is_not_said_to_nobody_before_the_restart_has_found_the_client(
    autojump_clock: Clock,
) -> None:
    async with open_conversation() as conversation:
        await lose_both(conversation)
        conversation.attach()
        assert await conversation.is_silent_for(0.3)
        conversation.find_media()
        conversation.restart()
        await eventually(lambda: conversation.told[-1] == "resumed", 0.5)


@pytest.mark.slow
async def test_a_restart_after_expired_consent_needs_no_new_socket(autojump_clock: Clock) -> None:
    async with open_conversation(resume_grace=2) as conversation:
        conversation.lose_media()
        await conversation.interrupted()
        conversation.find_media()
        conversation.restart()
        await eventually(lambda: conversation.told == ["interrupted", "resumed"], 1)
        await trio.sleep(2.5)
        assert conversation.session.state is SessionState.ACTIVE
        assert not await conversation.is_silent_for(0.1)


async def test_texts_and_events_that_were_missed_come_first_and_in_order(autojump_clock: Clock) -> None:
    async with open_conversation(statistics=1) as conversation:
        conversation.lose_socket()
        for number in range(3):
            await conversation.call.send_text(f"text {number}")
            await conversation.call.send_event("news", {"number": number})
        await trio.sleep(3)
        conversation.attach()
        assert [type(message) for message in conversation.socket.sent] == [Text, Event] * 3
        assert texts(conversation.socket) == ["text 0", "text 1", "text 2"]
        await conversation.call.send_text("later")
        assert texts(conversation.socket)[-1] == "later"


async def test_of_what_was_missed_the_newest_is_kept_and_the_rest_counted(autojump_clock: Clock) -> None:
    async with open_conversation(statistics=1) as conversation:
        conversation.lose_socket()
        for number in range(MAX_MISSED_MESSAGES + 5):
            await conversation.call.send_text(str(number))
        conversation.attach()
        kept = texts(conversation.socket)
        assert kept == [str(number) for number in range(5, MAX_MISSED_MESSAGES + 5)]
        assert not [message for message in conversation.socket.sent if isinstance(message, Answer)]
        await eventually(lambda: conversation.reports, 2)
        assert conversation.counters.messages_missed == 5


async def test_long_texts_that_were_missed_take_no_more_memory_than_there_is(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_socket()
        for _ in range(4):
            await conversation.call.send_text("x" * 100_000)
        conversation.attach()
        assert len(texts(conversation.socket)) == 2


@pytest.mark.slow
async def test_restarts_in_a_flood_are_refused_and_the_call_goes_on(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        for _ in range(20):
            conversation.restart()
        sent = conversation.socket.sent
        assert sum(isinstance(message, Answer) for message in sent) == OFFER_BURST
        assert {message.code for message in sent if isinstance(message, Error)} == {"TOO_MANY_OFFERS"}
        await trio.sleep(2.5)
        conversation.restart()
        await trio.sleep(2)
        assert len(conversation.leg.peer.local_ufrags) == 1
        assert not await conversation.is_silent_for(0.1)
