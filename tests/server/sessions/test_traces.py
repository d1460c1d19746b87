"""The trace of a session: who failed, in one sentence, and how it came to that."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
from glottis import IceServer, Principal
from glottis.config import Log, configure_logging
from glottis.contracts.info import CallInfo
from glottis.contracts.notes import TOPICS, TRACE_LOGGER
from glottis.ice import IceTiming
from glottis.server.sessions.times import SessionTimes
from glottis.server.sessions.traces import KEPT, MAX_ENDED, MAX_FIRST, MAX_LAST, MAX_SENTENCE, Trace, Traces
from glottis.signaling.messages import Offer
from glottis.wire.demux import PacketKind, classify
from support.http import Reply, request
from support.memory import MemoryEndpoint, MemoryNetwork, open_memory_exchange, open_memory_exchange_with
from support.phone import Exchange, Phone, eventually
from support.plugins import TestPlugin

IMPATIENT = SessionTimes(setup=4.0, ice=IceTiming(patience=2.0))


async def read(exchange: Exchange, phone: Phone) -> Reply:
    path = f"/api/sessions/{phone.session_id}/trace"
    return await request(exchange.gateway, "GET", path, connect=exchange.network.connect)


async def explain(exchange: Exchange, phone: Phone) -> str:
    reply = await read(exchange, phone)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    return reply.body.decode()


def verdict(page: str) -> str:
    return page.splitlines()[0]


@pytest.fixture(name="log")
def restore_logging() -> Iterator[None]:
    """Log as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for topic in TOPICS:
        logging.getLogger(f"{TRACE_LOGGER}.{topic}").setLevel(logging.NOTSET)


# Calls


async def test_call_is_told_from_its_creation_to_its_end(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path) as exchange:
        phone = await exchange.call()
        page = await explain(exchange, phone)
        assert verdict(page) == "The call is active: media flows, or has flowed."
        local, remote = phone.path.remote, phone.path.local
        for sentence in (
            f"pair {local} → {remote} (host, host): succeeded, nominated, in use; ",
            f"the far end has host udp {remote}: to be checked",
            f"{local} → {remote} works: the far end has answered",
            f"{local} → {remote} is nominated, by the far end",
            "offer is answered: audio sendrecv 0 PCMU/8000",
            "the far end has proved to be the one of its description",
        ):
            assert sentence in page
        await phone.hang_up()
        assert verdict(await explain(exchange, phone)) == "Media flowed. It has ended: the caller hung up: enough."


async def test_trace_has_no_secrets(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with open_memory_exchange(tmp_path) as exchange:
        phone = await exchange.call()
        page = await explain(exchange, phone)
        token = phone.url.partition("token=")[2]
        offered = [line.partition(":")[2] for line in phone.offer.splitlines() if line.startswith("a=ice-pwd")]
        for secret in (token, phone.peer.transport.ice.local_pwd, *offered):
            assert secret
            assert secret not in page


async def test_client_that_never_came(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with open_memory_exchange_with(tmp_path, TestPlugin(), "token_lifetime = 1") as exchange:
        phone = exchange.phone()
        await phone.create()
        assert verdict(await explain(exchange, phone)) == "The client has not connected to its WebSocket URL so far."
        await trio.sleep(2)
        assert verdict(await explain(exchange, phone)).startswith("The client has not connected to its WebSocket URL.")


async def test_offer_that_was_refused(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with open_memory_exchange(tmp_path) as exchange:
        phone = exchange.phone()
        await phone.create()
        socket = await phone.open_socket()
        await socket.send(Offer("v=0\r\n"))
        await eventually(lambda: socket.messages)
        page = await explain(exchange, phone)
        assert verdict(page) == "The client came, but sent no offer that could be answered."
        assert "sdp      offer refused: " in page


async def fail(exchange: Exchange, change: Callable[[str], str], *, deaf: bool) -> tuple[Phone, str]:
    """A call without media, and what is told of it; ``deaf`` keeps the phone's own checks from coming."""
    phone = exchange.phone()
    assert isinstance(phone.endpoint, MemoryEndpoint)
    await phone.create()
    await phone.open_socket()
    phone.offer = change(phone.peer.make_offer())
    phone.driver.pump()
    if deaf:
        phone.endpoint.let_pass(lambda data: classify(data) is not PacketKind.STUN)
    await phone.socket.send(Offer(phone.offer))
    await phone.take_answer()
    await phone.wait_closed(seconds=60)
    return phone, await explain(exchange, phone)


async def test_client_with_addresses_of_its_own_network_only(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path, times=IMPATIENT) as exchange:
        phone, page = await fail(exchange, lambda sdp: sdp.replace(" 192.0.2.1 ", " 192.168.1.20 "), deaf=True)
        (local,) = exchange.gateway.endpoint.addresses
        assert verdict(page) == (
            "No candidate pair works: the client offered only addresses in 192.168/16, which do not answer, "
            f"and nothing of the client came to host udp {local}. "
            "It has ended: the media connection failed: no candidate pair has worked."
        )
        remote = f"192.168.1.20:{phone.endpoint.addresses[0].port}"
        assert f"pair {local} → {remote} (host, host): in progress; " in page
        assert "requests sent, 0 answered, 0 received" in page
        assert f"the far end has host udp {remote}: to be checked" in page


async def test_client_without_candidates(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    def hide(sdp: str) -> str:
        lines = [line for line in sdp.splitlines() if "candidate:" not in line]
        return "\r\n".join([*lines, "a=end-of-candidates", ""])

    async with open_memory_exchange(tmp_path, times=IMPATIENT) as exchange:
        _, page = await fail(exchange, hide, deaf=True)
        assert verdict(page).startswith(
            "No candidate pair works: the client named no address to be checked, and nothing"
        )


async def test_call_by_relays_alone_without_a_relay(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    config = TestPlugin().config() + '\n[media]\nice_policy = "relay"\n'
    async with open_memory_exchange(tmp_path, config, times=IMPATIENT) as exchange:
        _, page = await fail(exchange, lambda sdp: sdp, deaf=True)
        assert verdict(page).startswith(
            "No candidate pair works: we had no candidate: the call was to go by relays alone, and no TURN server lent"
        )
        assert "servers  nothing but what TURN servers lend is used" in page


async def test_answers_that_are_lost_on_their_way(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with open_memory_exchange(tmp_path, times=IMPATIENT) as exchange:
        network = exchange.network
        assert isinstance(network, MemoryNetwork)
        phone = exchange.phone()
        network.hide(phone.endpoint.addresses[0])
        await phone.create()
        await phone.open_socket()
        await phone.send_offer()
        await phone.take_answer()
        await phone.wait_closed(seconds=60)
        told = verdict(await explain(exchange, phone))
        assert told.startswith("No candidate pair works: the client's checks come by ")
        assert "but nobody answers ours" in told


async def test_server_that_is_of_no_use_is_told(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    class Dead:
        async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
            return [IceServer(("stun:203.0.113.9",))]

    async with open_memory_exchange_with(tmp_path, TestPlugin(ice_servers=Dead())) as exchange:
        await trio.sleep(20)
        page = await explain(exchange, await exchange.call())
        assert "servers  STUN server 203.0.113.9:3478 (203.0.113.9) does not answer" in page


async def test_only_who_has_created_a_session_reads_its_trace(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path) as exchange:
        phone = await exchange.call()
        assert await exchange.gateway.sessions.explain(phone.session_id, Principal("another")) is None
        phone.session_id = "unknown"
        reply = await read(exchange, phone)
        assert (reply.status, reply.document["code"]) == (404, "SESSION_NOT_FOUND")


# Bounds

INFO = CallInfo("s-1", "echo")


def test_beginning_and_end_of_a_long_trace_are_kept() -> None:
    trace = Trace(INFO, 0.0)
    for number in range(1000):
        trace.note("ice", f"{number} " + "x" * 1000, float(number))
    kept = [int(entry.sentence.partition(" ")[0]) for entry in trace]
    assert kept == [*range(MAX_FIRST), *range(1000 - MAX_LAST, 1000)]
    assert trace.left_out == 1000 - MAX_FIRST - MAX_LAST
    assert all(len(entry.sentence) == MAX_SENTENCE for entry in trace)


def test_what_clients_say_is_one_printable_line() -> None:
    trace = Trace(INFO, 0.0)
    trace.note("session", "bye\n\x1b[2J", 0.0)
    (entry,) = trace
    assert entry.sentence == "bye��[2J"


def test_ended_sessions_are_forgotten_by_number_and_by_time() -> None:
    traces, living = Traces(), Trace(CallInfo("living", "echo"), 0.0)
    traces.add(living)
    for number in range(MAX_ENDED + 1):
        traces.add(Trace(CallInfo(f"s-{number}", "echo"), 0.0))
        traces.end(f"s-{number}", float(number))
    assert traces.find("s-0", 100.0) is None
    assert traces.find("s-1", 100.0) is not None
    assert traces.find("s-99", 99.0 + KEPT + 0.5) is None
    assert len(traces) == 2
    assert traces.find("living", 10 * KEPT) is living
    assert len(traces) == 1


def test_topics_are_logged_as_they_are_written(log: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Log(level="error", verbose=("ice",)))
    trace = Trace(INFO, 0.0)
    trace.note("ice", "a pair works", 0.0)
    trace.note("dtls", "the handshake begins", 0.0)
    for handler in logging.getLogger().handlers:
        handler.flush()
    told = capsys.readouterr().err
    assert "glottis.trace.ice: session s-1: a pair works" in told
    assert "handshake" not in told
