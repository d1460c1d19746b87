"""What a worker does: it makes its agents, says that it is ready, and has calls until the gateway closes the pipe."""

import trio

from glottis.calls.own_nurseries import presentable_errors
from glottis.contracts.log_fields import LogFields, logged_as
from glottis.isolation import messages
from glottis.isolation.messages import FromGateway, FromWorker, encode, parse_from_gateway
from glottis.isolation.orders import Made
from glottis.isolation.pipe import Pipe
from glottis.isolation.worker_call import WorkerCall


class Worker:
    """Serves the calls of one campaign."""

    def __init__(self, pipe: Pipe, made: Made) -> None:
        self._pipe = pipe
        self._made = made
        self._calls: dict[int, WorkerCall] = {}

    async def serve(self) -> None:
        """Until the gateway is gone."""
        with presentable_errors():
            await self._serve()

    async def _serve(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pipe.run)
            self._send(messages.Ready())
            while await self._pipe.read():
                for body in iter(self._pipe.incoming.next_body_untrusted, None):
                    self._take(parse_from_gateway(body), nursery)
            nursery.cancel_scope.cancel()

    def _take(self, message: FromGateway, nursery: trio.Nursery) -> None:
        match message:
            case messages.Begin(number):
                call = self._calls[number] = WorkerCall(message, self._made, self._send)
                nursery.start_soon(self._run, number, call)
            case messages.Ping():
                for call in self._calls.values():
                    call.tell_dropped()
                self._send(messages.Alive())
            case messages.Order():
                pass  # which comes before this begins
            case _:
                if (known := self._calls.get(message.call)) is not None:  # else it has stopped in this moment
                    known.take(message)

    async def _run(self, number: int, call: WorkerCall) -> None:
        try:
            with logged_as(LogFields(call.info.session_id, call.info.campaign_id)):
                await call.run()
        finally:
            del self._calls[number]

    def _send(self, message: FromWorker) -> None:
        self._pipe.send(encode(message))
