"""Who loses the WebSocket is spoken to while its media comes, and waited for when it does not (CONTRACT §3)."""

import pytest
import trio
from glottis import Heard
from glottis.peer import ConnectionState
from glottis.server.sessions.states import SessionState
from support.conversation import Clock, is_media, open_conversation, open_line
from support.phone import eventually

# Falling silent


async def test_without_socket_and_media_the_gateway_is_silent_within_a_second_and_waits(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_socket()
        conversation.lose_media()
        assert await conversation.interrupted() <= 1
        assert await conversation.is_silent_for(4)
        assert conversation.session.state is SessionState.ACTIVE


async def test_without_the_socket_alone_speech_goes_on_until_the_grace_is_over(autojump_clock: Clock) -> None:
    async with open_conversation(resume_grace=3) as conversation:
        conversation.lose_socket()
        await trio.sleep(2.8)
        assert not await conversation.is_silent_for(0.1)
        assert conversation.told == []
        await trio.sleep(0.2)
        assert conversation.session.state is SessionState.ENDED


async def test_without_media_alone_speech_goes_on(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_media()
        await trio.sleep(3)
        assert not await conversation.is_silent_for(0.1)
        assert conversation.told == []


async def test_media_that_had_stopped_before_the_socket_was_lost_is_given_the_same_time(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_media()
        await trio.sleep(3)
        conversation.lose_socket()
        assert 0.8 < await conversation.interrupted() <= 1


async def test_a_connection_that_is_reported_as_disconnected_waits_for_the_resumption_too(
    autojump_clock: Clock,
) -> None:
    async with open_conversation(resume_grace=2) as conversation:
        conversation.lose_media()
        await eventually(lambda: conversation.leg.peer.state is ConnectionState.DISCONNECTED)
        conversation.lose_socket()
        assert await conversation.interrupted() <= 1
        await trio.sleep(0.9)
        assert conversation.session.state is SessionState.ACTIVE
        await trio.sleep(0.3)
        assert conversation.session.state is SessionState.ENDED


@pytest.mark.slow
async def test_the_wait_goes_on_when_consent_has_expired_for_a_restart_can_bring_media_back(
    autojump_clock: Clock,
) -> None:
    async with open_conversation(resume_grace=8) as conversation:
        conversation.lose_socket()
        conversation.lose_media()
        await trio.sleep(6)
        assert conversation.leg.peer.state is ConnectionState.FAILED
        assert conversation.session.state is SessionState.ACTIVE
        assert conversation.told == ["interrupted"]
        await eventually(lambda: conversation.session.state is SessionState.ENDED, 3)


@pytest.mark.slow
async def test_expired_consent_interrupts_the_call_of_a_client_with_a_socket_until_the_grace_is_over(
    autojump_clock: Clock,
) -> None:
    async with open_conversation(resume_grace=2) as conversation:
        conversation.lose_media()
        await conversation.interrupted()
        assert await conversation.is_silent_for(1.5)
        assert conversation.socket.events[-3:] == ["connection", "interrupted", "restart_ice"]
        await trio.sleep(1)
        assert conversation.session.state is SessionState.ENDED
        assert conversation.socket.bye == "the media connection failed: the peer has not renewed its consent"


@pytest.mark.slow
async def test_without_a_grace_expired_consent_ends_the_call(autojump_clock: Clock) -> None:
    async with open_conversation(resume_grace=0) as conversation:
        conversation.lose_media()
        await trio.sleep(8)
        assert conversation.told == []
        assert conversation.socket.bye == "the media connection failed: the peer has not renewed its consent"


async def test_without_a_grace_the_call_ends_with_its_socket(autojump_clock: Clock) -> None:
    async with open_conversation(resume_grace=0) as conversation:
        conversation.lose_socket()
        assert conversation.session.state is SessionState.ENDING


# Who is still there


async def test_who_sends_a_packet_each_400_ms_while_silent_is_there(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.caller.speaks = lambda now: now % 0.4 < 0.02
        conversation.lose_socket()
        await trio.sleep(4)
        assert conversation.told == []


@pytest.mark.slow
async def test_who_has_offered_to_send_nothing_is_there_while_ice_says_so(autojump_clock: Clock) -> None:
    async with open_conversation("recvonly") as conversation:
        conversation.lose_socket()
        await trio.sleep(4)
        assert conversation.told == []
        conversation.lose_media()
        await conversation.interrupted()
        assert await conversation.is_silent_for(1)
        conversation.find_media()
        await eventually(lambda: conversation.told[-1] == "resumed")
        assert not await conversation.is_silent_for(0.1)


async def test_reports_are_no_media(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.callers_line.passes = lambda data: not is_media(data)
        conversation.lose_socket()
        assert await conversation.interrupted() <= 1
        assert await conversation.is_silent_for(5)
        assert conversation.told == ["interrupted"]


async def test_before_there_is_a_connection_nobody_is_interrupted(autojump_clock: Clock) -> None:
    async with open_line(resume_grace=2) as conversation:
        conversation.lose_media()
        conversation.negotiate()
        conversation.lose_socket()
        await trio.sleep(1.9)
        assert conversation.session.state is SessionState.CONNECTING
        await trio.sleep(0.2)
        assert conversation.session.state is SessionState.ENDED
        assert "interrupted" not in conversation.socket.events


# Speaking on


async def test_when_media_is_back_the_agent_speaks_on_where_it_was(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_socket()
        conversation.lose_media()
        await conversation.interrupted()
        await trio.sleep(0.5)  # the queue is full now
        said, sent = conversation.said, len(conversation.line.media_sent)
        await trio.sleep(2)
        assert conversation.said == said
        conversation.find_media()
        await eventually(lambda: conversation.told[-1] == "resumed", 0.1)
        await trio.sleep(1)
        spoken = len(conversation.line.media_sent) - sent
        assert 45 <= spoken <= 51
        assert conversation.said - said == spoken  # what was queued went first, and nothing was left out


async def test_when_the_socket_is_back_the_agent_speaks_on_and_both_are_told(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_socket()
        conversation.lose_media()
        await conversation.interrupted()
        conversation.attach()
        assert await conversation.is_silent_for(0.5)  # it may be about to restart ICE
        await trio.sleep(0.5)
        assert not await conversation.is_silent_for(0.1)
        await trio.sleep(2)
        assert conversation.told == ["interrupted", "resumed"]
        events = [name for name in conversation.socket.events if name != "connection"]
        assert events == ["interrupted", "resumed", "restart_ice"], "its media is still lost"


async def test_a_client_that_was_not_interrupted_is_not_told_of_it(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_socket()
        await trio.sleep(0.5)
        conversation.attach()
        assert conversation.socket.events == []


async def test_speech_that_waits_for_the_caller_can_be_flushed(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_socket()
        conversation.lose_media()
        await conversation.interrupted()
        await trio.sleep(1)
        heard = conversation.call.flush()
        assert heard.dropped >= 0.2
        await trio.sleep(1)
        assert conversation.call.flush() == Heard(0.0, heard.dropped)  # it said as much again
        assert await conversation.is_silent_for(1)
