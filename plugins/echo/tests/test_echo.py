import glottis_echo
import pytest
import trio
from glottis import BytesMessage, EncodedPacket, Message, TextMessage, TypedMessage
from glottis.testing import AgentContract, fake_call

ECHO = glottis_echo.create(glottis_echo.EchoConfig())


@pytest.mark.slow
class TestContract(AgentContract):
    (spec,) = glottis_echo.register_agents()


async def test_what_the_caller_says_comes_back_sample_by_sample(autojump_clock: trio.testing.MockClock) -> None:
    pcm = bytes(range(256)) * 25
    async with fake_call(ECHO) as call:
        await call.caller_speaks(pcm)
        await trio.sleep(1)
        assert call.heard_pcm == pcm


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (TextMessage("hello"), ("hello", None)),
        (TextMessage("hello", "chat"), ("hello", "chat")),
        (TypedMessage("note", {"type": "note"}, '{"type": "note"}', "chat"), ('{"type": "note"}', "chat")),
        (BytesMessage(b"\x00\xff", "files"), (b"\x00\xff", "files")),
    ],
)
async def test_a_message_comes_back_by_its_own_channel(
    message: Message, answer: tuple[str | bytes, str | None], autojump_clock: trio.testing.MockClock
) -> None:
    async with fake_call(ECHO) as call:
        call.caller_writes(message)
        await trio.sleep(0.1)
        assert call.sent_messages == [answer]
        assert call.hang_up_reason is None


async def test_the_text_hangup_ends_the_call(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(ECHO) as call:
        call.caller_writes(TextMessage("hangup\n"))
        with trio.fail_after(1):
            await call.ended.wait()
        assert call.hang_up_reason == "the caller asked for it"


async def test_encoded_packets_come_back_untouched(autojump_clock: trio.testing.MockClock) -> None:
    packets = [EncodedPacket(b"%d" % number, "opus", 48000, number * 960, 960) for number in range(5)]
    async with fake_call(glottis_echo.create(glottis_echo.EchoConfig(encoded=True))) as call:
        for packet in packets:
            call.caller_sends_packet(packet)
        await trio.sleep(1)
        assert call.sent_packets == packets
