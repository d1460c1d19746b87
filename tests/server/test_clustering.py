"""What a gateway does with what an extension knows of others; and without it, if that fails."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio.testing
from glottis import (
    DoorRefused,
    Route,
    RouteRequest,
    RouteResponse,
    RoutesSpec,
    Seat,
    SessionWish,
    Whereabouts,
    hookimpl,
)
from support.gateway import CONFIG
from support.http import request
from support.memory import open_memory_exchange
from support.phone import Exchange

Clock = trio.testing.MockClock
Log = pytest.LogCaptureFixture
ENABLED = CONFIG + '\n[extensions]\nenabled = ["Sisters"]\n[campaigns.alone]\nagent = "echo"\nextensions = []\n'
ELSEWHERE = RouteResponse.json({"sessionId": "there"})
STRANGER = "s" * 22


class Sisters:
    """A cluster that says what it is told to."""

    def __init__(self) -> None:
        self.seat: Seat | None = None
        self.wishes: list[SessionWish] = []
        self.counted: list[tuple[str, str, int]] = []
        self.response: RouteResponse | None = None
        self.seconds: float | None = None
        self.whereabouts = Whereabouts()

    @hookimpl
    def join_cluster(self, seat: Seat) -> "Sisters":
        self.seat = seat
        return self

    async def place(self, wish: SessionWish) -> RouteResponse | None:
        self.wishes.append(wish)
        return self.response

    async def seconds_to_wait(self, what: str, client: str, per_minute: int) -> float | None:
        self.counted.append((what, client, per_minute))
        return self.seconds

    async def find(self, session_id: str) -> Whereabouts:
        return self.whereabouts


async def get(exchange: Exchange, path: str) -> Any:
    return await request(exchange.gateway, "GET", path, connect=exchange.network.connect)


async def test_the_answer_of_another_gateway_goes_to_who_has_asked(tmp_path: Path, autojump_clock: Clock) -> None:
    sisters = Sisters()
    sisters.response = ELSEWHERE
    async with open_memory_exchange(tmp_path, ENABLED, [sisters]) as exchange:
        reply = await exchange.post("echo", dynamicVariables={"region": "eu"}, metadata={"a": 1})
        assert reply.document == {"sessionId": "there"}
        assert len(exchange.gateway.sessions) == 0
    [wish] = sisters.wishes
    assert json.loads(wish.body)["campaignId"] == wish.campaign_id == "echo"
    assert (wish.dynamic_variables["region"], wish.metadata["a"]) == ("eu", 1)
    assert "region" not in repr(wish)


class Invitation:
    """A door for clients that come by WebSocket."""

    @hookimpl
    def register_routes(self) -> list[RoutesSpec]:
        return [RoutesSpec("invitation", lambda settings: [Route("POST", "/", "public", self.invite)], folder="/here")]

    async def invite(self, asked: RouteRequest) -> RouteResponse:
        assert asked.door is not None
        try:
            return RouteResponse.json(await asked.door.invite({"campaignId": "echo"}))
        except DoorRefused as refused:
            return RouteResponse.refusal(refused)


@pytest.mark.parametrize(
    ("response", "status", "told"),
    [
        (ELSEWHERE, 200, {"sessionId": "there"}),
        (RouteResponse.refusal(DoorRefused(503, "FULL", "No.", (("retry-after", "7"),))), 503, {"code": "FULL"}),
        (RouteResponse(500, b"<html>", "text/html"), 500, {"code": "INTERNAL_ERROR"}),
    ],
)
async def test_who_is_invited_by_a_door_may_go_elsewhere(
    response: RouteResponse, status: int, told: dict[str, str], tmp_path: Path, autojump_clock: Clock
) -> None:
    sisters = Sisters()
    sisters.response = response
    config = ENABLED + '\n[routes]\nenabled = ["invitation"]\n'
    async with open_memory_exchange(tmp_path, config, [sisters, Invitation()]) as exchange:
        reply = await request(exchange.gateway, "POST", "/here/", connect=exchange.network.connect)
    assert reply.status == status
    assert told.items() <= reply.document.items()
    assert reply.headers.get("retry-after") == dict(response.headers).get("retry-after")


@pytest.mark.parametrize(("campaign", "asked"), [("echo", True), ("alone", False), ("nowhere", True)])
async def test_a_campaign_without_the_extension_stays_here(
    campaign: str, asked: bool, tmp_path: Path, autojump_clock: Clock
) -> None:
    sisters = Sisters()
    async with open_memory_exchange(tmp_path, ENABLED, [sisters]) as exchange:
        reply = await exchange.post(campaign)
    assert reply.status == (404 if campaign == "nowhere" else 200)
    assert bool(sisters.wishes) == asked


@pytest.mark.parametrize(("seconds", "status", "waits"), [(None, 200, ""), (0.0, 200, ""), (7.2, 429, "8")])
async def test_the_cluster_counts_requests_if_it_can(
    seconds: float | None, status: int, waits: str, tmp_path: Path, autojump_clock: Clock
) -> None:
    sisters = Sisters()
    sisters.seconds = seconds
    async with open_memory_exchange(tmp_path, ENABLED, [sisters]) as exchange:
        reply = await exchange.post()
        assert (reply.status, reply.headers.get("retry-after", "")) == (status, waits)
    assert [(what, per_minute) for what, _, per_minute in sisters.counted] == [("sessions", 100000)]


@pytest.mark.parametrize(
    ("whereabouts", "code", "reason"),
    [
        (Whereabouts(url="https://b.example"), 1013, "ELSEWHERE: The session is at https://b.example"),
        (Whereabouts(is_certain=False), 1013, "WHEREABOUTS_UNKNOWN"),
        (Whereabouts(reason="its node was lost"), 1008, "SESSION_NOT_FOUND: The session has ended: its node was lost"),
        (Whereabouts(reason="ü" * 300 + "\n"), 1008, "SESSION_NOT_FOUND: The session has ended: üüü"),
        (Whereabouts(), 1008, "TOKEN_INVALID"),
    ],
)
async def test_a_websocket_is_told_where_its_session_is(
    whereabouts: Whereabouts, code: int, reason: str, tmp_path: Path, autojump_clock: Clock
) -> None:
    sisters = Sisters()
    async with open_memory_exchange(tmp_path, ENABLED, [sisters]) as exchange:
        phone = exchange.phone()
        await phone.create()
        sisters.whereabouts = whereabouts
        await phone.open_socket(phone.url.replace(phone.session_id, STRANGER) + "&resume=1")
        closed = await phone.wait_closed()
        assert closed[0] == code
        assert closed[1].startswith(reason)
        there = [event["websocketUrl"] for event in phone.socket.events("resume")]
        if whereabouts.url:
            [url] = there
            assert url.startswith(f"wss://b.example/ws/session/{STRANGER}/webrtc?token=")
            assert url.endswith("&resume=1")
        else:
            assert there == []
        await phone.open_socket()  # one of this gateway's own is not looked for
        await phone.negotiate()
        await phone.hang_up()


@pytest.mark.parametrize("path", [f"/api/sessions/{STRANGER}/trace", f"/api/sessions/{STRANGER}/stats"])
async def test_a_request_about_a_session_is_redirected_to_who_has_it(
    path: str, tmp_path: Path, autojump_clock: Clock
) -> None:
    sisters = Sisters()
    async with open_memory_exchange(tmp_path, ENABLED, [sisters]) as exchange:
        assert (await get(exchange, path)).status == 404
        sisters.whereabouts = Whereabouts(url="https://b.example")
        reply = await get(exchange, f"{path}?full=1")
        assert (reply.status, reply.headers["location"]) == (307, f"https://b.example{path}?full=1")
        assert (await get(exchange, "/nothing")).status == 404


async def test_a_seat_creates_sessions_for_others_and_says_how_full_the_gateway_is(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    sisters = Sisters()
    config = ENABLED.replace("port = 0", 'port = 0\nmax_sessions = 2\npublic_url = "https://a.example/"')
    async with open_memory_exchange(tmp_path, config, [sisters]) as exchange:
        seat = sisters.seat
        assert seat is not None
        assert (seat.url, seat.capacity, seat.sessions(), seat.unavailability()) == ("https://a.example", 2, 0, "")
        assert set(seat.campaigns) == {"echo", "campaign-abc", "talker"}
        assert list(seat.campaigns["echo"]) == ["echo"]
        await exchange.post()
        wish = sisters.wishes[0]
        created = await seat.create(wish)
        assert created.status == 200
        assert json.loads(bytes_of(created))["websocketUrl"].startswith("wss://a.example/ws/session/")
        assert (seat.sessions(), seat.unavailability()) == (2, "FULL")
        refused = await seat.create(wish)
        assert (refused.status, dict(refused.headers)["retry-after"]) == (503, "10")
        assert len(sisters.wishes) == 1, "the others were not asked again"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (lambda wish: SessionWish(b"{}", "echo", wish.principal), 400, "MISSING_FIELD"),
        (
            lambda wish: SessionWish(wish.body.replace(b"echo", b"gone"), "gone", wish.principal),
            404,
            "UNKNOWN_CAMPAIGN",
        ),
    ],
)
async def test_what_another_gateway_wishes_and_cannot_be_had_is_a_problem(
    change: Callable[[SessionWish], SessionWish], status: int, code: str, tmp_path: Path, autojump_clock: Clock
) -> None:
    sisters = Sisters()
    async with open_memory_exchange(tmp_path, ENABLED, [sisters]) as exchange:
        await exchange.post()
        assert sisters.seat is not None
        answer = await sisters.seat.create(change(sisters.wishes[0]))
    assert answer.status == status
    assert json.loads(bytes_of(answer))["code"] == code


class Failing:
    def __init__(self, product: Callable[[], object]) -> None:
        self._product = product

    @hookimpl
    def join_cluster(self) -> object:
        return self._product()


def failing() -> object:
    raise OSError("no others")


@pytest.mark.parametrize("product", [failing, object, lambda: None])
async def test_a_hook_that_fails_leaves_the_gateway_alone(
    product: Callable[[], object], tmp_path: Path, caplog: Log, autojump_clock: Clock
) -> None:
    config = ENABLED.replace("Sisters", "Failing")
    async with open_memory_exchange(tmp_path, config, [Failing(product)]) as exchange:
        phone = await exchange.call()
        await phone.hear()
        await phone.hang_up()
    assert "plugin Failing (given directly): the gateway is in no cluster" in caplog.text


class Slow(Sisters):
    async def place(self, wish: SessionWish) -> RouteResponse | None:
        await trio.sleep(60)
        return None


async def test_who_is_slow_is_waited_for_five_seconds(tmp_path: Path, caplog: Log, autojump_clock: Clock) -> None:
    async with open_memory_exchange(tmp_path, ENABLED.replace("Sisters", "Slow"), [Slow()]) as exchange:
        began = trio.current_time()
        assert (await exchange.post()).status == 200
        assert 5 <= trio.current_time() - began < 6
    assert "place took longer than 5 s" in caplog.text


def bytes_of(response: RouteResponse) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body
