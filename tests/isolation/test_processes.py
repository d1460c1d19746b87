"""A plugin that holds the thread of a real gateway: the log names it while it does, and SIGTERM ends the process."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from support.faults import AWAITED, NEVER, faulty_codec
from support.faulty_process import NAME, FaultyProcess, open_faulty_process
from support.phone import Phone, eventually

pytestmark = pytest.mark.realtime

TO_END = 15.0
"""Seconds for a process to end: without a grace it is a few."""
SOON = 1000
"""Milliseconds from the beginning of a blockade to the line that says whose it is."""
PATIENCE = 5.0
"""Seconds for that line to be read here; how soon it was written, it says itself."""


async def talk(process: FaultyProcess) -> Phone:
    """A caller who makes the gateway use each method, and does not wait for what comes of it."""
    phone = process.exchange.phone(faulty_codec())
    await phone.create("faulty")
    await phone.open_socket()
    await phone.send_offer()
    await phone.take_answer()
    return phone


async def try_to_talk(process: FaultyProcess) -> None:
    """The same, where the gateway may stop to answer."""
    with trio.move_on_after(5):
        await talk(process)


BLOCKING = {
    "Agent" + AWAITED: "blocks 200 ms",
    "AuthScheme.authenticate" + AWAITED: "blocks 1000 ms",
    "AuthScheme.verify": "blocks 200 ms",
    "CodecSpec.create_encoder": "blocks 1000 ms",
    "Decoder.decode": "blocks 200 ms",
    "Encoder.encode": "blocks 1000 ms",
    "IceServerProvider.get_ice_servers" + AWAITED: "blocks 200 ms",
}


async def test_who_holds_the_thread_for_a_while_is_named_and_all_calls_go_on(tmp_path: Path) -> None:
    async with open_faulty_process(tmp_path) as process:
        bystanders = [await process.exchange.call("talk") for _ in range(3)]
        named = {}
        for method, fault in BLOCKING.items():
            process.log = ""
            process.arm(method, fault)
            phone = await talk(process)
            await phone.hear()
            with suppress(trio.TooSlowError):
                await eventually(lambda: named_after(process.log) is not None, PATIENCE)
            named[f"{method} {fault}"] = named_after(process.log)
            await phone.hang_up()
        for bystander in bystanders:
            await bystander.hear(10)
            assert bystander.socket.closed is None
        late = {what: after for what, after in named.items() if after is None or after >= SOON}
        assert not late, (late, process.log)
        await process.terminate(TO_END)


def named_after(log: str) -> int | None:
    """After how many milliseconds of a blockade the log has named the plugin, as the line says; None if it has not."""
    found = re.search(rf"blocked for ([0-9]+) ms by {re.escape(NAME)}", log)
    return int(found[1]) if found else None


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("Agent" + AWAITED, NEVER[0]),
        ("Encoder.encode", NEVER[1]),
        ("AuthScheme.verify", NEVER[0]),
    ],
    ids=str,
)
async def test_who_holds_the_thread_for_ever_is_named_and_the_process_ends_when_told(
    method: str, fault: object, tmp_path: Path
) -> None:
    async with open_faulty_process(tmp_path) as process, trio.open_nursery() as nursery:
        process.arm(method, str(fault))
        nursery.start_soon(try_to_talk, process)
        await eventually(lambda: named_after(process.log) is not None, 10)
        assert (named_after(process.log) or 0) < SOON
        await process.terminate(TO_END)
        nursery.cancel_scope.cancel()


async def test_standard_error_that_nobody_reads_holds_up_neither_calls_nor_the_end(tmp_path: Path) -> None:
    async with open_faulty_process(tmp_path) as process:
        phone = await process.exchange.call("talk")
        process.reading.cancel()
        process.arm("AuthScheme.issue", "ValueError")
        for _ in range(80):  # each of which costs a traceback in the log
            reply = await process.exchange.post("talk")
            assert reply.status == 500
        await phone.hear(10)
        assert phone.socket.closed is None
        await process.terminate(TO_END)
