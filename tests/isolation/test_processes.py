"""A plugin that holds the thread of a real gateway: the log names it while it does, and SIGTERM ends the process."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from glottis.contracts.audio import FRAME_SECONDS
from support.faults import AWAITED, NEVER, faulty_codec
from support.faulty_process import NAME, FaultyProcess, open_faulty_process
from support.http import request
from support.phone import RATE, TONE, Phone, eventually

pytestmark = pytest.mark.realtime

OVER = "the caller hung up"
"""What the log says when a blockade is over for its caller."""


async def talk(process: FaultyProcess) -> Phone:
    """A caller who makes the gateway use most methods, and does not wait for what comes of it."""
    phone = process.exchange.phone(faulty_codec())
    await phone.create("faulty")
    await phone.open_socket()
    await phone.send_offer()
    await phone.take_answer()
    return phone


async def talk_by_packets(process: FaultyProcess) -> None:
    """And is heard."""
    phone = await talk(process)
    await phone.hear()
    await phone.hang_up()


async def talk_by_websocket(process: FaultyProcess) -> None:
    """At another rate than the agent's."""
    phone = process.exchange.phone()
    audio = {"inputCodec": "PCM", "outputCodec": "PCM", "sampleRate": RATE}
    await phone.create("faulty", transportType="WebSocket", audioConfig=audio)
    socket = await phone.open_socket()
    while not socket.heard:
        await socket.send(TONE)
        await trio.sleep(FRAME_SECONDS)
    await phone.hang_up()


async def ask(process: FaultyProcess) -> None:
    """For a page of the plugin, and talk."""
    assert (await request(process.exchange.gateway, "GET", "/api/plugins/faulty/")).status == 200
    await talk_by_packets(process)


Use = Callable[[FaultyProcess], Awaitable[None]]
WHILE_A_CALL_BEGINS: dict[str, Use] = {
    "AuthScheme.authenticate" + AWAITED: talk_by_packets,
    "CodecSpec.answer_parameters": talk_by_packets,
    "CodecSpec.create_encoder": talk_by_packets,
    "ComponentSpec.create": talk_by_packets,
    "IceServerProvider.get_ice_servers" + AWAITED: talk_by_packets,
    "audio_processors": talk_by_packets,
    "select_agent": talk_by_packets,
    "session_observers": talk_by_packets,
}
WHILE_IT_GOES_ON: dict[str, Use] = {
    "Agent" + AWAITED: talk_by_packets,
    "Decoder.decode": talk_by_packets,
    "Encoder.encode": talk_by_packets,
    "FrameTap": talk_by_packets,
    "Resampler.resample": talk_by_websocket,
    "Resampling.create_resampler": talk_by_websocket,
    "Route.handle" + AWAITED: ask,
    "SessionObserver.packet_received": talk_by_packets,
    "VoiceActivityDetector.detect": talk_by_packets,
}
"""At least one of each kind that is called while others talk; what the start calls keeps nobody waiting."""
FOR_A_WHILE = "blocks 1000 ms"
ATTEMPTS = 3
"""Where the machine is so busy that the watch itself comes late, it blames the machine; and of many lines some are left
out, so another attempt has another process."""


@pytest.mark.parametrize(
    "methods", [WHILE_A_CALL_BEGINS, WHILE_IT_GOES_ON], ids=["while a call begins", "while it goes on"]
)
async def test_who_holds_the_thread_for_a_while_is_named_and_all_calls_go_on(
    methods: dict[str, Use], tmp_path: Path
) -> None:
    nameless = dict(methods)
    for attempt in range(ATTEMPTS):
        directory = tmp_path / str(attempt)
        directory.mkdir()
        async with open_faulty_process(directory) as process:
            bystanders = [await process.exchange.call("talk") for _ in range(3)]
            for method, use in list(nameless.items()):
                process.log = ""
                process.arm(method, FOR_A_WHILE)
                await use(process)
                await eventually(lambda: OVER in process.log)
                if is_named(process.log):
                    del nameless[method]
            for bystander in bystanders:
                await bystander.hear(10)
                assert bystander.socket.closed is None
            await process.terminate()
        if not nameless:
            return
    assert not nameless


def is_named(log: str) -> bool:
    """Whether the log has named the plugin while it held the thread, within the first second."""
    blamed = re.search(rf"has been blocked for ([0-9]+) ms by {re.escape(NAME)}", log)
    return blamed is not None and int(blamed[1]) < 1000


async def test_who_holds_the_thread_for_ever_is_named_and_the_process_ends_when_told(tmp_path: Path) -> None:
    """Two processes side by side; an agent that does so is in ``tests/server/test_gateway.py``."""

    async def hold(method: str, fault: object) -> None:
        directory = tmp_path / method.partition(",")[0]
        directory.mkdir()
        async with open_faulty_process(directory) as process:
            process.arm(method, str(fault))
            async with trio.open_nursery() as calling:
                calling.start_soon(talk, process)
                await eventually(lambda: is_named(process.log))
                calling.cancel_scope.cancel()
            await process.terminate()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold, "Encoder.encode", NEVER[1])
        nursery.start_soon(hold, "AuthScheme.authenticate" + AWAITED, NEVER[0])


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
