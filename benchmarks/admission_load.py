"""A crowd that wants sessions, some of whose members want more than they may have.

Run by ``python -m benchmarks admission``, to which it says ``over`` on standard output when the last of it has gone,
and then as JSON what came of it all.
"""

import argparse
import json
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import trio
from trio_websocket import ConnectionClosed, HandshakeError, wrap_client_stream

from benchmarks.signaling import HOST

MANY: Final = "many"
"""A campaign that takes as many calls as there may be."""
FEW: Final = "few"
"""A campaign that takes few calls."""
HOLD: Final = 5.0
"""Seconds for which a session is kept; longer where nobody connects to it: until its token expires."""
PATIENT: Final = 4
"""So often who has a place in the queue asks again."""
ADDRESSES: Final = 200
"""Of those who want no more than they may have."""
TIMEOUT: Final = 15.0
PATH: Final = "/api/websession/initiate"
_NUMBERS: Final = re.compile(r"\d+")


class Visitor(NamedTuple):
    """Where from, and what for."""

    host: str
    campaign: str
    connects: bool = True


def visitor(number: int) -> Visitor:
    """Of eight, five are modest; one asks too often, one never connects, and one wants what only few can have."""
    match number % 8:
        case 3:
            return Visitor("127.0.4.1", MANY, connects=False)
        case 5:
            return Visitor(f"127.0.5.{number % ADDRESSES + 1}", FEW)
        case 7:
            return Visitor("127.0.3.1", MANY)
    return Visitor(f"127.0.2.{number % ADDRESSES + 1}", MANY)


@dataclass(slots=True)
class Reply:
    """To one request."""

    status: int
    retry_after: str
    document: dict[str, Any]

    @property
    def rule(self) -> str:
        """By which there is no session, or that there is one; whatever numbers are in it."""
        if self.status == 200:
            return "200 created"
        if self.status == 202:
            return "202 a place in the queue"
        return f"{self.status} " + _NUMBERS.sub("…", f"{self.document['code']}: {self.document['detail']}")


@dataclass(slots=True)
class Crowd:
    """What comes of its members."""

    port: int
    outcomes: Counter[str] = field(default_factory=Counter)
    """By rule, of each request."""
    waits: dict[str, set[int]] = field(default_factory=dict)
    """By rule, what ``Retry-After`` said; -1: nothing."""
    times: list[float] = field(default_factory=list)
    """Milliseconds that a session took to be created."""
    broken: int = 0
    """Sessions whose WebSocket could not be opened, or did not last."""

    async def come(self, count: int, per_minute: float) -> None:
        """So many, one after the other; return when the last one has gone."""
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(count):
                await trio.sleep_until(start + number * 60 / per_minute)
                nursery.start_soon(self._visit, visitor(number))

    async def _visit(self, who: Visitor) -> None:
        ticket = ""
        for _ in range(1 + PATIENT):
            began = trio.current_time()
            reply = await self._ask(who, ticket)
            if reply.status == 200:
                self.times.append((trio.current_time() - began) * 1e3)
                if who.connects:
                    await self._hold(who, reply.document["websocketUrl"])
            if reply.status != 202:
                return
            ticket = reply.document["ticket"]
            await trio.sleep(float(reply.retry_after))

    async def _ask(self, who: Visitor, ticket: str) -> Reply:
        try:
            with trio.fail_after(TIMEOUT):
                reply = await ask(self.port, who, ticket)
        except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
            reply = Reply(0, "", {"code": type(error).__name__, "detail": "no answer"})
        self.outcomes[reply.rule] += 1
        self.waits.setdefault(reply.rule, set()).add(int(reply.retry_after or -1))
        return reply

    async def _hold(self, who: Visitor, url: str) -> None:
        path = url.partition(f":{self.port}")[2]
        try:
            async with trio.open_nursery() as nursery:
                with trio.fail_after(TIMEOUT):
                    stream = await trio.open_tcp_stream(HOST, self.port, local_address=who.host)
                    websocket = await wrap_client_stream(nursery, stream, f"{HOST}:{self.port}", path)
                with trio.move_on_after(HOLD):
                    while True:
                        await websocket.get_message()
                with trio.move_on_after(TIMEOUT):
                    await websocket.aclose()
        except* (OSError, trio.TooSlowError, HandshakeError, ConnectionClosed):
            self.broken += 1


async def ask(port: int, who: Visitor, ticket: str) -> Reply:
    """For a session; raises ``OSError`` where there is no connection."""
    body = json.dumps({"campaignId": who.campaign}).encode()
    head = (
        f"POST {PATH}{f'?ticket={ticket}' if ticket else ''} HTTP/1.1\r\nhost: {HOST}:{port}\r\nconnection: close\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    async with await trio.open_tcp_stream(HOST, port, local_address=who.host) as stream:
        await stream.send_all(head.encode() + body)
        received = b"".join([piece async for piece in stream])
    fields, _, document = received.partition(b"\r\n\r\n")
    retry_after = re.search(rb"\r\nretry-after: (\d+)", fields, re.IGNORECASE)
    if not received:
        raise trio.BrokenResourceError
    return Reply(int(fields.split()[1]), retry_after[1].decode() if retry_after else "", json.loads(document))


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--per-minute", type=float, required=True)
    options = parser.parse_args()
    crowd = Crowd(options.port)
    await crowd.come(options.count, options.per_minute)
    print("over", flush=True)
    waits = {rule: sorted(seconds) for rule, seconds in crowd.waits.items()}
    seen = {"outcomes": crowd.outcomes, "waits": waits, "times": crowd.times, "broken": crowd.broken}
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    os.nice(10)  # it is to cost the gateway what it asks for, and not the cores that it shares with it
    trio.run(_main)
