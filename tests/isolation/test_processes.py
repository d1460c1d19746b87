"""A plugin that holds the thread of a real gateway: the log names it while it does, and SIGTERM ends the process."""

import re
from pathlib import Path

import pytest
import trio
from support.faults import AWAITED, NEVER, faulty_codec
from support.faulty_process import NAME, FaultyProcess, open_faulty_process
from support.phone import Phone, eventually

pytestmark = pytest.mark.realtime

OVER = "all calls have stuttered"
"""What the log says at the end of each blockade."""


async def talk(process: FaultyProcess) -> Phone:
    """A caller who makes the gateway use each method, and does not wait for what comes of it."""
    phone = process.exchange.phone(faulty_codec())
    await phone.create("faulty")
    await phone.open_socket()
    await phone.send_offer()
    await phone.take_answer()
    return phone


BLOCKING = (
    "Agent" + AWAITED,
    "AuthScheme.authenticate" + AWAITED,
    "CodecSpec.create_encoder",
    "Decoder.decode",
    "Encoder.encode",
    "IceServerProvider.get_ice_servers" + AWAITED,
)
FOR_A_WHILE = "blocks 1000 ms"
ATTEMPTS = 3
"""Where the machine is so busy that the watch itself comes late, it blames the machine."""


async def test_who_holds_the_thread_for_a_while_is_named_and_all_calls_go_on(tmp_path: Path) -> None:
    async with open_faulty_process(tmp_path) as process:
        bystanders = [await process.exchange.call("talk") for _ in range(3)]
        nameless = set(BLOCKING)
        for method in BLOCKING * ATTEMPTS:
            if method in nameless:
                process.log = ""
                process.arm(method, FOR_A_WHILE)
                phone = await talk(process)
                await phone.hear()
                await phone.hang_up()
                await eventually(lambda: OVER in process.log)
                nameless -= {method} if is_named(process.log) else set()
        for bystander in bystanders:
            await bystander.hear(10)
            assert bystander.socket.closed is None
        assert not nameless
        await process.terminate()


def is_named(log: str) -> bool:
    """Whether the log has named the plugin while it held the thread."""
    return bool(re.search(rf"has been blocked for [0-9]+ ms by {re.escape(NAME)}", log))


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("Agent" + AWAITED, NEVER[0]),
        ("Encoder.encode", NEVER[1]),
        ("AuthScheme.authenticate", NEVER[0]),
    ],
    ids=str,
)
async def test_who_holds_the_thread_for_ever_is_named_and_the_process_ends_when_told(
    method: str, fault: object, tmp_path: Path
) -> None:
    async with open_faulty_process(tmp_path) as process:
        process.arm(method, str(fault))
        async with trio.open_nursery() as calling:
            calling.start_soon(talk, process)
            await eventually(lambda: is_named(process.log))
            calling.cancel_scope.cancel()
        await process.terminate()


async def test_standard_error_that_nobody_reads_holds_up_neither_calls_nor_the_end(tmp_path: Path) -> None:
    async with open_faulty_process(tmp_path) as process:
        phone = await process.exchange.call("talk")
        process.reading.cancel()
        process.arm("AuthScheme.authenticate", "ValueError")
        for _ in range(80):  # each of which costs a traceback in the log
            reply = await process.exchange.post("talk")
            assert reply.status == 500
        await phone.hear(10)
        assert phone.socket.closed is None
        await process.terminate()
