"""How to get the methods of the plugin ``faulty`` called in a gateway's own process, by what each is used for.

Those are left out that need losses, load or a WebSocket to be called.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from glottis.signaling.close_codes import INTERNAL_ERROR

from support import uses
from support.faults import faulty_codec
from support.faulty_process import FaultyProcess
from support.http import request


async def request_in_vain(process: FaultyProcess) -> None:
    assert (await process.exchange.post("faulty")).status == 500


async def request_without_servers(process: FaultyProcess) -> None:
    assert (await process.exchange.post("faulty")).document["iceServers"] == []


async def request_route_in_vain(process: FaultyProcess) -> None:
    assert (await request(process.exchange.gateway, "GET", "/api/plugins/faulty/")).status == 500


async def talk_in_vain(process: FaultyProcess, *, is_answered: bool = True) -> None:
    phone = process.exchange.phone(faulty_codec())
    await phone.create("faulty")
    await phone.open_socket()
    await phone.send_offer()
    if is_answered:
        await phone.take_answer()
    assert (await phone.wait_closed())[0] == INTERNAL_ERROR
    phone.hang_down()


async def talk_even_so(process: FaultyProcess) -> None:
    phone = process.exchange.phone(faulty_codec())
    await phone.connect("faulty")
    await phone.hear()
    await phone.hang_up()


USES: dict[uses.Use, Callable[[FaultyProcess], Awaitable[None]]] = {
    uses.begin: talk_even_so,
    uses.go_on: talk_even_so,
    uses.hang_up: talk_even_so,
    uses.offer: partial(talk_in_vain, is_answered=False),
    uses.request_route: request_route_in_vain,
    uses.request_servers: request_without_servers,
    uses.request_session: request_in_vain,
    uses.talk: talk_in_vain,
}
