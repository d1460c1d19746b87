"""What the parent decides: bounds of the whole, ports, ids, and how often it tries again."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec
import pytest
import trio
import trio.testing
from glottis.calls.streams import Wakeup
from glottis.contracts.errors import ConfigurationError
from glottis.server.fleet.generation import Generation
from glottis.server.fleet.limits import WholeLimits
from glottis.server.fleet.messages import Claim, Granted, Refused, Wants
from glottis.server.fleet.process import WorkerProcess
from glottis.server.fleet.session_ids import new_session_id, worker_in
from glottis.server.fleet.sockets import MediaSockets, SocketDesk
from glottis.server.fleet.wants import of_one_worker, wants_of
from glottis.server.runtime.counts import GatewayCounts
from support.gateway import CONFIG, resolve_test_config
from support.ports import free_port

WANTS = Wants(2, "127.0.0.1", 0, ("127.0.0.1",), 0, None, 4, 3, 2, 600, 5.0, 10.0, 8, "http")


def claim(limits: WholeLimits, worker: int, session: str, *, most: int | None = None, client: str = "") -> str:
    """What comes of it: ``granted``, or why not."""
    answer = limits.claim(worker, Claim(1, session, "echo", None, client or f"192.0.2.{session}", "anybody", most))
    if isinstance(answer, Granted):
        limits.connected(worker, session)
        return "granted"
    assert isinstance(answer, Refused)
    return answer.code or "SHARE"


def test_sessions_of_all_workers_count_together_until_they_end_or_their_worker_does() -> None:
    limits = WholeLimits(WANTS)
    assert [claim(limits, worker, str(worker)) for worker in (1, 2, 3, 4, 5)] == ["granted"] * 4 + ["FULL"]
    limits.release(1, "1")
    limits.release(2, "3")  # which is none of its own
    assert [claim(limits, 1, "6"), claim(limits, 1, "7")] == ["granted", "FULL"]
    assert limits.sessions_of(1) == 1
    assert limits.forget(1) == 1
    assert claim(limits, 2, "8") == "granted"
    assert claim(limits, 2, "8") == "FULL"


def test_a_client_and_a_principal_have_one_share_of_all_workers() -> None:
    limits = WholeLimits(WANTS)
    assert [claim(limits, n, str(n), client="192.0.2.1") for n in (1, 2, 3, 4)] == ["granted"] * 3 + ["SHARE"]
    limits.set_bounds(msgspec.structs.replace(WANTS, max_sessions_per_client=4))
    assert claim(limits, 1, "9", client="192.0.2.1", most=3) == "SHARE"
    assert claim(limits, 1, "9", client="192.0.2.1", most=4) == "granted"


def test_requests_to_all_workers_count_together() -> None:
    limits = WholeLimits(WANTS)
    waits = [limits.seconds_to_wait("sessions", "192.0.2.1", 0.0) for _ in range(3)]
    assert waits[:2] == [0, 0]
    assert waits[2] > 0
    assert limits.seconds_to_wait("routes", "192.0.2.1", 0.0) == 0


def test_ids_of_sessions_name_their_worker_wherever_they_are_in_a_path() -> None:
    session_id = new_session_id(17)
    assert new_session_id(17) != session_id
    for path in (f"/ws/session/{session_id}/webrtc", f"/api/sessions/{session_id}/trace", session_id):
        assert worker_in(path) == 17
    for path in ("/", "/readyz", "/ws/session/0123456789abcdefghijkl/webrtc", f"/x/0{session_id}", f"/x/{session_id}y"):
        assert worker_in(path) is None


def test_workers_have_ports_in_a_row_and_those_of_a_reload_begin_beside_them() -> None:
    port = free_port()
    desk, wants = SocketDesk(), msgspec.structs.replace(WANTS, udp_port=port, tcp_port=port)
    taken = [desk.open_media(wants) for _ in range(4)]
    ports = [[sock.getsockname()[1] for sock in (*media.udp, *media.tcp)] for media in taken]
    assert ports == [[port + index] * 2 for index in range(4)]
    with pytest.raises(ConfigurationError, match=f"4 ports from {port} on; try again later"):
        desk.open_media(wants)
    desk.close_media(taken[1])
    again = desk.open_media(wants)
    assert again.index == 1
    for media in (*taken, again):
        media.close()


def test_an_advertised_port_follows_the_workers_own(tmp_path: Path) -> None:
    media = '[media]\nudp_port = 50000\nadvertised_addresses = ["203.0.113.7:60000", "203.0.113.8"]\n[auth]'
    text = CONFIG.replace("port = 0", 'port = 0\nworkers = 4\nhost = "127.0.0.1"').replace("[auth]", media)
    config = resolve_test_config(tmp_path, text)
    assert wants_of(config).workers == 4
    third = of_one_worker(config, 50002).config
    assert third.media.advertised_addresses == ("203.0.113.7:60002", "203.0.113.8")
    assert third.server.max_connections == 500


def test_counts_of_several_processes_are_sums_or_the_worst_of_them() -> None:
    one, other = GatewayCounts(datagrams_not_sent=2, complexity=5), GatewayCounts(datagrams_not_sent=3, complexity=2)
    assert GatewayCounts.of_all([one, other]) == GatewayCounts(datagrams_not_sent=5, complexity=2)
    assert GatewayCounts.of_all([]) == GatewayCounts()


class StubWorker:
    """One that is told to live, or to die at once."""

    def __init__(self, *, wants: Wants | None) -> None:
        self.wants = wants
        self.exit_code: int | None = None if wants else 1
        self.is_welcome = False
        self.is_on_trial = False
        self.number = 1
        self.reason = "has left with exit code 1"

    @property
    def is_ready(self) -> bool:
        return self.is_welcome and self.exit_code is None

    def say(self, message: object, descriptors: object = ()) -> bool:
        return True


async def test_a_worker_that_dies_while_it_loads_is_tried_again_ever_more_seldom(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    changed, spawned, is_broken = Wakeup(), list[StubWorker](), False

    async def spawn() -> WorkerProcess:
        spawned.append(StubWorker(wants=None if is_broken else WANTS))
        return cast(WorkerProcess, spawned[-1])

    async def hear_of_workers() -> None:
        while True:
            await trio.sleep(0.1)
            changed.wake()

    nursery.start_soon(hear_of_workers)
    generation = Generation(msgspec.structs.replace(WANTS, workers=1), (), spawn, changed)
    nursery.start_soon(generation.keep_one, MediaSockets(0, (), ()))
    await trio.sleep(1)
    assert generation.has_begun
    is_broken = True
    nursery.start_soon(generation.keep_spare)
    await trio.sleep(60)
    assert 8 < len(spawned) < 15
    is_broken = False
    spawned[0].exit_code = -9
    await trio.sleep(15)
    assert [worker.is_welcome for worker in spawned[-2:]] == [True, False]
    assert generation.has_begun
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda text: text.replace("port = 0", "port = 0\nworkers = 0"), "server.workers"),
        (lambda text: text.replace("port = 0", 'port = 0\nworkers = "many"'), "server.workers"),
        (lambda text: text.replace("[auth]", '[media]\nadvertised_addresses = ["203.0.113.7:6"]\n[auth]'), "udp_port"),
        (lambda text: text.replace("[auth]", "[media]\nudp_port = 65533\n[auth]"), "media.udp_port"),
        (lambda text: text.replace("[auth]", "[media]\ntcp_port = 65533\n[auth]"), "media.tcp_port"),
    ],
)
def test_what_cannot_be_had_with_several_workers_is_said(
    change: Callable[[str], str], place: str, tmp_path: Path
) -> None:
    text = change(CONFIG)
    with pytest.raises(ConfigurationError, match=place):
        resolve_test_config(
            tmp_path, text.replace("port = 0", "port = 0\nworkers = 2") if "workers" not in text else text
        )


def test_auto_is_a_worker_for_each_core(tmp_path: Path) -> None:
    config = resolve_test_config(tmp_path, CONFIG.replace("port = 0", 'port = 0\nworkers = "auto"')).config
    assert config.server.worker_count >= 1
