"""Events of a call: an agent has types, a client the same as JSON (CONTRACT §5)."""

import pytest
from glottis import (
    CallEvent,
    ConnectionChanged,
    Interrupted,
    MediaNegotiated,
    OtherEvent,
    Resumed,
    StateChanged,
    StatisticsReported,
)
from glottis.contracts.statistics import Counters, Statistics


@pytest.mark.parametrize(
    ("event", "name", "data"),
    [
        (StateChanged(state="active"), "state", {"state": "active"}),
        (StateChanged(state="ending", reason="bye"), "state", {"state": "ending", "reason": "bye"}),
        (ConnectionChanged(state="failed", reason="lost"), "connection", {"state": "failed", "reason": "lost"}),
        (
            MediaNegotiated(codec="opus", frame_duration_ms=20, sample_rate=16000),
            "media",
            {"codec": "opus", "frameDurationMs": 20, "sampleRate": 16000},
        ),
        (
            StatisticsReported(statistics=Statistics(counters=Counters(packets_replayed=2))),
            "statistics",
            {"counters": {"id": "counters", "type": "counters", "packetsReplayed": 2}},
        ),
        (Interrupted(), "interrupted", {}),
        (Resumed(), "resumed", {}),
        (OtherEvent("mood", {"is": "good"}), "mood", {"is": "good"}),
    ],
)
def test_an_event_has_the_name_and_the_data_that_clients_know(
    event: CallEvent, name: str, data: dict[str, object]
) -> None:
    assert (event.name, event.data) == (name, data)
