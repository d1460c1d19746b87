"""What systemd and its like are told, and what they have opened."""

import os
import socket
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import trio
from glottis.config import Server
from glottis.contracts.errors import ConfigurationError
from glottis.server.runtime.service_manager import VARIABLES, ServiceManager, check_reach

GIVEN = """
import os, sys
from glottis.server.runtime.service_manager import ServiceManager
os.environ["LISTEN_PID"] = str(os.getpid())
try:
    print([sock.getsockname()[1] for sock in ServiceManager(os.environ).listening])
except Exception as error:
    print(error)
"""


@pytest.fixture
def manager(tmp_path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(tmp_path / "notify"))
    sock.setblocking(False)
    return sock


def test_it_is_told_by_lines_of_one_datagram(manager: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "HOME": "/"}
    told = ServiceManager(environ)
    assert environ == {"HOME": "/"}
    told.say("READY=1", "STATUS=serves")
    assert manager.recv(99) == b"READY=1\nSTATUS=serves"
    told.say_reloading()
    reloading, _, moment = manager.recv(99).partition(b"\n")
    assert (reloading, moment[:15]) == (b"RELOADING=1", b"MONOTONIC_USEC=")
    manager.close()


def test_an_abstract_address_begins_with_an_at_sign() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0glottis-test-" + str(os.getpid()))
        ServiceManager({"NOTIFY_SOCKET": "@glottis-test-" + str(os.getpid())}).say("STOPPING=1")
        assert sock.recv(99) == b"STOPPING=1"


def test_where_nobody_listens_the_gateway_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager({}).say("READY=1")
    assert not caplog.records
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "none")}).say("READY=1")
    assert "cannot be told READY=1" in caplog.text


async def test_it_hears_in_half_of_its_patience_that_the_loop_turns(
    manager: socket.socket, autojump_clock: trio.testing.MockClock
) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}
    told = ServiceManager(environ)
    with trio.move_on_after(7):
        await told.keep_watched()
    assert [manager.recv(99) for _ in range(4)] == [b"WATCHDOG=1"] * 4
    with pytest.raises(BlockingIOError):
        manager.recv(99)
    manager.close()


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}])
async def test_whom_it_does_not_watch_says_nothing(environ: dict[str, str]) -> None:
    await ServiceManager(dict(environ)).keep_watched()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["listens", "datagrams"])
def test_sockets_that_it_has_opened_are_served_if_they_are_fit(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        found = subprocess.run(
            [sys.executable, "-c", f"import os; os.dup2({sock.fileno()}, 3)\n{GIVEN}"],
            env={**os.environ, "LISTEN_FDS": "1"},
            pass_fds=(sock.fileno(),),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        fit, unfit = f"[{sock.getsockname()[1]}]", "descriptor 3: expected a TCP socket that listens"
        assert (fit if kind == socket.SOCK_STREAM else unfit) in found


@pytest.mark.parametrize(("host", "is_refused"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False)])
def test_a_socket_that_others_reach_is_refused_where_they_may_not(host: str, is_refused: bool) -> None:
    with socket.socket() as near, socket.socket() as far:
        near.bind(("127.0.0.1", 0))
        far.bind(("0.0.0.0", 0))
        check_reach([near], Server(host=host))
        with pytest.raises(ConfigurationError, match="loopback address, but") if is_refused else nullcontext():
            check_reach([near, far], Server(host=host))


def test_what_is_meant_for_another_process_is_left_alone() -> None:
    environ = dict.fromkeys(VARIABLES, "1")
    assert ServiceManager(environ, pid=2).listening == []
    assert not environ
