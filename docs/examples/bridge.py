"""Joins each two callers who come one after the other."""

import trio
from glottis import Call

waiting: list[tuple[Call, trio.Event]] = []


async def bridge(call: Call) -> None:
    """The agent: of two, the second joins the calls, and the first waits for the end."""
    first, over = waiting.pop() if waiting else (call, trio.Event())
    try:
        if first is call:
            waiting.append((call, over))
            await call.send_text("Nobody else is here yet.")
            await over.wait()
        else:
            with call.forward(first), first.forward(call):
                await over.wait()
    finally:
        over.set()
        waiting[:] = [pair for pair in waiting if pair[0] is not call]
