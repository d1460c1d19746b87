"""What extensions of several processes tell of all of them, whatever one of them does when it is asked."""

from collections.abc import Awaitable, Callable

import pytest
from glottis.contracts.parts import OnePart
from glottis.server.fleet.channel import Channel
from glottis.server.fleet.member import Member
from glottis.server.fleet.messages import MAX_FIGURES, Tell, Told, encode, parse_from_worker_untrusted


async def told(channel: Channel, name: str) -> bytes:
    """What the member tells, when it is asked."""
    channel.send(encode(Tell(7, name)))
    received = await channel.receive_untrusted()
    assert received is not None
    message = parse_from_worker_untrusted(received[0])
    assert isinstance(message, Told)
    assert message.question == 7
    return message.figures


def failing(error: BaseException) -> Callable[[], Awaitable[bytes]]:
    async def tell() -> bytes:
        raise error

    return tell


class OfItsOwn(BaseException):
    """Such as extensions in other languages raise."""


@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(1), OfItsOwn(), BaseExceptionGroup("two", [SystemExit(1), ValueError()])]
)
async def test_what_cannot_be_told_is_logged_and_the_member_goes_on(
    parent: tuple[Member, Channel], caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    member, channel = parent
    member.offer("bad", failing(error))
    member.offer("good", _fine)
    assert await told(channel, "bad") == b""
    assert "bad cannot be told" in caplog.text
    assert await told(channel, "good") == b"fine"
    assert await told(channel, "nothing") == b""


async def _fine() -> bytes:
    return b"fine"


async def test_what_is_too_long_is_not_told(parent: tuple[Member, Channel], caplog: pytest.LogCaptureFixture) -> None:
    member, channel = parent

    async def tell() -> bytes:
        return bytes(MAX_FIGURES + 1)

    member.offer("long", tell)
    assert await told(channel, "long") == b""
    assert f"it has {MAX_FIGURES + 1} bytes, and at most {MAX_FIGURES} pass" in caplog.text


async def test_a_gateway_of_one_process_tells_itself() -> None:
    parts = OnePart()
    assert await parts.collect("fine") == {}
    parts.offer("fine", _fine)
    assert await parts.collect("fine") == {0: b"fine"}
