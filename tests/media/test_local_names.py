"""Names of multicast DNS, asked for on loopback; the browser that answers is a test double of its responder."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rrset
import pytest
import trio
from glottis.media.local_names import GROUP, MAX_NAMES, LocalNames
from support.patience import PATIENCE

NAME = "9b36eaac-bb2e-49bb-bb78-21c41c499900.local"


class Browser:
    """Answers queries for its name, with whatever else nobody has asked for."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.bind((GROUP, 0))
        self.group = (GROUP, self.socket.getsockname()[1])
        loopback = socket.inet_aton("127.0.0.1")
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + loopback)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        self.asked: list[str] = []

    async def run(self) -> None:
        sock = trio.socket.from_stdlib_socket(self.socket)
        while True:
            data, _ = await sock.recvfrom(9000)
            if len(data) < 12 or (query := dns.message.from_wire(data)).flags & dns.flags.QR:
                continue  # its own
            self.asked.append(query.question[0].name.to_text())
            answer = dns.message.Message(id=0)
            answer.flags = dns.flags.QR
            answer.answer = [
                dns.rrset.from_text(f"{NAME}.", 120, "IN", "A", "192.168.1.7"),
                dns.rrset.from_text("other.local.", 120, "IN", "A", "192.168.1.8"),
            ]
            for message in (b"\0", answer.to_wire(), answer.to_wire()):
                await sock.sendto(message, self.group)


@asynccontextmanager
async def asking(*interfaces: str) -> AsyncIterator[tuple[LocalNames, Browser]]:
    browser = Browser()
    with browser.socket:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(browser.run)
            names = LocalNames(interfaces, browser.group)
            await nursery.start(names.run)
            yield names, browser
            nursery.cancel_scope.cancel()


async def test_a_hidden_name_is_found_for_each_call_that_asks() -> None:
    send, receive = trio.open_memory_channel[str](9)
    async with asking("127.0.0.1", "::1") as (names, browser):
        names.ask(NAME.upper(), "one", send.send_nowait)
        names.ask(NAME, "two", send.send_nowait)
        names.ask(NAME, "gone", send.send_nowait)
        names.forget("gone")
        with trio.fail_after(PATIENCE):
            assert [await receive.receive() for _ in range(2)] == ["192.168.1.7"] * 2
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert receive.statistics().current_buffer_used == 0
        assert browser.asked == [f"{NAME}."]


async def test_only_so_many_hidden_names_are_asked_for_at_a_time() -> None:
    async with asking("127.0.0.1") as (names, browser):
        names.ask("printer.local", "call", print)
        for number in range(MAX_NAMES + 5):
            names.ask(f"{number:08x}{NAME[8:]}", "call", print)
        with trio.fail_after(PATIENCE):
            while len(set(browser.asked)) < MAX_NAMES:  # noqa: ASYNC110
                await trio.sleep(0.005)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert len(set(browser.asked)) == MAX_NAMES
        assert names.refused == 5
        assert "printer.local." not in browser.asked


async def test_without_sockets_nothing_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    async with asking("192.0.2.99") as (names, browser):
        names.ask(NAME, "call", print)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert browser.asked == []
    [record] = caplog.records
    assert record.getMessage().startswith("names in .local cannot be looked up: ")
