"""Several processes are one gateway: real ones, and calls that go on whatever becomes of the others."""

import json
import re
import signal
import socket
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

import pytest
import trio
from glottis_media_streams.messages import CONNECTED, Told
from support.fleet import DOOR, FleetProcess, ask_door, call_by_door, open_fleet, worker_of
from support.http import Reply, request
from support.phone import TONE, Phone, eventually
from support.route_socket import open_route_socket

with socket.create_server(("127.0.0.1", 0)) as free:
    METRICS = f"""
[extensions]
enabled = ["metrics"]

[extensions.settings.metrics]
port = {free.getsockname()[1]}
"""

pytestmark = pytest.mark.realtime


async def calls(fleet: FleetProcess, count: int) -> list[Phone]:
    """So many at once, every second one by a door."""
    phones: list[Phone] = []

    async def call(by_door: bool) -> None:
        phones.append(await (call_by_door(fleet) if by_door else fleet.exchange.call()))

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(call, number % 2 == 1)
    return phones


async def all_hear(phones: list[Phone], frames: int = 5) -> None:
    async with trio.open_nursery() as nursery:
        for phone in phones:
            nursery.start_soon(phone.hear, frames)


async def test_metrics_are_of_all_workers_whichever_is_asked(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, more=METRICS + DOOR) as fleet:
        phones = await calls(fleet, 4)
        (port,) = {found[1] for found in re.finditer(r"metrics are at http://127.0.0.1:(\d+)/", fleet.command.errors)}
        for _ in range(4):
            async with await trio.open_tcp_stream("127.0.0.1", int(port)) as stream:
                await stream.send_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n")
                text = b"".join([piece async for piece in stream]).decode()
            active = re.findall(r'glottis_sessions\{campaign="echo",state="active",worker="(\d+)"\} 2.0', text)
            assert set(active) == {str(worker_of(phone)) for phone in phones}
            assert len(active) == 2


async def test_calls_are_spread_and_those_of_a_worker_that_dies_are_all_that_is_lost(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, "shutdown_grace = 0", more=DOOR) as fleet:
        phones = await calls(fleet, 6)
        numbers = [worker_of(phone) for phone in phones]
        assert sorted(numbers.count(number) for number in set(numbers)) == [3, 3]
        await all_hear(phones)
        figures = await request(fleet.exchange.gateway, "GET", "/api/plugins", accept="application/json")
        asked = {row["askedFor"]: row["calls"] for row in figures.document["plugins"]}
        assert asked["authenticate"] == 7, asked
        victim = numbers[0]
        lost = [phone for phone in phones if worker_of(phone) == victim]
        others = [phone for phone in phones if worker_of(phone) != victim]
        fleet.kill(victim)
        for phone in lost:
            assert (await phone.wait_closed())[0] == 1006
        await fleet.command.wait_for(rf"worker {victim} \(process \d+\) was ended by SIGKILL; .* with it: 3")
        await fleet.command.wait_for(r"worker [3-9] \(process \d+\) serves")
        again = await calls(fleet, 3)
        assert {worker_of(phone) for phone in again} == {max(fleet.serving)}
        await all_hear([*again, *others])
        assert all(phone.socket.closed is None for phone in others)
        assert await fleet.stop() == 0


def lost(phones: list[Phone]) -> list[int]:
    """Packets of the gateway that a phone has missed, each."""
    inbound = [phone.peer.statistics(trio.current_time()).inbound_rtp for phone in phones]
    return [stream.packets_lost for stream in inbound if stream is not None]


async def test_reload_costs_no_call_a_packet_and_new_calls_have_the_new_configuration(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        await reload_under_calls(tmp_path, {"NOTIFY_SOCKET": manager.getsockname()})
        told = [manager.recv(99, socket.MSG_DONTWAIT).partition(b"\n")[0] for _ in range(8)]
    assert told == [b"READY=1", *([b"RELOADING=1", b"READY=1"] * 3), b"STOPPING=1"]


async def reload_under_calls(directory: Path, env: dict[str, str]) -> None:
    async with open_fleet(directory, "shutdown_grace = 60", env, DOOR) as fleet:
        old = await calls(fleet, 6)
        await all_hear(old)
        fleet.reload(**{'agent = "echo"': 'agent = "nobody"'})
        await fleet.command.wait_for("SIGHUP: loading")
        fleet.reload()  # while those are loaded: it is done once more
        await fleet.command.wait_for(
            r"not reloaded, the workers that there are go on: worker \d+ \(process \d+\) has left"
        )
        await fleet.command.wait_for(r"SIGHUP before: loading (?s:.*)not reloaded")
        assert "campaigns.echo.agent" in fleet.command.errors
        fleet.reload(**{'agent = "nobody"': 'agent = "talker"'})
        await fleet.command.wait_for("2 new workers serve")
        new = await calls(fleet, 4)
        assert not {worker_of(phone) for phone in old} & {worker_of(phone) for phone in new}
        await all_hear([*old, *new], 25)
        assert lost(old) == [0] * 6
        await old[0].open_socket(old[0].socket.events("resume")[-1]["websocketUrl"])
        await old[0].hear(5)
        for phone in old:
            await phone.hang_up()
        for number in {worker_of(phone) for phone in old}:
            await fleet.command.wait_for(rf"worker {number} \(process \d+\) has left")
        explained = await request(fleet.exchange.gateway, "GET", f"/api/sessions/{old[0].session_id}/trace")
        assert explained.body.startswith(b"Media flowed. It has ended: "), explained
        for phone in new:
            await phone.hang_up()
        assert "lost 0 (0.0%)" in fleet.command.errors
        assert await fleet.stop() == 0


OWN = """
[campaigns.own]
agent = "echo"
isolation = "process"

[campaigns.own.workers]
processes = 1
calls_per_process = 1
"""


async def test_a_session_is_made_by_another_worker_where_the_agents_of_the_first_are_full(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, "shutdown_grace = 0", more=OWN + DOOR) as fleet:
        first = await fleet.exchange.call("own")
        here = worker_of(first)
        while worker_of(phone := await fleet.exchange.call()) == here:  # the other's agent may still be loading
            await phone.hang_up()
        if worker_of(phone := await fleet.exchange.call()) == here:  # so that the first is asked first
            await phone.hang_up()
        second = await call_by_door(fleet, "own")
        assert worker_of(second) != here
        assert code(await fleet.exchange.post("own")) == code(await ask_door(fleet, "own")) == "FULL"
        await all_hear([first, second])


def code(reply: Reply) -> str:
    """Why it is a refusal."""
    return str(reply.document["code"])


async def ready(fleet: FleetProcess) -> Reply:
    return await request(fleet.exchange.gateway, "GET", "/readyz")


async def test_bounds_are_of_the_whole_and_the_end_waits_for_the_last_call(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, "shutdown_grace = 60\nmax_sessions = 5", more=DOOR) as fleet:
        few = [await fleet.exchange.call("few") for _ in range(3)]
        assert len({worker_of(phone) for phone in few}) == 2
        assert [code(await fleet.exchange.post("few")) for _ in range(2)] == ["FULL"] * 2
        others = await calls(fleet, 2)
        assert code(await fleet.exchange.post()) == "FULL"
        assert code(await ready(fleet)) == "FULL"
        await others.pop().hang_up()
        while (await ready(fleet)).status != 200:
            pass
        fleet.command.process.send_signal(signal.SIGTERM)
        await fleet.command.wait_for("SIGTERM: stopping")
        assert code(await fleet.exchange.post()) == "DRAINING"
        for phone in [*few, *others][:-1]:
            await phone.hang_up()
        await others[-1].hear(5)
        assert fleet.command.process.returncode is None
        await others[-1].hang_up()
        assert await fleet.command.wait() == 0


async def test_streams_of_telephones_are_calls_of_the_whole_at_whichever_worker_they_come_to(tmp_path: Path) -> None:
    more = '\n[routes]\nenabled = ["twilio"]\n'
    async with open_fleet(tmp_path, "shutdown_grace = 0", more=more) as fleet, AsyncExitStack() as streams:
        clients = []
        for number in range(5):
            client = await streams.enter_async_context(open_route_socket(fleet.exchange, "/twilio/few"))
            await client.send(json.dumps(CONNECTED))
            await client.send(json.dumps(Told(f"MZ{number}", "CA1", "AC1").start({})))
            clients.append(client)
            if number < 3:  # as many as the campaign may have
                for _ in range(20):
                    await client.send(json.dumps(Told("", "", "").media(TONE)))
                while json.loads(await client.receive())["event"] != "media":
                    pass
        for client in clients[3:]:
            closed = await client.closed()
            assert (closed.code, (closed.reason or "").partition(":")[0]) == (1013, "FULL")
        await clients[0].send(json.dumps(Told("MZ0", "CA1", "AC1").stop()))
        assert (await clients[0].closed()).code == 1000
        phone = await fleet.exchange.call("few")
        await phone.hear()


async def test_a_client_secret_of_one_worker_is_good_at_all(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, more='\n[routes]\nenabled = ["openai-calls"]\n') as fleet:
        ask = partial(request, fleet.exchange.gateway, "POST")
        wanted = json.dumps({"session": {"model": "echo"}}).encode()
        made = await ask("/v1/realtime/client_secrets", wanted, content_type="application/json")
        shown = f"Bearer {made.document['value']}"
        calls = []
        for _ in range(2):
            phone = fleet.exchange.phone()
            offer = phone.peer.make_offer().encode()
            phone.driver.pump()
            calls.append(await ask("/v1/realtime/calls", offer, content_type="application/sdp", authorization=shown))
        locations = [call.headers["location"] for call in calls]
        assert len({location.rpartition("/")[2].partition("-")[0] for location in locations}) == 2
        for location in locations:
            assert (await ask(f"{location}/hangup", b"", authorization=shown)).status == 200


async def test_offers_that_name_their_call_in_the_body_are_led_to_its_worker(tmp_path: Path) -> None:
    """As a browser follows: workers are asked for what they have, and for what another one has."""
    more = '\n[routes]\nenabled = ["pipecat"]\n[routes.settings.pipecat]\ncampaign = "echo"\n'
    async with open_fleet(tmp_path, "shutdown_grace = 0", more=more) as fleet:
        ask = partial(request, fleet.exchange.gateway, content_type="application/json")
        statuses: set[int] = set()
        while statuses != {200, 307}:
            started = (await ask("POST", "/pipecat/start", b"{}")).document
            body = json.dumps({"pc_id": started["sessionId"], "candidates": []}).encode()
            reply = await ask("PATCH", "/pipecat/api/offer", body)
            statuses.add(reply.status)
            if reply.status == 307:
                reply = await ask("PATCH", urljoin("/pipecat/api/offer", reply.headers["location"]), body)
            assert reply.document == {"status": "success"}


async def test_a_worker_that_stands_still_is_replaced_and_whatever_dies_again_and_again(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, "worker_patience = 1", more=DOOR) as fleet:
        phones = await calls(fleet, 4)
        stopped, killed = sorted({worker_of(phone) for phone in phones})
        fleet.kill(stopped, signal.SIGSTOP)
        await fleet.command.wait_for(rf"worker {stopped} \(process \d+\) has given no sign of life for 1 s; .* it: 2")
        for _ in range(3):
            count = len(fleet.serving)
            fleet.kill(killed)
            await eventually(partial(fleet.has_served, count + 1))
            killed = fleet.serving[-1]
        await all_hear(await calls(fleet, 4))
        workers = fleet.workers.values()
        fleet.command.process.kill()
        await eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
