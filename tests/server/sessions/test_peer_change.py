"""A client goes on in its session with another peer connection: the agent goes on, and the old one is released."""

import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from weakref import ref

import pytest
import trio
from glottis import AudioFrame
from glottis.audio import level_dbfs
from glottis.calls.messenger import GREETING
from glottis.calls.reopening import PATIENCE
from glottis.contracts.statistics import Statistics
from glottis.peer import ConnectionState
from glottis.server.sessions.flood import OFFER_BURST
from glottis.server.sessions.states import SessionState
from glottis.signaling.close_codes import ABNORMAL, GOING_AWAY, LETS_GO, NORMAL
from glottis.signaling.messages import Answer, Error, Text
from glottis.wire.address import Path
from support.conversation import Clock, Conversation, Socket, open_conversation, open_line
from support.phone import eventually

LET_GO = LETS_GO.start


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
        assert before.peer.state is ConnectionState.CLOSED


@pytest.mark.slow
async def test_who_loses_its_connection_alone_goes_on_with_another_by_the_same_socket(autojump_clock: Clock) -> None:
    async with open_conversation(resume_grace=3) as conversation:
        conversation.lose_media()
        await eventually(lambda: conversation.leg.peer.state is ConnectionState.FAILED, 10)
        assert conversation.told == ["interrupted"]
        conversation.begin_anew()
        await eventually(lambda: conversation.told == ["interrupted", "resumed"], 0.5)
        assert conversation.events[-2:] == ["connection", "resumed"]
        await trio.sleep(4)
        assert conversation.session.state is SessionState.ACTIVE
        assert not await conversation.is_silent_for(0.1)


async def test_who_closes_the_old_one_before_the_other_stands_is_waited_for(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        before = conversation.begin_anew()
        conversation.caller.end.passes = lambda data: False
        before.driver.close()
        await eventually(lambda: conversation.told == ["interrupted"], 0.2)
        assert await conversation.is_silent_for(0.3)
        conversation.caller.end.passes = lambda data: True
        await eventually(lambda: conversation.told == ["interrupted", "resumed"], 1)
        assert not await conversation.is_silent_for(0.1)


async def test_the_caller_is_heard_by_the_other_one_and_taps_hear_on(autojump_clock: Clock) -> None:
    """Those of a recording, and of other extensions."""
    async with open_line() as conversation:
        heard: list[float] = []

        def note(frame: AudioFrame) -> AudioFrame:
            if level_dbfs(frame) > -30:
                heard.append(trio.current_time())
            return frame

        conversation.leg.voice.taps.heard = note
        conversation.negotiate()
        await eventually(lambda: len(heard) > 20)
        conversation.begin_anew()
        await conversation.caller.connected.wait()
        await trio.sleep(1)
        gaps = [after - before for before, after in pairwise(heard)]
        assert max(gaps) < 0.15
        assert trio.current_time() - heard[-1] < 0.05


def counted(statistics: Statistics) -> tuple[int, int, int, int]:
    """Samples played, the source of what is sent, channels that were opened, and messages that came by them."""
    inbound, outbound, channels = statistics.inbound_rtp, statistics.outbound_rtp, statistics.peer_connection
    assert inbound is not None
    assert outbound is not None
    assert channels is not None
    return inbound.total_samples_received, outbound.ssrc, channels.data_channels_opened, channels.messages_received


async def test_other_audio_is_told_when_it_is_in_force(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.begin_anew(change=lambda offer: re.sub("(m=audio .*SAVPF) 0", r"\1", offer))
        await conversation.caller.connected.wait()
        await eventually(lambda: conversation.events[-1] == "media")
        media = conversation.leg.media
        assert media is not None
        assert media.codec == "PCMA"
        await trio.sleep(0.5)
        assert not await conversation.is_silent_for(0.1)


async def test_statistics_go_on(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        await conversation.open_channel("chat")
        await trio.sleep(1)
        before = conversation.session.statistics()
        conversation.begin_anew()
        await conversation.caller.connected.wait()
        await conversation.open_channel("chat")
        await trio.sleep(0.5)
        after = conversation.session.statistics()
        (samples, source, opened, received), now = counted(before), counted(after)
        assert now[0] >= samples
        assert now[1:] == (source, opened + 1, received + 1)
        assert after.outbound_rtp is not None
        assert after.outbound_rtp.packets_sent == len(conversation.line.media_sent)


async def test_what_still_comes_by_the_connection_before_is_nobodys(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        before = conversation.caller.end
        kept: list[bytes] = []

        def keep(data: bytes) -> bool:
            kept.append(data)
            return True

        before.passes = keep
        await trio.sleep(0.5)
        conversation.begin_anew()
        await conversation.caller.connected.wait()
        await trio.sleep(0.1)
        dropped = conversation.line.dropped
        counters = conversation.session.statistics().counters
        for data in kept:
            conversation.line.dispatch(data, Path(conversation.line.addresses[0], before.addresses[0]))
        assert conversation.line.dropped == dropped + len(kept)
        assert conversation.session.statistics().counters == counters


# Bounds


async def test_the_gateway_keeps_nothing_of_the_connections_before(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        for number in range(3):
            peer = ref(conversation.leg.peer)
            conversation.begin_anew(f"198.51.100.{number}")
            await conversation.caller.connected.wait()
            await trio.sleep(0.1)
            assert len(conversation.line) == 1
            assert peer() is None


async def test_offers_of_other_connections_in_a_flood_are_refused_and_the_call_goes_on(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        told = list(conversation.events)
        for number in range(20):
            conversation.begin_anew(f"198.51.100.{number}", answers=False)
            assert len(conversation.line) <= 2
        sent = conversation.socket.sent
        assert sum(isinstance(message, Answer) for message in sent) == OFFER_BURST
        assert {message.code for message in sent if isinstance(message, Error)} == {"TOO_MANY_OFFERS"}
        await trio.sleep(1)
        assert conversation.events == told
        assert not await conversation.is_silent_for(0.1)


@pytest.mark.slow
async def test_one_that_fails_leaves_the_other_alone(autojump_clock: Clock) -> None:
    async with open_conversation(statistics=60) as conversation:
        told, before = list(conversation.events), conversation.begin_anew(answers=False)
        assert len(conversation.line) == 2
        await eventually(lambda: len(conversation.line) == 1, 60)
        assert conversation.events == told
        assert before.peer.state is ConnectionState.CONNECTED
        assert not await conversation.is_silent_for(0.1)


async def test_the_newest_takes_the_place_of_one_that_does_not_stand_yet(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.begin_anew("198.51.100.1", answers=False)
        conversation.begin_anew("198.51.100.2")
        assert len(conversation.line) == 2
        await conversation.caller.connected.wait()
        await trio.sleep(0.1)
        assert len(conversation.line) == 1
        assert not await conversation.is_silent_for(0.1)


async def test_a_session_that_ends_meanwhile_leaves_nothing_behind(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.begin_anew(answers=False)
        conversation.session.end("enough")
        assert len(conversation.line) == 0


async def test_an_offer_that_cannot_be_answered_changes_nothing(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.begin_anew(change=lambda offer: re.sub("(m=audio .*SAVPF).*", r"\1 97", offer))
        assert [one.code for one in conversation.socket.sent if isinstance(one, Error)] == ["NO_COMMON_CODEC"]
        assert len(conversation.line) == 1
        assert not await conversation.is_silent_for(0.1)


async def test_a_client_whose_connections_share_one_origin_begins_anew_as_well(autojump_clock: Clock) -> None:
    """Small devices have a constant in the o= line."""
    async with open_conversation() as conversation:
        origin = re.search("o=.*", conversation.offer)
        assert origin is not None
        before = conversation.begin_anew(change=lambda offer: re.sub("o=.*", origin[0], offer))
        await conversation.caller.connected.wait()
        await trio.sleep(1)
        assert not await conversation.is_silent_for(0.1)
        assert before.peer.state is ConnectionState.CLOSED


async def test_another_fingerprint_of_the_same_connection_is_refused(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.begin_anew(change=lambda offer: with_ice_of(conversation.offer, offer))
        assert [one.code for one in conversation.socket.sent if isinstance(one, Error)] == ["DTLS_RESTART_UNSUPPORTED"]
        assert len(conversation.line) == 1


def with_ice_of(first: str, offer: str) -> str:
    for name in ("ice-ufrag", "ice-pwd"):
        (value, *_) = re.findall(f"a={name}:(.*)", first)
        offer = re.sub(f"a={name}:.*", f"a={name}:{value}", offer)
    return offer


async def test_before_the_first_one_stands_another_may_take_its_place(autojump_clock: Clock) -> None:
    """A page that is loaded again while it connects."""
    async with open_line() as conversation:
        conversation.lose_media()
        conversation.negotiate()
        conversation.begin_anew()
        await conversation.caller.connected.wait()
        await eventually(lambda: conversation.session.state is SessionState.ACTIVE)
        assert not await conversation.is_silent_for(0.1)


# A page that is loaded anew


async def test_a_page_that_is_loaded_anew_closes_all_it_has_and_comes_back(autojump_clock: Clock) -> None:
    async with open_conversation(resume_grace=5) as conversation:
        await conversation.open_channel("chat")
        conversation.lose_socket(LET_GO)
        conversation.caller.driver.close()
        await eventually(lambda: conversation.told == ["interrupted"], 0.2)
        await trio.sleep(3)
        conversation.attach()
        conversation.begin_anew()
        await eventually(lambda: conversation.told == ["interrupted", "resumed"], 0.5)
        await trio.sleep(5)
        assert conversation.session.state is SessionState.ACTIVE
        assert not await conversation.is_silent_for(0.1)


@pytest.mark.parametrize("media_is_first", [True, False])
@pytest.mark.parametrize(
    ("survives_reload", "code", "comes_back"),
    [(True, code, code != NORMAL) for code in (LET_GO, GOING_AWAY, ABNORMAL, NORMAL)]
    + [(False, LET_GO, True), (False, GOING_AWAY, False), (False, ABNORMAL, False)],
)
async def test_who_has_closed_all_is_waited_for_if_it_said_that_it_comes_back(
    survives_reload: bool, code: int, comes_back: bool, media_is_first: bool, autojump_clock: Clock
) -> None:
    """Browsers close both at once. Who says it only by closing the socket has to do that first."""
    async with open_conversation(resume_grace=2) as conversation:
        before = conversation.begin_anew(survives_reload=survives_reload)
        await conversation.caller.connected.wait()
        before.driver.close()
        close: list[Callable[[], None]] = [conversation.caller.driver.close, partial(conversation.lose_socket, code)]
        for step in close if media_is_first else reversed(close):
            step()
            await trio.sleep(0.1)
        comes_back &= survives_reload or not media_is_first
        await trio.sleep(1.7)
        assert (conversation.session.state is SessionState.ACTIVE) is comes_back
        await trio.sleep(0.3)
        assert conversation.session.state is SessionState.ENDED


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


async def test_what_waits_for_its_channel_outlives_another_change(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        for label in ("chat", "files"):
            await conversation.open_channel(label)
        await trio.sleep(0.5)
        conversation.lose_media()
        await conversation.call.send_text("text")
        await conversation.call.send_bytes(b"bytes", "files")
        for host in ("198.51.100.1", "198.51.100.2"):
            conversation.begin_anew(host)
            await conversation.caller.connected.wait()
        for label in ("files", "chat"):
            await conversation.open_channel(label)
        await eventually(lambda: conversation.caller.texts[-1] == "text")
        assert [one for one in conversation.caller.texts if one in ("text", b"bytes")] == [b"bytes", "text"]


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
