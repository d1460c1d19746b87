"""Far more sessions are wanted than there may be, on virtual time: each refusal has its rule, and nothing is left."""

from collections import Counter
from pathlib import Path

import pytest
import trio
from support.conversation import Clock
from support.gateway import CONFIG
from support.memory import open_memory_exchange
from support.phone import eventually

PER_MINUTE = 2000
TOKEN_LIFETIME = 5
CROWDED = (
    CONFIG.replace("port = 0", f"port = 0\nmax_sessions = 20\nqueue = 8\ntoken_lifetime = {TOKEN_LIFETIME}")
    .replace("max_sessions_per_minute = 100000", "max_sessions_per_minute = 30")
    .replace("[auth]", "max_sessions_per_client = 11\n[auth]")
    + '\n[campaigns.few]\nagent = "echo"\nmax_sessions = 3\n'
)


@pytest.mark.slow
async def test_a_crowd_is_refused_by_the_rules_and_leaves_nothing(tmp_path: Path, autojump_clock: Clock) -> None:
    wanted = ["few"] * 6 + ["echo"] * 4 + ["few"] * 2 + ["echo"] * 28
    async with open_memory_exchange(tmp_path, CROWDED) as exchange:
        phone = await exchange.call()
        await phone.hear(5)
        before = trio.lowlevel.current_statistics().tasks_living
        came = Counter[str]()
        for campaign in wanted:
            reply = await exchange.post(campaign)
            came[reply.document.get("code", str(reply.status))] += 1
            assert reply.status == 200 or int(reply.headers["retry-after"]) > 0
            await trio.sleep(60 / PER_MINUTE)
        # The call, and ten that nobody connects to, are this client's share. Of those that want the full campaign two
        # wait, who have its quarter of the queue. The call was the first of thirty that may ask.
        assert came == {"200": 10, "202": 2, "FULL": 3, "TOO_MANY_SESSIONS": 14, "RATE_LIMITED": 11}
        await phone.hear(5)
        await eventually(lambda: exchange.gateway.sessions.running == 1, 2 * TOKEN_LIFETIME)
        await phone.hear(5)
        assert trio.lowlevel.current_statistics().tasks_living <= before
