"""How to get the methods of the plugin ``faulty`` called in a gateway's own process, by what each is used for.

What their caller is to see of it is judged on virtual time: see ``uses``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio
from glottis.contracts.audio import FRAME_SECONDS
from glottis.signaling.messages import Text
from trio_websocket import ConnectionClosed

from support import uses
from support.faults import Fault, faulty_codec
from support.faulty_process import FaultyProcess
from support.http import request
from support.phone import RATE, TONE, Phone, eventually
from support.route_socket import open_route_socket

AFTERMATH = 0.3
"""Seconds for what a fault does to its caller; one that does nothing leaves a call that goes on."""


async def strike(process: FaultyProcess, row: uses.Row, fault: Fault) -> None:
    """Have the fault happen in the method, and see what its caller has of it."""
    process.arm(row.method, str(fault))
    is_over = trio.Event()

    async def call() -> None:
        with suppress(AssertionError):
            await USES[row.use](process)
        is_over.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await eventually(lambda: process.has_struck)
        with trio.move_on_after(AFTERMATH):
            await is_over.wait()
        nursery.cancel_scope.cancel()


async def request_session(process: FaultyProcess) -> None:
    await process.exchange.post("faulty")


async def look_for_session(process: FaultyProcess) -> None:
    phone = process.exchange.phone()
    await phone.create("faulty")
    await phone.open_socket(phone.url.replace(phone.session_id, "1" * 22))
    await phone.wait_closed()
    phone.hang_down()


async def request_route(process: FaultyProcess) -> None:
    await request(process.exchange.gateway, "GET", "/api/plugins/faulty/")


async def talk_to_route(process: FaultyProcess) -> None:
    async with open_route_socket(process.exchange, "/api/plugins/faulty/") as socket:
        with suppress(ConnectionClosed):  # by what its handler has done before
            await socket.send("hello")
        await socket.closed()


@asynccontextmanager
async def calling(process: FaultyProcess) -> AsyncIterator[Phone]:
    """A phone that has made its offer."""
    phone = process.exchange.phone(faulty_codec())
    try:
        await phone.create("faulty")
        await phone.open_socket()
        await phone.send_offer()
        yield phone
    finally:
        phone.hang_down()


@asynccontextmanager
async def talking(process: FaultyProcess) -> AsyncIterator[Phone]:
    """A phone in the middle of a call."""
    async with calling(process) as phone:
        await phone.take_answer()
        await phone.hear()
        yield phone


async def offer(process: FaultyProcess) -> None:
    async with calling(process) as phone:
        await phone.wait_closed()


async def talk(process: FaultyProcess) -> None:
    async with calling(process) as phone:
        await phone.take_answer()
        await phone.wait_closed()


async def talk_and_hang_up(process: FaultyProcess) -> None:
    async with talking(process) as phone:
        await phone.hang_up()


async def write(process: FaultyProcess) -> None:
    async with talking(process) as phone:
        await phone.socket.send(Text("hello"))
        await phone.wait_closed()


async def lose(process: FaultyProcess, count: int) -> None:
    """So many packets in a row, again and again: what is late may be concealed before it is known to be lost."""
    async with talking(process) as phone:
        while not phone.socket.closed:
            uses.lose_media(phone, count)
            with trio.move_on_after(AFTERMATH):
                await phone.wait_closed()


async def report_loss(process: FaultyProcess) -> None:
    async with talking(process) as phone:
        uses.report(phone, fraction_lost=0.25)
        await phone.wait_closed()


async def come_under_load(process: FaultyProcess) -> None:
    async with talking(process) as phone, trio.open_nursery() as nursery:
        nursery.start_soon(process.starve)
        await phone.wait_closed()
        nursery.cancel_scope.cancel()


async def talk_by_websocket(process: FaultyProcess) -> None:
    phone = process.exchange.phone()
    audio = {"inputCodec": "PCM", "outputCodec": "PCM", "sampleRate": RATE}
    try:
        await phone.create("faulty", transportType="WebSocket", audioConfig=audio)
        socket = await phone.open_socket()
        while not socket.closed:
            await socket.send(TONE)
            await trio.sleep(FRAME_SECONDS)
    finally:
        phone.hang_down()


USES: dict[uses.Use, Callable[[FaultyProcess], Awaitable[None]]] = {
    uses.begin: talk_and_hang_up,
    uses.come_under_load: come_under_load,
    uses.fall_silent: partial(lose, count=5),
    uses.go_on: talk_and_hang_up,
    uses.hang_up: talk_and_hang_up,
    uses.look_for_session: look_for_session,
    uses.lose_one: partial(lose, count=1),
    uses.offer: offer,
    uses.report_loss: report_loss,
    uses.request_placed: request_session,
    uses.request_route: request_route,
    uses.request_servers: request_session,
    uses.request_session: request_session,
    uses.talk: talk,
    uses.talk_by_websocket: talk_by_websocket,
    uses.talk_to_route: talk_to_route,
    uses.write: write,
}
"""All there are."""
