"""How many calls a campaign has, how long a call may last, and how long nobody may say anything."""

from pathlib import Path

import pytest
import trio
from glottis import AudioFrame, AuthRequest, Call, EncodedPacket, Principal
from glottis.peer import ConnectionState
from glottis.rtp import Tone
from glottis.server.sessions.states import SessionState
from glottis.signaling.messages import Text
from support.conversation import Clock, open_conversation
from support.gateway import CONFIG
from support.memory import open_memory_exchange, open_memory_exchange_with
from support.phone import RATE, TONE, Phone, eventually
from support.plugins import TestPlugin


async def ends_after(phone: Phone) -> tuple[float, str]:
    """Seconds from now on, and the reason."""
    start = trio.current_time()
    code, reason = await phone.wait_closed(60)
    assert code == 1000
    return trio.current_time() - start, reason


# Calls at a time


async def test_a_campaign_has_as_many_calls_as_it_may_and_others_have_theirs(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    config = CONFIG.replace('[campaigns.echo]\nagent = "echo"', '[campaigns.echo]\nagent = "echo"\nmax_sessions = 2')
    async with open_memory_exchange(tmp_path, config) as exchange:
        phone = await exchange.call()
        await exchange.call()
        reply = await exchange.post()
        assert (reply.status, reply.document["code"], reply.headers["retry-after"]) == (503, "FULL", "10")
        assert reply.document["detail"] == "The campaign has as many calls as it takes, try again later."
        await exchange.call("campaign-abc")
        await phone.hang_up()
        await eventually(lambda: exchange.gateway.sessions.running == 2)
        await exchange.call()


# The length of a call


async def test_a_call_lasts_as_long_as_it_may(tmp_path: Path, autojump_clock: Clock) -> None:
    config = CONFIG.replace("[server]\n", "[server]\nmax_call_time = 20\n")
    config = config.replace('[campaigns.echo]\nagent = "echo"', '[campaigns.echo]\nagent = "echo"\nmax_call_time = 5')
    async with open_memory_exchange(tmp_path, config) as exchange:
        short, long = await exchange.call(), await exchange.call("campaign-abc")
        seconds, reason = await ends_after(short)
        assert seconds == pytest.approx(5, abs=0.5)
        assert reason == "the call has lasted as long as it may, 5 s"
        seconds, reason = await ends_after(long)
        assert seconds == pytest.approx(15, abs=0.5)
        assert reason == "the call has lasted as long as it may, 20 s"


async def test_media_that_comes_back_brings_no_more_time(autojump_clock: Clock) -> None:
    async with open_conversation(call=8.0) as conversation:
        start = trio.current_time()
        conversation.lose_media()
        await eventually(lambda: conversation.leg.peer.state is ConnectionState.DISCONNECTED)
        conversation.find_media()
        await eventually(lambda: conversation.leg.peer.state is ConnectionState.CONNECTED)
        await eventually(lambda: conversation.session.state is SessionState.ENDED, 20)
        assert trio.current_time() - start == pytest.approx(8, abs=0.5)
        assert conversation.socket.bye == "the call has lasted as long as it may, 8 s"


class Hasty:
    """An auth scheme whose only principal has four seconds for a call."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        return Principal("ada", max_call_time=4.0)


async def test_a_principal_may_have_less_time_than_others(tmp_path: Path, autojump_clock: Clock) -> None:
    plugin = TestPlugin(auth_scheme=Hasty())
    async with open_memory_exchange_with(tmp_path, plugin, "max_call_time = 10") as exchange:
        seconds, reason = await ends_after(await exchange.call())
        assert seconds == pytest.approx(4, abs=0.5)
        assert reason == "the call has lasted as long as it may, 4 s"


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), "3600"])
def test_no_time_at_all_is_no_limit(seconds: object) -> None:
    with pytest.raises(ValueError, match=r"Principal\.max_call_time: expected a number of seconds above 0"):
        Principal("ada", max_call_time=seconds)  # type: ignore[arg-type]


# Silence

QUIET = AudioFrame(bytes(len(TONE)), RATE)


async def hold(call: Call) -> None:
    await trio.sleep_forever()


async def mumble(call: Call) -> None:
    """Says nothing that could be heard, without end."""
    while True:
        await call.say(QUIET)


async def talk(call: Call) -> None:
    while True:
        await call.say(AudioFrame(TONE, RATE))


async def relay(call: Call) -> None:
    """Says packets from elsewhere: loud ones for five seconds, then such as their sender calls silent."""
    level = 20
    for number in range(10_000):
        level = 20 if number < 250 else 90
        await call.say(EncodedPacket(b"\x55" * 160, "PCMU", 8000, 160 * number, 160, audio_level=level))


async def test_a_call_in_which_nobody_says_anything_ends(tmp_path: Path, autojump_clock: Clock) -> None:
    plugin = TestPlugin(hold=hold, mumble=mumble)
    async with open_memory_exchange_with(tmp_path, plugin, "max_silence = 3") as exchange:
        for agent in ("hold", "mumble"):
            phone = await exchange.call(agent)
            await trio.sleep(5)
            assert phone.socket.closed is None
            phone.speaking = False
            seconds, reason = await ends_after(phone)
            assert seconds == pytest.approx(3, abs=0.5)
            assert reason == "nobody has said anything for 3 s"


async def test_whoever_speaks_or_writes_puts_the_end_off(tmp_path: Path, autojump_clock: Clock) -> None:
    plugin = TestPlugin(hold=hold, talk=talk)
    async with open_memory_exchange_with(tmp_path, plugin, "max_silence = 3") as exchange:
        listener, writer = await exchange.call("talk"), await exchange.call("hold")
        listener.speaking = writer.speaking = False
        for _ in range(5):
            await trio.sleep(2)
            await writer.socket.send(Text("still here"))
        assert (listener.socket.closed, writer.socket.closed) == (None, None)
        seconds, _ = await ends_after(writer)
        assert seconds == pytest.approx(3, abs=0.5)
        assert listener.socket.closed is None


async def test_a_caller_who_presses_keys_is_not_silent(tmp_path: Path, autojump_clock: Clock) -> None:
    async with open_memory_exchange_with(tmp_path, TestPlugin(hold=hold), "max_silence = 3") as exchange:
        phone = await exchange.call("hold")
        phone.speaking = False
        await trio.sleep(2)
        phone.peer.voice.write_tone(Tone(5, 0.1, 0.06))
        await trio.sleep(2)
        assert phone.socket.closed is None
        await ends_after(phone)


async def test_packets_that_go_out_as_they_came_are_as_loud_as_their_sender_says(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    async with open_memory_exchange_with(tmp_path, TestPlugin(relay=relay), "max_silence = 3") as exchange:
        phone = await exchange.call("relay")
        phone.speaking = False
        seconds, _ = await ends_after(phone)
        assert seconds == pytest.approx(8, abs=0.7)
