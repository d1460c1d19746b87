"""Tokens are good once, for their own session, client and use (CONTRACT §2)."""

import time
from dataclasses import replace
from pathlib import Path

import msgspec.structs
import pytest
import trio.testing
from glottis import CallInfo
from glottis.contracts.errors import AuthenticationFailed
from glottis.contracts.info import MAX_IDENTIFIER_LENGTH
from glottis.server.sessions.tokens import CONNECT, RESUME, TokenDesk
from glottis.signaling.session_url import SessionUrl
from support.memory import open_memory_exchange
from support.phone import eventually

Clock = trio.testing.MockClock
ANNA = CallInfo("session-a", "campaign", client_identifier="anna")
BERT = CallInfo("session-b", "campaign", client_identifier="bert")


@pytest.fixture
def desk() -> TokenDesk:
    return TokenDesk()


def issue(desk: TokenDesk, info: CallInfo = ANNA, use: str = CONNECT, lifetime: float = 60.0) -> SessionUrl:
    return desk.issue(info, use, time.monotonic() + lifetime)


def refusal(desk: TokenDesk, url: SessionUrl, info: CallInfo | None = ANNA) -> str:
    with pytest.raises(AuthenticationFailed) as refused:
        desk.redeem(url, info)
    return refused.value.code


@pytest.mark.parametrize("use", [CONNECT, RESUME])
def test_a_token_is_good_once(desk: TokenDesk, use: str) -> None:
    url = issue(desk, use=use)
    assert url.resume is (use == RESUME)
    desk.redeem(url, ANNA)
    assert refusal(desk, url) == "TOKEN_USED"


@pytest.mark.parametrize("use", [CONNECT, RESUME])
def test_clock_that_is_set_from_1970_voids_no_token(use: str) -> None:
    """It does not matter to other processes of this machine, which may have begun before or after."""
    desk = TokenDesk()
    desk.redeem(desk.issue(ANNA, use, time.monotonic() + 60.0), ANNA)
    assert refusal(desk, desk.issue(ANNA, use, time.monotonic())) == "TOKEN_EXPIRED"


def test_of_each_use_only_the_last_token_is_good(desk: TokenDesk) -> None:
    first, other_use, last = issue(desk), issue(desk, use=RESUME), issue(desk)
    assert refusal(desk, first) == "TOKEN_USED"
    desk.redeem(last, ANNA)
    desk.redeem(other_use, ANNA)


def test_a_token_is_for_its_session_client_and_use(desk: TokenDesk) -> None:
    url = issue(desk)
    assert refusal(desk, msgspec.structs.replace(url, session_id="session-b"), BERT) == "TOKEN_INVALID"
    assert refusal(desk, url, replace(ANNA, client_identifier="bert")) == "TOKEN_INVALID"
    assert refusal(desk, msgspec.structs.replace(url, resume=True)) == "TOKEN_INVALID"
    assert refusal(desk, msgspec.structs.replace(url, transport="WebSocket")) == "TRANSPORT_MISMATCH"
    desk.redeem(url, ANNA)  # none of this has used it up


def test_what_is_no_token_or_no_longer_is_refused_before_anything_is_said_of_the_session(desk: TokenDesk) -> None:
    assert refusal(desk, msgspec.structs.replace(issue(desk), token="made-up"), None) == "TOKEN_INVALID"
    assert refusal(desk, issue(desk, lifetime=-1), None) == "TOKEN_EXPIRED"
    assert refusal(desk, issue(desk), None) == "SESSION_NOT_FOUND"


def test_a_session_that_is_forgotten_leaves_nothing(desk: TokenDesk) -> None:
    urls = [issue(desk), issue(desk, use=RESUME)]
    kept = issue(desk, BERT)
    desk.forget(ANNA.session_id)
    assert [refusal(desk, url) for url in urls] == ["TOKEN_USED", "TOKEN_USED"]
    desk.redeem(kept, BERT)
    assert len(desk) == 0


async def test_gateways_that_share_a_desk_use_up_no_token_of_each_other(tmp_path: Path, autojump_clock: Clock) -> None:
    desk = TokenDesk()
    async with (
        open_memory_exchange(tmp_path, tokens=desk) as here,
        open_memory_exchange(tmp_path, tokens=desk) as there,
    ):
        phone = here.phone()
        await phone.create()
        stray = await there.phone().open_socket(phone.url)
        await eventually(lambda: stray.closed)
        assert stray.closed == (1008, "SESSION_NOT_FOUND: The session has ended; create a new one.")
        await phone.open_socket()
        await phone.negotiate()
        await phone.hang_up()
    assert len(desk) == 0


async def test_whatever_identifier_is_taken_its_url_works(tmp_path: Path, autojump_clock: Clock) -> None:
    """Each of these characters is as long in some encoding as one may be."""
    async with open_memory_exchange(tmp_path) as exchange:
        for character in ("\1", '"', "%", "\x7f", "\u2028", "\U0001f600"):
            phone = exchange.phone()
            await phone.create("echo", clientIdentifier=character * MAX_IDENTIFIER_LENGTH)
            await phone.open_socket()
            await phone.hang_up()
