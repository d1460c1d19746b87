"""What is kept and told of calls is bounded, whatever callers send and however many there are."""

import json
import math

import pytest
from glottis import CallInfo, GatewayFigures, OtherEvent, StateChanged, Statistics
from glottis.contracts.figures import Histogram
from glottis.contracts.statistics import OutboundRtpStats
from glottis_operators.book import KEPT, MAX_ENDED, Book
from glottis_operators.letter import MAX_LETTER, Letter, read
from glottis_operators.minute import Minute
from glottis_operators.pulse import SPAN, Pulse
from glottis_operators.record import MAX_EVENTS, MAX_WORDS, CallRecord
from glottis_operators.samples import MAX_AGE, MAX_SAMPLES, NAMES, Sample, Samples
from glottis_operators.settings import OperatorsConfig


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def begin(book: Book, number: int = 0, settings: OperatorsConfig | None = None) -> CallRecord:
    info = CallInfo(session_id=f"s{number}", campaign_id="c", metadata={"name": "\u202eeve" * 200, "of": {"a": 1}})
    return book.observe(info, Statistics, settings or OperatorsConfig())


def test_of_ended_calls_the_last_ones_are_known_for_a_while() -> None:
    clock = Clock()
    book = Book(clock)
    records = [begin(book, number) for number in range(MAX_ENDED + 5)]
    assert book.created_in_a_minute() == MAX_ENDED + 5
    for record in records:
        record.ended("the caller hung up", Statistics())
    assert book.running() == []
    assert [record.session_id for record in book.ended()][:2] == [f"s{MAX_ENDED + 4}", f"s{MAX_ENDED + 3}"]
    assert len(book.ended()) == MAX_ENDED
    assert book.find("s0") is None
    assert book.find("s10") is records[10]
    clock.now += KEPT + 1
    assert book.ended() == []
    assert book.created_in_a_minute() == 0


def test_a_call_whose_record_is_told_no_more_is_not_taken_to_go_on() -> None:
    """As that of an observer which the gateway has found to be too slow."""
    book = Book(Clock())
    record = begin(book)
    assert book.running() == [record]
    del record
    assert book.running() == []


def test_of_events_the_last_ones_are_kept_and_what_agents_say_only_where_it_is_wanted() -> None:
    for wanted in (False, True):
        record = begin(Book(Clock()), settings=OperatorsConfig(event_data=wanted))
        record.event(StateChanged(state="connecting"))
        for number in range(MAX_EVENTS + 9):
            record.event(OtherEvent(f"n{number}", {"words": "secret" * 100}))
        page = record.page(-math.inf)
        assert len(page["events"]) == MAX_EVENTS
        assert page["droppedEvents"] == 10
        assert all(("secret" in words) == wanted and len(words) <= MAX_WORDS for _, _, words in page["events"])


def test_each_sample_is_of_some_seconds_however_often_somebody_looks() -> None:
    clock = Clock()
    counted = Statistics()
    record = Book(clock).observe(CallInfo(session_id="s", campaign_id="c"), lambda: counted, OperatorsConfig())
    for second in range(1, 21):
        clock.now += 1
        counted = Statistics(outbound_rtp=OutboundRtpStats(ssrc=1, packets_sent=0, bytes_sent=8000 * second**2))
        record.look()
        record.look()
    page = record.page(10.5)
    bitrates = [row[NAMES.index("bitrateSent")] for row in page["samples"]]
    assert len(bitrates) == 10
    assert bitrates[-1] == 64_000 * (20**2 - 15**2) / 5


def test_of_metadata_only_named_members_are_told_and_cut() -> None:
    record = begin(Book(Clock()), settings=OperatorsConfig(metadata=("name", "of", "none")))
    told = record.page(0)["metadata"]
    assert told == {"name": ("\u202eeve" * 200)[:MAX_WORDS], "of": '{"a":1}'}
    record.ended("the caller hung up", Statistics())
    assert record.page(0)["metadata"] == told
    assert begin(Book(Clock())).page(0)["metadata"] == {}


@pytest.mark.parametrize(("step", "kept"), [(1.0, MAX_SAMPLES), (5.0, MAX_AGE // 5 + 1), (3600.0, 1)])
def test_samples_are_kept_as_long_as_they_are_young_and_few(step: float, kept: float) -> None:
    samples = Samples()
    for number in range(2 * MAX_SAMPLES):
        samples.add(Sample(number * step, loss_sent=0.25))
    rows = samples.since(-math.inf)
    assert len(rows) == kept
    assert rows[-1] == [pytest.approx((2 * MAX_SAMPLES - 1) * step), None, 0.25, *[None] * (len(NAMES) - 3)]
    assert samples.since(rows[-1][0] or 0.0) == []
    assert samples.last_of("lossSent", 24) == [0.25] * min(24, int(kept))


async def test_a_letter_has_as_many_rows_as_there_is_room_for() -> None:
    def incompressible(number: int) -> dict[str, str]:
        return {"id": "".join(chr(0x4E00 + (number * 7919 + at * at * 104729) % 20000) for at in range(100))}

    letter = Letter({"worker": 1})
    await letter.add("calls", range(1000), incompressible)
    await letter.add("ended", range(1000), incompressible)
    told = letter.close()
    assert MAX_LETTER / 2 < len(told) <= MAX_LETTER
    document = json.loads(read(told))
    assert document["worker"] == 1
    assert 20 <= len(document["calls"]) < 1000
    few = Letter({"worker": 2})
    await few.add("calls", [], incompressible)
    await few.add("ended", [3], incompressible)
    assert json.loads(read(few.close())) == {"worker": 2, "calls": [], "ended": [incompressible(3)]}


def test_a_minute_forgets() -> None:
    minute = Minute()
    for moment in (0.0, 0.5, 1.0, 59.9):
        minute.add(moment)
    assert [minute.total(now) for now in (59.9, 60.5, 61.0, 118.9, 130.0)] == [4, 2, 1, 1, 0]
    minute.add(120.0)
    assert minute.total(120.0) == 1


def told(pulse: Pulse, late: int, quick: int = 100) -> dict[str, float | None]:
    at_most = {0.001: quick, 0.01: quick + late, math.inf: quick + late}
    figures = GatewayFigures(lateness=Histogram(at_most=at_most, longest=0.009))
    return pulse.look(figures)


def test_the_pulse_is_that_of_the_last_seconds_while_somebody_looks() -> None:
    clock, cpu = Clock(), Clock()
    pulse = Pulse(clock, cpu)

    def advance(seconds: float, busy: float) -> None:
        clock.now += seconds
        cpu.now += busy

    advance(100, 10)
    assert (told(pulse, 0)["cpu"], told(pulse, 0)["lateness"]) == (0.1, 0.001)
    for _ in range(10):
        advance(SPAN / 2, SPAN / 2)
        last = told(pulse, 50)
    assert last["cpu"] == 1.0
    assert last["lateness"] is None, "no turn was counted meanwhile"
    advance(SPAN / 2, 0)
    assert told(pulse, 90)["lateness"] == 0.01
