"""Whatever a plugin is asked for is counted and timed, and so it is shown by ``glottis plugins --url``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import trio.testing
from glottis import Page, PagesSpec, hookimpl
from support.contracts import called_in_plugins, hooks
from support.crowd import open_crowd
from support.faults import ERRORS, FAULTY_CONFIG, Fault, Faulty
from support.http import request
from support.uses import ROWS, Trial

NO_FAULT: Final = Fault("takes a microsecond", seconds=1e-6)
ASKED_FOR: Final = {
    "Agent": "agent faulty",
    "FrameTap": "processors of input",
    "Route.handle": "route GET /",
    "SocketRoute.handle": "route WEBSOCKET /",
}
"""Those that are not called by their own names."""
NOT_COUNTED: Final = {
    "AdjustableEncoder.set_complexity": "a setter, which is seldom called",
    "CodecSpec.has_redundancy": "so short that to count it would take longer",
    "CodecSpec.payload_duration_untrusted": "so short, for each packet, that to count it would take longer",
    "CodecSpec.redundancy_reach": "so short, after losses only, that to count it would take longer",
    "ComponentSpec.kind": "a class",
    "Dialect.client_says": "what fails in it ends the call",
    "Dialect.gateway_says": "the same",
    "Dialect.opened": "the same",
    "Door.call": "the gateway's own",
    "Door.elsewhere": "the same",
    "Door.find": "the same",
    "Door.invite": "the same",
    "Door.key": "the same",
    "Door.on_behalf_of": "the same",
    "Door.principal": "the same",
    "DoorCall.add_candidate": "the same",
    "DoorCall.answer": "the same",
    "DoorCall.end": "the same",
    "DoorCall.receive_audio": "the same",
    "DoorCall.send_audio": "the same",
    "DoorCall.send_key": "the same",
    "DoorCall.send_mark": "the same",
    "DoorCall.send_text": "the same",
    "Button.wait": "a device's, which has no figures",
    "Lamp.show": "the same",
    "EchoCanceller.cancel": "a device's, which has no figures",
    "EchoCancelling.create_canceller": "the same",
    "Encoder.set_bitrate": "the gateway estimates no bandwidth",
    "Encoder.set_expected_loss": "a setter, which is seldom called",
    "GatewayInfo.figures": "the gateway's own",
    "GatewayParts.collect": "the same",
    "GatewayParts.offer": "the same",
    "Hear": "what fails in it ends the call",
    "Keys.down": "the gateway's own",
    "Keys.up": "the same",
    **dict.fromkeys(("RouteSocket.close", "RouteSocket.receive", "RouteSocket.send"), "the gateway's own"),
    **dict.fromkeys(("Seat.create", "Seat.sessions", "Seat.unavailability"), "the gateway's own"),
    **dict.fromkeys(("SessionDesk.end", "SessionDesk.explain"), "the gateway's own"),
    "TellPart": "seldom called, and by name",
}
pytestmark = pytest.mark.slow


class _RestConfig(msgspec.Struct):
    """Settings of nothing."""


class Rest:
    """The hooks that ``Faulty`` has not."""

    @hookimpl
    def extension_settings(self) -> type[_RestConfig]:
        return _RestConfig

    @hookimpl
    def register_pages(self) -> list[PagesSpec]:
        return [PagesSpec("rest", {"/rest": Page(b"", "text/plain")})]

    @hookimpl
    @asynccontextmanager
    async def gateway_lifespan(self) -> AsyncIterator[None]:
        yield


async def shown_after(faults: dict[str, Fault], directory: Path) -> dict[str, dict[str, Any]]:
    """What a gateway shows of the two plugins, when each method was used; some have faults."""
    config = f'{FAULTY_CONFIG}\n[extensions]\nenabled = ["Rest"]\n'.replace(
        'scheme = "faulty"', 'scheme = "faulty"\noperators = ["anonymous"]'
    )
    plugin = Faulty()
    async with open_crowd(directory, config, [plugin, Rest()]) as crowd:
        for row in ROWS:
            fault = faults.get(row.method, NO_FAULT)
            await row.use(Trial(crowd, plugin, row.method, fault, harmless=True))
            plugin.repair()
        exchange = crowd.exchange
        reply = await request(
            exchange.gateway, "GET", "/api/plugins", connect=exchange.network.connect, accept="application/json"
        )
    assert reply.status == 200, reply
    return {row["askedFor"]: row for row in reply.document["plugins"] if row["plugin"] in ("Faulty", "Rest")}


async def test_each_hook_and_each_method_is_counted_and_timed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    rows = await shown_after({}, tmp_path)
    wanted = (called_in_plugins() - NOT_COUNTED.keys()) | hooks()
    actions = {one: ASKED_FOR.get(one, one.rpartition(".")[2]) for one in wanted}
    missing = {one for one, action in actions.items() if not any(shown.startswith(action) for shown in rows)}
    assert missing == set()
    for row in rows.values():
        assert row["calls"] > 0, row
        assert row["errors"] == 0, row
        assert 0 < row["p50"] <= row["p99"] <= row["seconds"], row


async def test_errors_of_observers_are_counted(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    methods = [row.method for row in ROWS if row.method.startswith("SessionObserver.")]
    rows = await shown_after(dict.fromkeys(methods, ERRORS[0]), tmp_path)
    shown = {method: rows[f"{method.rpartition('.')[2]} of observers"]["errors"] for method in methods}
    assert shown == dict.fromkeys(methods, 1)
