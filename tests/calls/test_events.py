from glottis import CallEvent, StateChanged, StatisticsReported
from glottis.calls.events import MAX_EVENTS, EventStream
from glottis.contracts.statistics import Counters, Statistics


def event(name: str, number: int) -> CallEvent:
    if name == "statistics":
        return StatisticsReported(statistics=Statistics(counters=Counters(packets_replayed=number)))
    return StateChanged(state=name, reason=str(number))


async def test_of_statistics_that_nobody_reads_the_last_ones_wait() -> None:
    stream = EventStream()
    stream.push(event("state", 1))
    for number in range(1000):
        stream.push(event("statistics", number))
    stream.push(event("state", 2))
    assert [await anext(stream) for _ in range(3)] == [event("state", 1), event("statistics", 999), event("state", 2)]
    assert (len(stream), stream.dropped) == (0, 999)


async def test_statistics_that_are_read_in_time_are_all_there() -> None:
    stream = EventStream()
    for number in range(3):
        stream.push(event("statistics", number))
        assert await anext(stream) == event("statistics", number)
    assert stream.dropped == 0


async def test_of_other_events_the_oldest_is_dropped_when_there_is_no_room() -> None:
    stream = EventStream()
    for number in range(MAX_EVENTS + 2):
        stream.push(event("state", number))
    assert (len(stream), stream.dropped) == (MAX_EVENTS, 2)
    assert await anext(stream) == event("state", 2)
