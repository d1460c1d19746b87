"""An agent that is loaded anew under a call: the call goes on, and the next one gets the new agent."""

import logging
from pathlib import Path

import pytest
import trio
from glottis.cli.agents import reload_on_change
from glottis.plugins import AgentFile
from support.gateway import CONFIG
from support.imports import imports_of
from support.memory import open_memory_exchange
from support.phone import Exchange, Phone, eventually

LONG = 60.0
"""Virtual seconds, of which many pass while a thread imports."""


def write(path: Path, word: str, before: str = "") -> None:
    path.write_text(f"""{before}
async def greet(call):
    await call.send_event("greeting", {{"word": "{word}"}})
    async for frame in call.audio:
        await call.say(frame)
""")


async def call_and_hear(exchange: Exchange, word: str) -> Phone:
    phone = await exchange.call("greet")
    await eventually(lambda: {"word": word} in phone.socket.events("greeting"))
    await phone.hear()
    return phone


@pytest.mark.slow
async def test_a_reload_drops_no_call_and_a_broken_file_keeps_the_agent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level(logging.INFO, "glottis.cli.agents")
    path = tmp_path / "my.py"
    write(path, "old")
    with imports_of(tmp_path):
        agent = AgentFile(f"{path}:greet")
        nursery.start_soon(reload_on_change, [agent])
        await trio.testing.wait_all_tasks_blocked()
        config = f'{CONFIG}\n[campaigns.greet]\nagent = "{path}:greet"\n'
        async with open_memory_exchange(tmp_path, config, [agent]) as exchange:
            running = await call_and_hear(exchange, "old")
            write(path, "new", before="\noops")
            await eventually(lambda: "my.py, line 2 raised NameError: name 'oops'" in caplog.text, LONG)
            await call_and_hear(exchange, "old")
            write(path, "new")
            await eventually(lambda: "calls that begin now get the new one" in caplog.text, LONG)
            await call_and_hear(exchange, "new")
            await running.hear()
            assert running.socket.closed is None
            assert running.socket.events("greeting") == [{"word": "old"}]
