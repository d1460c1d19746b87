"""Each sign that the peer is lost is heeded by itself, and named: whichever layer gives it, and when none does."""

import pytest
import trio
from glottis.peer import ConnectionState
from glottis.server.sessions.states import SessionState
from glottis.signaling.messages import Event
from glottis.wire.rtcp import is_rtcp
from support.conversation import Clock, Conversation, open_conversation
from support.phone import eventually

ALERT, APPLICATION_DATA = 21, 23
"""Content types of DTLS records, RFC 6347 §4.1: of close_notify, and of what SCTP says."""


def leave(conversation: Conversation, content_type: int | None = None) -> None:
    """The caller goes, and of its goodbyes only the DTLS records of this type arrive, or only RTCP."""
    conversation.callers_line.passes = lambda data: is_rtcp(data) if content_type is None else data[0] == content_type
    conversation.caller.peer.close(trio.current_time())
    conversation.caller.driver.pump()


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        (ALERT, "the peer has closed the connection"),
        (APPLICATION_DATA, "the caller hung up: data channels aborted by the peer: user initiated abort"),
    ],
    ids=["close_notify", "ABORT"],
)
async def test_one_goodbye_is_enough(content_type: int, reason: str, autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        leave(conversation, content_type)
        await trio.sleep(0.2)
        assert conversation.session.state is SessionState.ENDED
        assert conversation.socket.bye == reason


async def test_a_source_that_says_bye_is_silent_and_not_lost_while_its_path_lives(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        leave(conversation)
        await trio.sleep(0.2)
        assert conversation.session.state is SessionState.ACTIVE


async def test_who_says_bye_and_nothing_more_is_told_as_gone_by_name_within_a_second_and_asked_to_come_by_another_way(
    autojump_clock: Clock,
) -> None:
    async with open_conversation() as conversation:
        start = trio.current_time()
        leave(conversation)
        await eventually(lambda: conversation.leg.peer.state is ConnectionState.DISCONNECTED)
        assert trio.current_time() - start <= 1.1, "by the look and the turn that are waited for"
        told = {message.name: message.data for message in conversation.socket.sent if isinstance(message, Event)}
        assert told["connection"]["state"] == "disconnected"
        assert told["connection"]["reason"].startswith("bye")
        assert "bye" in told["restart_ice"]["reason"]


@pytest.mark.parametrize("fails", [True, False])
async def test_a_client_is_asked_to_restart_ice_where_its_media_has_failed_or_the_agent_wants_it(
    fails: bool, autojump_clock: Clock
) -> None:
    async with open_conversation() as conversation:
        if fails:
            conversation.lose_media()
            await eventually(lambda: conversation.told.count("interrupted") > 0)
            conversation.find_media()
        else:
            conversation.call.restart_ice()
        assert conversation.socket.events[-1] == "restart_ice"
        conversation.restart()
        await eventually(lambda: conversation.leg.peer.state is ConnectionState.CONNECTED)
        assert conversation.session.state is SessionState.ACTIVE


async def test_who_says_nothing_more_is_disconnected_after_two_seconds(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_media()
        start = trio.current_time()
        await eventually(lambda: conversation.leg.peer.state is ConnectionState.DISCONNECTED)
        assert trio.current_time() - start <= 2.1, "by the look and the turn that are waited for"
