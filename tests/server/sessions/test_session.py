"""Clients that misbehave or vanish, against a real gateway on loopback (CONTRACT §2–3)."""

import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from glottis import Call
from glottis.calls.inbox import MAX_MESSAGES
from glottis.ice import IceTiming
from glottis.peer import ConnectionState
from glottis.rtp import MAX_SSRCS
from glottis.server.sessions.channel import SignalingChannel, open_signaling
from glottis.server.sessions.flood import OFFER_BURST
from glottis.server.sessions.times import SessionTimes
from glottis.server.sessions.tokens import TokenDesk
from glottis.signaling.messages import Answer, Bye, Error, Offer, Text, TrickledCandidate
from glottis.signaling.session_tokens import HmacTokens, TokenClaims
from glottis.wire.address import Datagram
from glottis.wire.rtp import build_rtp
from support.http import request
from support.memory import open_memory_exchange, open_memory_exchange_with
from support.phone import Exchange, Phone, Socket, eventually, installed_codec, protection, webrtc_leg
from support.plugins import Footprint, TestPlugin, open_exchange_with

TOKENS = HmacTokens(bytes(32))


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_memory_exchange(tmp_path, tokens=TokenDesk(TOKENS)) as exchange:
        yield exchange


async def errors(socket: Socket) -> list[Error]:
    await eventually(lambda: bool(socket.of_type(Error)))
    return socket.of_type(Error)


# Wrong order, wrong content


async def test_a_candidate_before_the_offer_is_kept(exchange: Exchange, autojump_clock: trio.testing.MockClock) -> None:
    phone = exchange.phone()
    await phone.create()
    socket = await phone.open_socket()
    offer = phone.peer.make_offer()
    (line,) = [line for line in offer.splitlines() if line.startswith("a=candidate")][:1]
    bare = "\r\n".join(line for line in offer.splitlines() if "candidate" not in line) + "\r\n"
    await socket.send(TrickledCandidate(line.removeprefix("a="), "0", 0))
    await socket.send(TrickledCandidate(""))
    phone.driver.pump()
    await socket.send(Offer(bare))
    await phone.take_answer()
    await phone.hear()


@pytest.mark.parametrize(
    "message",
    [
        '{"type":"answer","sdp":"v=0"}',
        '{"type":"event","name":"x","data":{}}',
        '{"type":"event","name":"mark","data":{"id":1}}',
        '{"type":"event","name":"dtmf","data":{"digit":"1"}}',
        '{"type":"offer"}',
        '{"type":"offer","sdp":""}',
        '{"type":"offer","sdp":"v=0\\r\\n"}',
        '{"type":7}',
        "[]",
        "{",
        "\x00",
        b"binary",
        "[" * 20000,
    ],
)
async def test_a_bad_message_is_answered_with_an_error_and_the_call_goes_on(
    message: str | bytes, exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    await phone.socket.send(message)
    (error,) = await errors(phone.socket)
    assert error.code
    assert error.message
    await phone.hear()


async def test_messages_after_bye_are_nobodys(
    exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    await phone.socket.send(Bye())
    await phone.socket.send(Offer("v=0"))
    await phone.socket.send(Text("still there?"))
    assert await phone.wait_closed() == (1000, "the caller hung up")
    assert not phone.socket.of_type(Error)
    assert len(exchange.gateway.sessions) == 0


async def test_the_reason_of_a_bye_is_shortened_to_one_line_in_the_log(
    exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level("INFO")
    phone = await exchange.call()
    await phone.socket.send(Bye("first\nsecond" + "x" * 60000))
    code, reason = await phone.wait_closed()
    assert (code, reason[:32]) == (1000, "the caller hung up: first second")
    (line,) = [record.getMessage() for record in caplog.records if " ends: " in record.getMessage()]
    assert len(line) < 250
    assert "\n" not in line


async def test_a_second_offer_is_answered_and_media_goes_on(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    offer = phone.offer
    await phone.socket.send(Offer(offer.replace(" 0 IN IP4", " 1 IN IP4", 1)))
    await eventually(lambda: len(phone.socket.of_type(Answer)) == 2)
    await phone.hear()


async def test_offers_in_a_flood_are_refused_and_the_call_goes_on(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    for _ in range(OFFER_BURST + 3):
        await phone.socket.send(Offer(phone.offer))
    await eventually(lambda: len(phone.socket.of_type(Error)) >= 3)
    assert {error.code for error in phone.socket.of_type(Error)} == {"TOO_MANY_OFFERS"}
    assert len(phone.socket.of_type(Answer)) == OFFER_BURST
    await phone.hear()


async def test_half_an_ice_restart_is_refused_by_name_and_the_call_goes_on(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    offer = phone.offer
    ufrag = phone.peer.local_ufrags[0]
    await phone.socket.send(Offer(offer.replace(f"a=ice-ufrag:{ufrag}", "a=ice-ufrag:newone")))
    (error,) = await errors(phone.socket)
    assert error.code == "ICE_CREDENTIALS_MIXED"
    await phone.hear()


async def test_an_offer_without_a_common_codec_is_refused_with_what_was_offered(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    strange = replace(installed_codec("PCMU"), encoding_name="X-STRANGE", static_payload_type=None)
    phone = exchange.phone(strange)
    await phone.create()
    await phone.open_socket()
    await phone.send_offer()
    (error,) = await errors(phone.socket)
    assert "X-STRANGE" in error.message


async def test_a_wrong_fingerprint_ends_the_call_before_any_media(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = exchange.phone()
    await phone.create()
    await phone.open_socket()
    offer = phone.peer.make_offer()
    start = offer.index("a=fingerprint:sha-256 ") + 22
    wrong = offer.replace(offer[start : start + 95], ":".join(["AB"] * 32))
    phone.driver.pump()
    await phone.socket.send(Offer(wrong))
    await phone.take_answer()
    code, reason = await phone.wait_closed()
    assert code == 1000
    assert "FINGERPRINT_MISMATCH" in reason
    assert phone.heard == 0
    assert len(exchange.gateway.sessions) == 0


@pytest.mark.slow
async def test_thousands_of_messages_are_taken_and_the_other_call_goes_on(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    bystander = await exchange.call()
    phone = await exchange.call()
    for index in range(2000):
        await phone.socket.send(Text(str(index)))
    await eventually(lambda: phone.socket.of_type(Text)[-1:] == [Text("1999")], seconds=10)
    await bystander.hear()


@pytest.mark.slow
async def test_no_text_of_a_burst_is_lost(exchange: Exchange, autojump_clock: trio.testing.MockClock) -> None:
    phone = await exchange.call()
    texts = [Text(str(index)) for index in range(2000)]
    for text in texts:
        await phone.socket.send(text)
    await eventually(lambda: phone.socket.of_type(Text)[-1:] == texts[-1:], seconds=10)
    assert phone.socket.of_type(Text) == texts


@pytest.mark.slow
async def test_a_thousand_texts_before_the_offer_are_kept_and_what_is_beyond_is_refused(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = exchange.phone()
    await phone.create()
    await phone.open_socket()
    for index in range(MAX_MESSAGES + 3):
        await phone.socket.send(Text(str(index)))
    await eventually(lambda: len(phone.socket.of_type(Error)) == 3)
    assert {error.code for error in phone.socket.of_type(Error)} == {"TOO_MANY_MESSAGES"}
    phone.socket.messages.clear()
    await phone.negotiate()
    await eventually(lambda: phone.socket.of_type(Text)[-1:] == [Text(str(MAX_MESSAGES - 1))])
    assert len(phone.socket.of_type(Text)) == MAX_MESSAGES


async def test_an_agent_that_stops_reading_does_not_keep_the_caller_from_hanging_up(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async def deaf(call: Call) -> None:
        await anext(call.messages)
        await trio.sleep_forever()

    async with open_memory_exchange_with(
        tmp_path, TestPlugin(deaf=deaf), times=SessionTimes(text_patience=0.1)
    ) as exchange:
        phone = await exchange.call("deaf")
        for index in range(200):
            await phone.socket.send(Text(str(index)))
        await phone.hang_up()


async def test_a_session_that_ends_does_not_wait_for_its_agent_to_read(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    all_sent = trio.Event()

    async def slow(call: Call) -> None:
        await anext(call.messages)
        await all_sent.wait()

    async with open_memory_exchange_with(tmp_path, TestPlugin(slow=slow)) as exchange:
        phone = await exchange.call("slow")
        for index in range(200):
            await phone.socket.send(Text(str(index)))
        all_sent.set()
        assert await phone.wait_closed(2) == (1000, "the agent ended the call")


@pytest.mark.parametrize("message", ["nonsense", '{"type":"text","text":7}', Offer("nonsense")])
async def test_thousands_of_bad_messages_close_the_socket(
    message: str | bytes, exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level("INFO")
    bystander = await exchange.call()
    phone = await exchange.call()
    for _ in range(2000):
        await phone.socket.send(message)
    code, reason = await phone.wait_closed()
    assert (code, reason[:15]) == (1008, "TOO_MANY_ERRORS")
    assert len([record for record in caplog.records if record.name.startswith("glottis")]) < 40
    await bystander.hear()


@pytest.mark.slow
async def test_large_candidates_in_a_flood_are_held_back_and_the_other_call_goes_on(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    bystander = await exchange.call()
    phone = await exchange.call()
    begun = trio.current_time()
    for _ in range(160):
        await phone.socket.send('{"type":"candidate","candidate":{"candidate":"","padding":[%s1]}}' % ("[]," * 20_000))
    await phone.socket.send(Text("last"))
    await eventually(lambda: Text("last") in phone.socket.messages, seconds=20)
    assert trio.current_time() - begun > 0.5
    assert phone.socket.of_type(Error) == []
    await bystander.hear()


async def test_candidates_and_texts_that_come_at_once_are_taken_at_once(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    begun = trio.current_time()
    for index in range(40):
        await phone.socket.send(TrickledCandidate(f"candidate:{index} 1 udp 1 192.0.2.1 50000 typ host", "0", 0))
    for index in range(256):
        await phone.socket.send(Text(str(index)))
    await eventually(lambda: phone.socket.of_type(Text)[-1:] == [Text("255")])
    assert trio.current_time() - begun < 0.5


UNUSABLE = [
    "candidate:nonsense",
    "candidate:1 1 udp 659136 fe80::1%21 60720 typ host generation 0",
    "candidate:1 1 udp -1 192.0.2.1 50000 typ host",
    "candidate:odd one 1 udp 1 192.0.2.1 50000 typ host",
    "candidate:1 7 udp 1 192.0.2.1 0 typ host",
    "candidate:1 1 udp 1 10.1.2.3.4 9 typ host",
    "candidate:1 1 tcp 1 printer.local 9 typ host tcptype active",
    "x" * 2000,
]


@pytest.mark.slow
async def test_hundreds_of_unusable_candidates_are_no_errors(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = exchange.phone()
    await phone.create()
    socket = await phone.open_socket()
    for _ in range(20):
        for candidate in UNUSABLE:
            await socket.send(TrickledCandidate(candidate, "0", 0))
    await phone.negotiate()
    for _ in range(20):
        for candidate in UNUSABLE:
            await socket.send(TrickledCandidate(candidate, "0", 0))
    await socket.send(Text("still here"))
    await eventually(lambda: Text("still here") in socket.messages)
    assert socket.of_type(Error) == []
    assert socket.closed is None


async def test_candidates_that_name_no_section_are_told_once_and_are_no_errors(
    exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level(logging.DEBUG, "glottis.calls.webrtc_leg")
    phone = await exchange.call()
    for _ in range(100):
        await phone.socket.send(TrickledCandidate("candidate:1 1 udp 1 192.0.2.1 50000 typ host", "unknown", 99))
    await phone.socket.send(Text("still here"))
    await eventually(lambda: Text("still here") in phone.socket.messages)
    assert [error.code for error in phone.socket.of_type(Error)] == ["CANDIDATE_UNMATCHED"]
    lines = [record for record in caplog.records if record.getMessage().endswith("names no section of the offer")]
    assert [line.levelno for line in lines] == [logging.DEBUG] * 100
    await phone.hear()


def told(caplog: pytest.LogCaptureFixture, sentence: str) -> int:
    return sum(sentence in record.getMessage() for record in caplog.records if record.levelno == logging.INFO)


@pytest.mark.slow
async def test_a_caller_with_too_many_sources_is_told_once_and_so_is_the_log(
    exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level(logging.INFO, "glottis.calls.webrtc_leg")
    phone = await exchange.call()
    protect = protection(phone).protect
    for ssrc in range(MAX_SSRCS + 40):
        phone.endpoint.send(Datagram(protect(build_rtp(0, 1, 160, ssrc, bytes(160))), phone.path), phone.driver)
    await eventually(lambda: phone.socket.of_type(Error))
    await trio.sleep(10)
    assert [error.code for error in phone.socket.of_type(Error)] == ["TOO_MANY_SOURCES"]
    assert told(caplog, "SSRCs: the one unheard for longest") == 1
    leg = webrtc_leg(exchange.gateway.sessions.find(phone.session_id))
    assert leg.statistics(trio.current_time()).to_json()["counters"]["sourcesRetired"] >= 40


@pytest.mark.slow
async def test_a_caller_whose_datagrams_were_refused_is_told_once_and_so_is_the_log(
    exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level(logging.INFO, "glottis.calls.webrtc_leg")
    phone = await exchange.call()
    leg = webrtc_leg(exchange.gateway.sessions.find(phone.session_id))
    for _ in range(1000):
        leg.driver.refuse()
    await trio.sleep(10)
    assert [error.code for error in phone.socket.of_type(Error)] == ["TOO_MANY_DATAGRAMS"]
    assert told(caplog, "some were dropped") == 1
    assert leg.statistics(trio.current_time()).to_json()["counters"]["datagramsRefused"] == 1000
    await phone.hear()


@pytest.mark.parametrize("refused", [False, True])
async def test_what_is_skipped_of_an_offer_is_told_at_debug_level(
    refused: str, exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level(logging.DEBUG, "glottis.calls.webrtc_leg")
    phone = exchange.phone()
    await phone.create()
    socket = await phone.open_socket()
    offer = phone.peer.make_offer().replace("a=sendrecv\r\n", "a=sendrecv\r\na=ptime:0\r\nnonsense\r\n", 1)
    await socket.send(Offer(offer.replace("a=fingerprint", "a=x") if refused else offer))
    await eventually(lambda: socket.of_type(Error if refused else Answer))
    number = offer.splitlines().index("a=ptime:0") + 1
    lines = [record for record in caplog.records if "skipped" in record.getMessage()]
    assert [line.getMessage().partition("the description: ")[2] for line in lines] == [
        f"line {number}: after a=ptime: expected more than zero milliseconds",
        f"line {number + 1}: expected a letter of RFC 8866, =, and a value",
    ]
    assert {line.levelno for line in lines} == {logging.DEBUG}


async def test_a_client_that_never_reads_costs_a_bounded_queue_and_its_call_goes_on_until_it_hangs_up(
    tmp_path: Path,
) -> None:
    async def flood(call: Call) -> None:
        while True:
            await call.send_text("x" * 1000)

    async with open_exchange_with(tmp_path, TestPlugin(flood=flood)) as exchange:
        bystander = await exchange.call()
        await bystander.hear()
        before = Footprint.of(exchange.gateway)
        phone = exchange.phone()
        await phone.create("flood")
        socket = await phone.open_socket(read=False)
        await phone.send_offer()
        phone.exchange.nursery.start_soon(socket.read_answer)
        await phone.take_answer()
        await bystander.hear(20)
        phone.hang_down()
        await eventually(lambda: len(exchange.gateway.sessions) == 1)
        socket.cut()
        await socket.read()
        await eventually(lambda: Footprint.of(exchange.gateway) == before)


# Vanishing and coming back


def resume_url(phone: Phone) -> str:
    url: str = phone.socket.events("resume")[-1]["websocketUrl"]
    return url


def of_sessions(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of them: a busy machine adds lines on stalls."""
    return [message for message in caplog.messages if message.startswith("session ")]


async def test_a_closed_tab_ends_the_call_at_once(exchange: Exchange, autojump_clock: trio.testing.MockClock) -> None:
    before = await Footprint.at_rest(exchange.gateway)
    phone = await exchange.call()
    await phone.socket.close(1001)
    phone.hang_down()
    await eventually(lambda: Footprint.of(exchange.gateway) == before, 1)


@pytest.mark.parametrize("code", [1000, 1001, None])
async def test_a_client_that_closes_its_websocket_hangs_up_though_its_media_connection_stays(
    code: int, exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level(logging.INFO)
    phone = await exchange.call()
    await phone.socket.close(code)
    assert await phone.wait_closed() == (code or 1005, "")
    await eventually(lambda: phone.state is ConnectionState.CLOSED, 1)
    assert len(exchange.gateway.sessions) == 0
    ends, counts = of_sessions(caplog)[-2:]
    assert ends.endswith(" ends: the caller hung up")
    assert " has counted packets sent " in counts


async def test_the_reason_in_a_close_frame_is_the_callers(
    exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level(logging.INFO)
    phone = await exchange.call()
    await phone.socket.close(1000, "enough\nfor today")
    await eventually(lambda: len(exchange.gateway.sessions) == 0, 1)
    assert of_sessions(caplog)[-2].endswith(" ends: the caller hung up: enough for today")


async def test_a_client_that_closes_its_websocket_before_it_offers_hangs_up(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = exchange.phone()
    await phone.create()
    await phone.open_socket()
    await phone.socket.close(1000)
    await eventually(lambda: len(exchange.gateway.sessions) == 0, 1)


async def send_nonsense(socket: Socket) -> None:
    for _ in range(50):
        await socket.send("nonsense")


async def reset(socket: Socket) -> None:
    socket.reset()


LOSSES = {
    "TCP is reset": (reset, 1006),
    "the client's code 1002": (lambda socket: socket.close(1002), 1002),
    "the client's code 1011": (lambda socket: socket.close(1011), 1011),
    "a code of the application": (lambda socket: socket.close(4000), 4000),
    "a frame against the rules": (lambda socket: socket.send_frame(3, b""), 1002),
    "a close frame against the rules": (lambda socket: socket.close(1005), 1002),
    "a text that is no UTF-8": (lambda socket: socket.send_frame(1, b"\xff"), 1007),
    "too many errors": (send_nonsense, 1008),
    "too long a message": (lambda socket: socket.send("x" * 70000), 1009),
}


@pytest.mark.parametrize(("lose", "code"), LOSSES.values(), ids=LOSSES)
async def test_any_other_end_of_the_websocket_is_a_loss_and_the_call_is_resumed(
    lose: Callable[[Socket], Awaitable[None]], code: int, exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    await lose(phone.socket)
    assert (await phone.wait_closed())[0] == code
    await phone.hear()
    await phone.open_socket(resume_url(phone))
    await phone.socket.send(Text("back"))
    await eventually(lambda: Text("back") in phone.socket.messages)
    await phone.hear()


async def test_a_client_that_lost_its_websocket_and_its_media_is_spoken_to_again_when_it_is_back(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call("talker")
    (session,) = exchange.gateway.sessions
    phone.speaking = False
    phone.socket.reset()
    await eventually(lambda: webrtc_leg(session).driver.holds_speech)
    await phone.open_socket(resume_url(phone))
    await eventually(lambda: phone.socket.events("resumed"))
    await phone.hear()


async def test_the_older_websocket_of_a_resumed_call_may_be_closed(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    first = phone.socket
    await phone.open_socket(resume_url(phone))
    await first.close(1000)
    await eventually(lambda: first.closed)
    await phone.hear()


async def test_a_closed_media_connection_alone_ends_the_call(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    phone.hang_down()
    assert (await phone.wait_closed())[0] == 1000
    assert len(exchange.gateway.sessions) == 0


async def test_a_lost_websocket_leaves_media_alone_until_the_grace_is_over(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange_with(tmp_path, TestPlugin(), "resume_grace = 0.2") as exchange:
        phone = await exchange.call()
        phone.socket.cut()
        await phone.hear(5)
        await eventually(lambda: phone.state is ConnectionState.CLOSED, 1)
        assert len(exchange.gateway.sessions) == 0


async def test_without_a_grace_the_call_ends_with_its_websocket_and_offers_no_resumption(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange_with(tmp_path, TestPlugin(), "resume_grace = 0") as exchange:
        phone = await exchange.call()
        assert phone.socket.events("resume") == []
        phone.socket.cut()
        await eventually(lambda: phone.state is ConnectionState.CLOSED, 1)
        assert len(exchange.gateway.sessions) == 0


HASTY_ICE = IceTiming(consent_interval=0.1, silence=0.2, answer_time=0.1, consent_lifetime=0.8)


async def test_a_caller_who_vanishes_altogether_is_noticed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    times = SessionTimes(ice=HASTY_ICE)
    async with open_memory_exchange_with(tmp_path, TestPlugin(), "resume_grace = 1.5", times=times) as exchange:
        before = await Footprint.at_rest(exchange.gateway)
        phone = await exchange.call()
        await phone.hear()
        phone.vanish()
        await eventually(lambda: Footprint.of(exchange.gateway) == before, 2)


async def test_udp_silence_alone_is_reported_and_ends_the_call_when_nobody_restarts_ice(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    times = SessionTimes(ice=HASTY_ICE)
    async with open_memory_exchange_with(tmp_path, TestPlugin(), "resume_grace = 0.5", times=times) as exchange:
        phone = await exchange.call()
        phone.go_silent()
        code, reason = await phone.wait_closed()
    states = [event["state"] for event in phone.socket.events("connection")]
    assert states[-2:] == ["disconnected", "failed"]
    assert (code, reason) == (1000, "the media connection failed: the peer has not renewed its consent")


async def test_a_call_is_resumed_within_the_grace(exchange: Exchange, autojump_clock: trio.testing.MockClock) -> None:
    phone = await exchange.call()
    first = phone.socket
    first.cut()
    await phone.open_socket(resume_url(phone))
    await phone.socket.send(Text("back"))
    await eventually(lambda: Text("back") in phone.socket.messages)
    assert resume_url(phone) != phone.sockets[0].events("resume")[-1]["websocketUrl"]
    await phone.hear()
    await phone.hang_up()
    assert len(exchange.gateway.sessions) == 0


async def test_resumption_replaces_a_socket_that_is_still_there(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    first = phone.socket
    await phone.open_socket(resume_url(phone))
    await eventually(lambda: first.closed)
    assert first.closed == (1000, "the session goes on over another connection")
    await phone.hear()
    assert phone.socket.closed is None


async def refusal(phone: Phone, url: str = "", **headers: Any) -> str:
    """The code in the reason with which a WebSocket is closed."""
    await phone.open_socket(url, **headers)
    code, reason = await phone.wait_closed()
    assert code == 1008
    assert len(reason.encode()) <= 123
    return reason.partition(":")[0]


async def test_tokens_work_once_for_their_own_session_and_use(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone, other = await exchange.call(), await exchange.call()
    first_resume = resume_url(phone)
    assert await refusal(exchange.phone(), phone.url) == "TOKEN_USED"
    token = other.url.partition("token=")[2]
    assert await refusal(exchange.phone(), f"{phone.url.partition('token=')[0]}token={token}") == "TOKEN_INVALID"
    assert await refusal(exchange.phone(), f"{phone.url}&resume=1") == "TOKEN_INVALID"
    assert await refusal(exchange.phone(), first_resume.removesuffix("&resume=1")) == "TOKEN_INVALID"
    await phone.open_socket(first_resume)
    await eventually(lambda: phone.socket.events("resume"))
    assert await refusal(exchange.phone(), first_resume) == "TOKEN_USED"
    for call in (phone, other):
        await call.hear()


async def test_forged_expired_and_missing_tokens_are_refused_by_name(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = exchange.phone()
    await phone.create()
    base, _, token = phone.url.partition("?token=")
    expired = TOKENS.issue(TokenClaims(phone.session_id, "", time.monotonic() - 1, "nonce"))
    assert await refusal(exchange.phone(), base) == "TOKEN_INVALID"
    assert await refusal(exchange.phone(), f"{base}?token=") == "TOKEN_INVALID"
    assert await refusal(exchange.phone(), f"{base}?token={token[:-1]}{'A' if token[-1] != 'A' else 'B'}") == (
        "TOKEN_INVALID"
    )
    assert await refusal(exchange.phone(), f"{base}?token={'x' * 2000}") == "TOKEN_INVALID"
    assert await refusal(exchange.phone(), f"{base}?token={expired}") == "TOKEN_EXPIRED"
    await phone.open_socket()
    await phone.negotiate()


async def test_unknown_sessions_and_other_transports_are_refused_by_name(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = exchange.phone()
    await phone.create()
    token = TOKENS.issue(TokenClaims("nobody", "", time.monotonic() + 60, "nonce"))
    base = phone.url.partition("/ws/")[0]
    assert await refusal(exchange.phone(), f"{base}/ws/session/nobody/webrtc?token={token}") == "SESSION_NOT_FOUND"
    assert await refusal(exchange.phone(), phone.url.replace("/webrtc", "/websocket")) == "TRANSPORT_MISMATCH"
    await phone.open_socket()
    await phone.negotiate()


async def test_a_flood_of_refused_tokens_leaves_few_lines_in_the_log(
    exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level(logging.INFO)
    phone = exchange.phone()
    await phone.create()
    for _ in range(15):
        assert await refusal(exchange.phone(), phone.url.partition("?")[0]) == "TOKEN_INVALID"
    lines = [line for line in caplog.messages if line.endswith("refused: TOKEN_INVALID")]
    assert len(lines) == 10
    assert lines[0].startswith(f"WebSocket of session {phone.session_id} from ")


async def test_a_session_that_has_ended_is_not_found(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    url = resume_url(phone)
    await phone.hang_up()
    assert await refusal(exchange.phone(), url) == "SESSION_NOT_FOUND"


async def test_a_session_that_ends_while_its_client_connects_closes_the_socket(
    exchange: Exchange,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: trio.testing.MockClock,
) -> None:
    phone = exchange.phone()
    await phone.create()
    session = exchange.gateway.sessions.find(phone.session_id)
    assert session is not None

    @asynccontextmanager
    async def open_too_late(*arguments: Any, **options: Any) -> AsyncIterator[SignalingChannel]:
        async with open_signaling(*arguments, **options) as channel:
            session.end("over")
            await trio.testing.wait_all_tasks_blocked()
            yield channel

    monkeypatch.setattr("glottis.server.sessions.sessions.open_signaling", open_too_late)
    await phone.open_socket()
    assert await phone.wait_closed() == (1000, "the call has ended")
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_page_of_another_origin_gets_a_403_before_the_handshake(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = exchange.phone()
    await phone.create()
    path = phone.url[phone.url.index("/ws/") :]
    upgrade: dict[str, Any] = {
        "upgrade": "websocket",
        "connection": "upgrade",
        "sec_websocket_version": "13",
        "sec_websocket_key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    reply = await request(
        exchange.gateway, "GET", path, connect=exchange.network.connect, origin="https://evil.example", **upgrade
    )
    assert (reply.status, reply.document["code"]) == (403, "ORIGIN_NOT_ALLOWED")
    await phone.open_socket(origin="http://127.0.0.1:5173")
    await phone.negotiate()


async def test_a_session_that_nobody_connects_to_expires_with_its_token(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange_with(tmp_path, TestPlugin(), "token_lifetime = 0.1") as exchange:
        gateway = exchange.gateway
        before = await Footprint.at_rest(gateway)
        assert (await exchange.post()).status == 200
        assert len(gateway.sessions) == 1
        await eventually(lambda: Footprint.of(gateway) == before, 1)


async def test_no_token_is_logged(
    exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level("DEBUG")
    phone = await exchange.call()
    tokens = [phone.url.partition("token=")[2], resume_url(phone).partition("token=")[2].partition("&")[0]]
    assert await refusal(exchange.phone(), phone.url) == "TOKEN_USED"
    await phone.hang_up()
    own_records = [record for record in caplog.records if record.name.startswith("glottis")]
    text = json.dumps([record.getMessage() for record in own_records])
    assert own_records
    assert not any(token in text or token[:40] in text for token in tokens)
