"""Whatever one method of a plugin does, the other calls go on, and the log says whose method it was.

For each method there is a way to get it called, and what its caller is to see. The faults are made one after the other
on one gateway for each method; where one ends it, there is another for the next.
"""

import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
import trio.testing
from support.contracts import called_in_plugins
from support.crowd import Crowd, open_crowd
from support.faults import AWAITED, BLOCKS, ERRORS, FAULTY_CONFIG, NONSENSE, Fault, Faulty
from support.uses import ROWS, Row, Trial

MAX_LINES = 50
"""Of the log, for one fault: one that was returned 100,000 times is one."""
NEVER_CALLED = {
    "ComponentSpec.kind": "a class, which types of settings name",
    "Dialect.client_says": "by a client of a route: see ``tests/server/test_doors.py``",
    "Dialect.gateway_says": "the same",
    "Dialect.opened": "the same",
    "Door.call": "the gateway's own, which routes call",
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
    "EchoCanceller.cancel": "by a device: see ``tests/client/device/test_device.py``",
    "EchoCancelling.create_canceller": "the same",
    "Button.wait": "by a device: see ``tests/client/device/test_panel.py``",
    "Lamp.show": "the same",
    "Encoder.set_bitrate": "the gateway estimates no bandwidth",
    "GatewayInfo.figures": "the gateway's own, which extensions call",
    "GatewayParts.collect": "the same",
    "GatewayParts.offer": "the same",
    "Hear": "for clients of a route: see ``tests/server/test_doors.py``",
    "Keys.down": "the gateway's own, which processors call",
    "Keys.up": "the same",
    **dict.fromkeys(("RouteSocket.close", "RouteSocket.receive", "RouteSocket.send"), "the same"),
    "SessionDesk.end": "the gateway's own, which extensions call",
    "SessionDesk.explain": "the same",
    **dict.fromkeys(("Seat.create", "Seat.sessions", "Seat.unavailability"), "the same"),
    "TellPart": "by another process: see ``tests/server/fleet/test_collecting.py``",
}
AT_START = {
    "AgentSpec.create",
    "AuthSchemeSpec.create",
    "IceServerProviderSpec.create",
    "RoutesSpec.create",
    "gateway_lifespan",
    "join_cluster",
}
"""See ``test_start.py``, ``tests/server/test_lifespans.py`` and ``tests/server/test_clustering.py``."""


def test_each_method_that_plugins_have_is_tried() -> None:
    tried = {row.method.removesuffix(AWAITED) for row in ROWS}
    assert called_in_plugins() == tried | NEVER_CALLED.keys() | AT_START


Clock = trio.testing.MockClock
Log = pytest.LogCaptureFixture


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_no_other_call_loses_a_packet(row: Row, tmp_path: Path, caplog: Log, autojump_clock: Clock) -> None:
    complaints = await complaints_of(row, tmp_path, caplog)
    assert not complaints, "\n".join(complaints)


def faults_of(row: Row) -> tuple[Fault, ...]:
    faults = (ERRORS, NONSENSE if row.minds is not None else (), BLOCKS)
    return tuple(fault for some in faults for fault in (some[:1] if row.alike else some))


async def complaints_of(row: Row, directory: Path, caplog: Log) -> list[str]:
    """What was amiss, and with which fault. A gateway that something is amiss with has had its last fault."""
    complaints: list[str] = []
    waiting = deque(faults_of(row))
    while waiting:
        tried, plugin = "the start", Faulty()
        try:
            async with open_crowd(directory, FAULTY_CONFIG, [plugin]) as crowd:
                found: list[str] = []
                while waiting and not found:
                    fault = waiting.popleft()
                    tried = str(fault)
                    found = await try_fault(crowd, plugin, row, fault, caplog)
                    complaints += [f"{tried}: {complaint}" for complaint in found]
        except (trio.Cancelled, KeyboardInterrupt):
            raise
        except BaseException as error:
            complaints.append(f"{tried}: the gateway ended: {error!r}")
            if tried == "the start":
                break
    return complaints


async def try_fault(crowd: Crowd, plugin: Faulty, row: Row, fault: Fault, caplog: Log) -> list[str]:
    """Make one fault, and say what was amiss."""
    blocks = bool(fault.seconds)
    harmless = blocks or (fault in NONSENSE and not row.minds)
    caplog.clear()
    crowd.begin()
    found: list[str] = []
    try:
        await row.use(Trial(crowd, plugin, row.method, fault, harmless))
    except Exception as error:
        found.append(f"its caller: {type(error).__name__}: {error}")
    finally:
        plugin.repair()
    if not plugin.struck:
        found.append("the method was never called")
    if len(caplog.records) > MAX_LINES:
        found.append(f"the log has {len(caplog.records)} lines of it")
    if not harmless:
        found += unnamed(caplog.records)
    return found + await crowd.complaints(patient=blocks)


def unnamed(records: Sequence[logging.LogRecord]) -> list[str]:
    """What the log lacks."""
    errors = [logging.Formatter().format(record) for record in records if record.levelno >= logging.ERROR]
    if any("plugin Faulty" in text for text in errors):
        return []
    return [f"the log does not name the plugin, but: {[record.getMessage() for record in records][:3]}"]
