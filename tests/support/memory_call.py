"""Calls out over memory, on virtual time: however busy the machine is, nothing comes late."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_call_over, open_websocket_call_over
from glottis.client.signaling import ClientSignaling

from support.phone import Exchange


@asynccontextmanager
async def open_memory_call(exchange: Exchange, request: CallRequest) -> AsyncIterator[ClientCall]:
    """As ``open_client_call``, of the exchange's gateway whatever URL is asked for; it has one WebSocket only."""
    document = request.document()
    phone = exchange.phone()
    await phone.create(document.pop("campaignId"), **document)
    socket = await phone.open_socket(read=False)
    signaling = ClientSignaling(socket.connection, trio.CancelScope(), local_host="")
    exchange.nursery.start_soon(signaling.write)
    if request.websocket:
        async with open_websocket_call_over(signaling, request, phone.session_id) as call:
            yield call
    else:
        with exchange.network.open_endpoint() as endpoint:
            async with open_call_over(signaling, endpoint, request, phone.session_id) as call:
                yield call
    if call.failure is not None:
        raise call.failure
