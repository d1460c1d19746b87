"""What a turn consists of, whatever an agent tells of it, and whenever."""

from typing import Any

import msgspec
import pytest
from glottis import Statistics
from glottis.contracts.statistics import InboundRtpStats
from glottis_opentelemetry.waterfall import MAX_PARTS, Turns, agent_turn

RECEIVED = InboundRtpStats(
    ssrc=1,
    packets_received=0,
    bytes_received=0,
    packets_lost=0,
    jitter=0.0,
    packets_discarded=0,
    jitter_buffer_delay=40.0,
    jitter_buffer_emitted_count=1000,
    total_samples_received=0,
    concealed_samples=0,
    silent_concealed_samples=0,
    concealment_events=0,
    inserted_samples_for_deceleration=0,
    removed_samples_for_acceleration=0,
)
TURN = {"latencyMs": 1000, "parts": {"stt": 300, "llm": 200}}


def names(data: Any) -> list[str]:
    turn = agent_turn(data, 10.0)
    assert turn is not None
    return [part.name for part in turn.parts]


def test_what_an_agent_calls_its_parts_is_bounded() -> None:
    assert names(TURN) == ["stt", "llm"]
    assert names({"latencyMs": 5, "parts": {"My secret": 1, "queue": 2, "stt": 1}}) == ["agent", "stt"]
    assert len(names({"latencyMs": 5, "parts": {f"part{number}": 1 for number in range(100)}})) == MAX_PARTS + 1


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"latencyMs": 1},
        {"latencyMs": "1", "parts": {}},
        {"latencyMs": True, "parts": {}},
        {"latencyMs": float("nan"), "parts": {}},
        {"latencyMs": 1e9, "parts": {}},
        {"latencyMs": -1, "parts": {}},
        {"latencyMs": 1, "parts": []},
        {"latencyMs": 1, "parts": {"stt": None}},
        {"latencyMs": 1, "parts": {"stt": float("inf")}},
    ],
)
def test_what_is_no_turn_is_none(data: dict[str, Any]) -> None:
    assert agent_turn(data, 10.0) is None


@pytest.mark.parametrize(("sent", "queue"), [([10.03, 10.05], 0.03), ([9.99, 10.01], 0.0)])
def test_the_first_packet_is_found_whether_the_agent_tells_before_it_or_after(sent: list[float], queue: float) -> None:
    turns, turn = Turns(), agent_turn(TURN, 10.0)
    assert turn is not None
    turns.sent(3.0)  # of an answer before
    found = [moment for moment in sent if moment <= 10.0 and turns.sent(moment) is None]
    began = turns.told(turn)
    if began is None:
        assert found == []
        assert turns.sent(sent[0]) is turn
        assert turns.sent(sent[1]) is None
        began = sent[0]
    else:
        assert began == sent[0]
    parts = {part.name: part.seconds for part in turns.finish(turn, began, Statistics()).parts}
    assert parts == {
        "network_in": 0.0, "buffer": 0.0, "detector": 0.5, "stt": 0.3, "llm": 0.2, "queue": pytest.approx(queue),
        "network_out": 0.0,
    }  # fmt: skip


def test_the_buffer_is_that_of_the_time_since_the_turn_before() -> None:
    turns, turn = Turns(), agent_turn(TURN, 10.0)
    assert turn is not None
    delays = []
    for seconds, samples in ((40.0, 1000), (50.0, 1500), (50.0, 1500), (1.0, 10)):
        inbound = msgspec.structs.replace(RECEIVED, jitter_buffer_delay=seconds, jitter_buffer_emitted_count=samples)
        waterfall = turns.finish(turn, 10.0, Statistics(inbound_rtp=inbound))
        delays.append(dict(waterfall.parts)["buffer"])
    assert delays == pytest.approx([0.04, 0.02, 50 / 1500, 0.1])


def test_who_writes_waits_for_no_buffer_and_no_detector() -> None:
    turns, turn = Turns(), agent_turn({"latencyMs": 500, "parts": {"llm": 500}}, 10.0)
    assert turn is not None
    waterfall = turns.finish(turn, 10.02, Statistics(inbound_rtp=RECEIVED))
    assert [part.name for part in waterfall.parts] == ["network_in", "llm", "queue", "network_out"]
    assert waterfall.to_json()["totalMs"] == 520
