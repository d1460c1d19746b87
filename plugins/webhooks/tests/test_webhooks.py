"""Webhooks: signed, in time, and never worth a call, whatever disk and endpoint do."""

import json
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

import httpx2
import pytest
import trio
from glottis import CallInfo, ConfigurationError, OtherEvent, Secret, StateChanged, Statistics
from glottis.contracts.clock import WallClock
from glottis.contracts.statistics import Counters
from glottis.testing import on_virtual_time
from glottis_webhooks import OUTBOXES, WebhooksConfig, deliver, session_observers
from glottis_webhooks.delivery import MAX_REFUSALS, SIDE_BY_SIDE, Delivery
from glottis_webhooks.events import SessionEvents
from glottis_webhooks.outbox import HEIR_PAUSE, Outbox
from glottis_webhooks.signing import key_of, signed_headers
from glottis_webhooks.spool import MAX_BODY, Spool, name_of
from support.gateway import CONFIG
from support.memory import open_memory_exchange

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://hooks.example/in?key=hunter2"
Log = pytest.LogCaptureFixture
Reply = int | Exception | Callable[[], Awaitable[int]]


class Endpoint:
    """Answers as it is told, the last answer again and again."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies) or [200]
        self.requests: list[httpx2.Request] = []
        self.at: list[float] = []

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._handle)

    async def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        self.at.append(trio.current_time())
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        status = reply if isinstance(reply, int) else await reply()
        headers = {"location": "https://elsewhere.example/"} if 300 <= status < 400 else {}
        return httpx2.Response(status, headers=headers)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]


def settings(directory: Path, **changes: Any) -> WebhooksConfig:
    return WebhooksConfig(**{"url": Secret(URL), "secret": Secret(SECRET), "directory": str(directory), **changes})


def files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob("*/*") if path.name != ".lock")


def body(number: int) -> bytes:
    return json.dumps({"number": number}).encode()


@pytest.fixture(autouse=True)
def heed_log(caplog: Log) -> None:
    caplog.set_level(logging.INFO, "glottis_webhooks")


def told(caplog: Log) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("glottis_webhooks")]


def test_signatures_are_those_of_standard_webhooks() -> None:
    """Their own example."""
    headers = signed_headers(key_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"secret": Secret("whsec_c2hvcnQ=")}, "secret: expected whsec_"),
        ({"secret": Secret("hunter2-hunter2-hunter2-hunter2")}, "secret: expected whsec_"),
        ({"url": Secret("http://hooks.example/")}, "url: expected one of https"),
        ({"url": Secret("ftp://localhost/")}, "url: expected one of https"),
        ({"url": Secret("https://:99999/")}, "url: expected one of https"),
    ],
)
def test_settings_that_cannot_work_are_refused_without_a_secret_in_the_message(
    tmp_path: Path, changes: dict[str, Secret], complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as refused:
        settings(tmp_path, **changes)
    assert not any(one.reveal() in str(refused.value) for one in changes.values())


def test_what_happens_to_a_session_is_posted_with_its_recording_and_statistics(tmp_path: Path) -> None:
    endpoint = Endpoint()

    async def run() -> None:
        config = settings(tmp_path)
        async with deliver(config, endpoint.transport()):
            (observer,) = session_observers(CallInfo("s-1", "hotline", client_identifier="7"), config)
            observer.event(StateChanged(state="connecting"))
            observer.event(StateChanged(state="active"))
            observer.event(OtherEvent("recording", {"state": "started", "file": "s-1.wav"}))
            observer.event(OtherEvent("recording", {"state": "x" * 10_000}))
            observer.ended("the caller hung up", Statistics(counters=Counters(packets_replayed=3)))
        assert OUTBOXES == {}

    on_virtual_time(run)
    posted = {one["type"]: one["data"] for one in endpoint.bodies}
    assert set(posted) == {"session.created", "session.active", "session.ended"}
    assert all(one["sessionId"] == "s-1" and one["campaignId"] == "hotline" for one in posted.values())
    ended = posted["session.ended"]
    assert (ended["reason"], ended["recording"]["file"]) == ("the caller hung up", "s-1.wav")
    assert ended["statistics"]["counters"]["packetsReplayed"] == 3
    for request in endpoint.requests:
        headers = {name: value for name, value in request.headers.items() if name.startswith("webhook-")}
        made = signed_headers(key_of(SECRET), headers["webhook-id"], int(headers["webhook-timestamp"]), request.content)
        assert headers == made
    assert files(tmp_path) == []


def test_only_what_is_wanted_is_told() -> None:
    put: list[bytes] = []
    observer = SessionEvents(
        CallInfo("s", "c"), ["session.ended"], put.append, lambda: 0.0, lambda: 0.0, statistics=False
    )
    observer.event(StateChanged(state="active"))
    observer.ended("over", Statistics(counters=Counters(packets_replayed=3)))
    (only,) = map(json.loads, put)
    assert (only["type"], "statistics" in only["data"], only["timestamp"]) == (
        "session.ended", False, "1970-01-01T00:00:00.000Z",
    )  # fmt: skip


async def hang() -> NoReturn:
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (503, "it answers 503"),
        (429, "it answers 429"),
        (302, r"it redirects \(302\), which is not followed"),
        (hang, "it does not answer within 10 s"),
        (httpx2.ConnectError("hunter2"), r"it cannot be reached \(ConnectError\)"),
        (OSError("hunter2"), r"it cannot be reached \(OSError\)"),
    ],
)
def test_an_outage_is_told_once_and_ends_by_itself(tmp_path: Path, caplog: Log, reply: Reply, reason: str) -> None:
    endpoint = Endpoint(*[reply] * (SIDE_BY_SIDE + 2), 200)

    async def run() -> None:
        async with deliver(settings(tmp_path), endpoint.transport()) as outbox:
            await trio.sleep(5)  # so that all who post wait for something to do
            for number in range(12):
                outbox.put(body(number))
            await outbox.empty()

    on_virtual_time(run)
    assert sorted({one["number"] for one in endpoint.bodies}) == list(range(12))
    lines = told(caplog)
    assert len(lines) == 2, lines
    assert lines[0].startswith("webhooks to https://hooks.example fail: ")
    assert re.search(reason, lines[0])
    assert "work again after" in lines[1]
    assert not any("hunter2" in line for line in lines)


def test_pauses_grow_and_are_never_twice_the_same(tmp_path: Path) -> None:
    endpoint = Endpoint(503)

    async def run() -> None:
        with trio.move_on_after(3600):
            async with deliver(settings(tmp_path), endpoint.transport()) as outbox:
                outbox.put(body(1))
                await trio.sleep_forever()

    on_virtual_time(run)
    pauses = [later - earlier for earlier, later in zip(endpoint.at, endpoint.at[1:], strict=False)]
    assert len(set(pauses)) == len(pauses) >= 12
    assert 0.5 <= pauses[0] <= 1.0 + 0.1
    assert 64 <= pauses[7] <= 128.1
    assert all(149 <= pause <= 300.1 for pause in pauses[9:])


def test_what_is_refused_by_itself_is_given_up_and_holds_nobody_up(tmp_path: Path, caplog: Log) -> None:
    endpoint = Endpoint(*[400] * MAX_REFUSALS, 200)

    async def run() -> None:
        async with deliver(settings(tmp_path), endpoint.transport()) as outbox:
            outbox.put(body(1))
            await trio.sleep(600)
            outbox.put(body(2))
            await outbox.empty()

    on_virtual_time(run)
    assert [one["number"] for one in endpoint.bodies] == [1] * MAX_REFUSALS + [2]
    assert [line for line in told(caplog) if "given up: it answers 400" in line]


def test_what_is_left_is_posted_after_a_restart_in_order_and_under_its_id(tmp_path: Path) -> None:
    dead, alive = Endpoint(503), Endpoint()

    async def run(endpoint: Endpoint, count: int) -> None:
        async with deliver(settings(tmp_path), endpoint.transport()) as outbox:
            for number in range(count):
                outbox.put(body(number))
            if not count:
                await outbox.empty()

    on_virtual_time(run, dead, 5)
    assert len(files(tmp_path)) == 5
    assert all(path.stat().st_mode & 0o077 == 0 for path in files(tmp_path))
    on_virtual_time(run, alive, 0)
    assert sorted(one["number"] for one in alive.bodies) == list(range(5))
    ids = {request.content: request.headers["webhook-id"] for request in dead.requests}
    again = {request.content: request.headers["webhook-id"] for request in alive.requests}
    assert ids.items() <= again.items()
    assert files(tmp_path) == []


def test_what_is_too_old_is_given_up(tmp_path: Path, caplog: Log) -> None:
    folder = tmp_path / "0"
    folder.mkdir()
    (folder / name_of(time.time_ns() - 73 * 3600 * 10**9, "msg_aaaaaaaaaaaaaaaa")).write_bytes(body(1))
    endpoint = Endpoint()

    async def run() -> None:
        async with deliver(settings(tmp_path), endpoint.transport()) as outbox:
            await outbox.empty()

    on_virtual_time(run)
    assert endpoint.requests == []
    assert "a webhook to https://hooks.example is given up: it is older than 72 h" in told(caplog)


def test_an_event_from_before_the_clock_was_set_is_posted(tmp_path: Path) -> None:
    folder = tmp_path / "0"
    folder.mkdir()
    (folder / name_of(10**9, "msg_aaaaaaaaaaaaaaaa")).write_bytes(body(1))
    endpoint = Endpoint()

    async def run() -> None:
        async with deliver(settings(tmp_path), endpoint.transport()) as outbox:
            await outbox.empty()

    on_virtual_time(run)
    assert [one["number"] for one in endpoint.bodies] == [1]


def test_while_the_clock_is_not_set_no_refusal_gives_an_event_up(tmp_path: Path) -> None:
    """Its receiver may refuse each signature whose time cannot be."""
    offset = 0.0

    async def judge() -> int:
        return 200 if offset else 400

    endpoint = Endpoint(judge)

    async def run() -> None:
        nonlocal offset
        clock = WallClock(lambda: trio.current_time() + offset, trio.current_time)
        outbox = Outbox(Spool(tmp_path), 10, now_ns=lambda: round(clock.now() * 1e9))
        await outbox.open()
        outbox.put(body(1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Delivery(settings(tmp_path), outbox, endpoint.transport(), clock).run)
            await trio.sleep(700)
            offset = 1_800_000_000.0
            await outbox.empty()
            nursery.cancel_scope.cancel()
        await outbox.close()

    on_virtual_time(run)
    stamps = [int(request.headers["webhook-timestamp"]) for request in endpoint.requests]
    assert len(stamps) > MAX_REFUSALS + 1
    assert stamps[-2] < 700
    assert stamps[-1] > 1_800_000_000


@pytest.mark.parametrize(
    "content", [b"", b"not json", b"[1]", b'{"a": ', b"\xff\xfe", b'{"a":"' + b"x" * MAX_BODY + b'"}']
)
def test_a_file_that_holds_no_event_is_put_aside(tmp_path: Path, caplog: Log, content: bytes) -> None:
    folder, now = tmp_path / "0", 10**19
    folder.mkdir()
    (folder / name_of(now, "msg_aaaaaaaaaaaaaaaa")).write_bytes(content)
    (folder / name_of(now + 1, "msg_bbbbbbbbbbbbbbbb")).write_bytes(body(2))
    (folder / "notes.txt").write_text("nobody's")
    (folder / "unfinished.json.part").write_bytes(b"{")
    endpoint = Endpoint()

    async def run() -> None:
        async with deliver(settings(tmp_path), endpoint.transport()) as outbox:
            await outbox.empty()
            assert outbox.corrupt == 1

    on_virtual_time(run)
    assert [one["number"] for one in endpoint.bodies] == [2]
    assert len(told(caplog)) == 1
    assert sorted(path.suffix for path in files(tmp_path)) == [".corrupt", ".txt"]


class FullSpool(Spool):
    """A disk that is full until it is not."""

    is_full = True

    def write(self, name: str, body: bytes) -> None:
        if self.is_full:
            raise OSError(28, os.strerror(28))
        super().write(name, body)


def test_on_a_full_disk_events_stay_in_memory_as_many_as_there_is_room_for(tmp_path: Path, caplog: Log) -> None:
    async def run() -> None:
        spool = FullSpool(tmp_path)
        outbox = Outbox(spool, max_events=10_000, max_in_memory=20)
        await outbox.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outbox.run)
            for number in range(25):
                outbox.put(body(number))
            await trio.sleep(60)
            assert (len(outbox), outbox.dropped, files(tmp_path)) == (20, 5, [])
            taken = await outbox.take()
            assert await outbox.body_of(taken) == body(5), "what is not on disk can be posted all the same"
            await outbox.remove(taken)
            spool.is_full = False
            await trio.sleep(10)
            assert len(files(tmp_path)) == len(outbox) == 19
            spool.is_full = True
            outbox.put(body(25))
            nursery.cancel_scope.cancel()
        await outbox.close()

    on_virtual_time(run)
    full, more, again, still, lost = told(caplog)
    assert "takes no events (No space left on device)" in "".join((full, more))
    assert "the oldest give way" in "".join((full, more))
    assert "takes events again" in again
    assert "takes no events" in still
    assert lost == "the directory of webhooks takes no events until the end: lost with the process 1"


def test_of_more_events_than_may_lie_there_the_oldest_give_way_and_their_files_too(tmp_path: Path) -> None:
    async def run() -> None:
        outbox = Outbox(Spool(tmp_path), max_events=3)
        await outbox.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outbox.run)
            for number in range(3):
                outbox.put(body(number))
            await trio.sleep(1)
            for number in range(3, 5):
                outbox.put(body(number))
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        assert (outbox.dropped, len(outbox)) == (2, 3)
        await outbox.close()

    on_virtual_time(run)
    assert [json.loads(path.read_bytes())["number"] for path in files(tmp_path)] == [2, 3, 4]


def test_processes_have_a_folder_each_and_take_over_what_one_that_is_gone_has_left(tmp_path: Path) -> None:
    first, second = Spool(tmp_path), Spool(tmp_path)
    assert first.open() == second.open() == []
    name = name_of(7, "msg_aaaaaaaaaaaaaaaa")
    second.write(name, body(1))
    third = Spool(tmp_path)
    assert third.open() == [], "which belongs to one that lives"
    for spool in (first, second, third):
        spool.close()
    heir = Spool(tmp_path)
    assert heir.open() == [name]
    assert heir.read(name) == body(1)
    heir.close()


def test_what_a_process_leaves_that_ends_later_is_posted_all_the_same(tmp_path: Path) -> None:
    """As workers do that were there before a reload."""
    endpoint, old = Endpoint(), Spool(tmp_path)
    old.open()

    async def run() -> None:
        async with deliver(settings(tmp_path), endpoint.transport()) as outbox:
            for number in range(3):
                old.write(name_of(number, f"msg_{number:016}"), body(number))
            await trio.sleep(3600)
            assert not endpoint.requests, "whose they are lives"
            old.close()
            await trio.sleep(HEIR_PAUSE + 1)
            assert len(outbox) == 0

    on_virtual_time(run)
    assert sorted(one["number"] for one in endpoint.bodies) == [0, 1, 2]
    assert files(tmp_path) == []


async def test_a_directory_that_cannot_be_made_keeps_the_gateway_from_starting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"extensions\.settings\.webhooks\.directory: .*file"):
        async with deliver(settings(tmp_path / "file")):
            pass


def test_the_extension_is_told_of_the_sessions_of_a_gateway(tmp_path: Path) -> None:
    """Whose endpoint is dead: calls take no notice, and the events are there afterwards."""
    config = (
        CONFIG
        + f"""
        [extensions]
        enabled = ["webhooks"]
        [extensions.settings.webhooks]
        url = "http://127.0.0.1:1/in"
        secret = "{SECRET}"
        directory = "{tmp_path / "spool"}"
        """
    )

    async def run() -> None:
        async with open_memory_exchange(tmp_path, config) as exchange:
            phone = await exchange.call()
            phone.speaking = True
            await phone.hear(10)
            await phone.hang_up()

    on_virtual_time(run)
    kinds = [json.loads(path.read_bytes())["type"] for path in files(tmp_path / "spool")]
    assert kinds == ["session.created", "session.active", "session.ended"]
