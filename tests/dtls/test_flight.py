import pytest
from glottis.dtls.flight import FINAL_RESENDS, FIRST_INTERVAL, MIN_SPACING, Flight
from glottis.wire.dtls_record import DtlsRecord


def handshake_record(message_seq: int, number: int = 0) -> DtlsRecord:
    body = bytes([1]) + (4).to_bytes(3) + message_seq.to_bytes(2) + bytes(3) + (4).to_bytes(3) + b"body"
    header = b"\x16\xfe\xfd" + bytes(2) + number.to_bytes(6) + len(body).to_bytes(2)
    return DtlsRecord(22, 0, header + body)


def sendings(flight: Flight, until: float) -> list[float]:
    """When the flight is sent again, if nothing else happens."""
    times = []
    while (at := flight.next_timeout) is not None and at <= until:
        assert flight.repeat_on_timeout(at)
        times.append(at)
    return times


def test_intervals_double_up_to_a_second() -> None:
    flight = Flight()
    flight.replace([handshake_record(0)], 0.0)
    assert sendings(flight, 4.0) == pytest.approx([0.1, 0.3, 0.7, 1.5, 2.5, 3.5])


def test_nothing_is_sent_early() -> None:
    flight = Flight()
    flight.replace([handshake_record(0)], 0.0)
    assert not flight.repeat_on_timeout(FIRST_INTERVAL - 0.001)


def test_a_new_flight_begins_with_a_short_interval() -> None:
    flight = Flight()
    flight.replace([handshake_record(0)], 0.0)
    sendings(flight, 4.0)
    assert flight.replace([handshake_record(1)], 5.0)
    assert flight.next_timeout == 5.0 + FIRST_INTERVAL


def test_a_repeat_by_openssls_own_clock_changes_nothing() -> None:
    flight = Flight()
    flight.replace([handshake_record(1)], 0.0)
    assert not flight.replace([handshake_record(1, number=7)], 1.0)
    assert flight.repeat_on_timeout(1.0) == [handshake_record(1)]


def test_a_repeat_by_openssls_own_clock_is_cut_off_the_flight_that_follows_it() -> None:
    change, finished = DtlsRecord(20, 0, b"\x14"), DtlsRecord(22, 1, b"\x16")
    flight = Flight()
    assert flight.replace([handshake_record(0)], 0.0) == [handshake_record(0)]
    answer = [handshake_record(1), handshake_record(2), change, finished]
    assert flight.replace([handshake_record(0, number=1), *answer], 2.0) == answer
    assert flight.replace([*answer, handshake_record(3)], 3.0) == []


def test_the_last_flight_is_repeated_unasked_a_few_times_only() -> None:
    flight = Flight()
    flight.replace([handshake_record(0)], 0.0)
    flight.finish()
    assert len(sendings(flight, 100.0)) == FINAL_RESENDS
    assert flight.repeat_on_demand(100.0)


def test_the_peers_demands_are_met_at_a_bounded_rate() -> None:
    flight = Flight()
    flight.replace([handshake_record(0)], 0.0)
    assert not flight.repeat_on_demand(MIN_SPACING / 2)
    answered = sum(bool(flight.repeat_on_demand(1.0 + step / 1000)) for step in range(1000))
    assert answered == pytest.approx(1 / MIN_SPACING, abs=1)


def test_a_demand_that_was_met_puts_the_timer_off() -> None:
    flight = Flight()
    flight.replace([handshake_record(0)], 0.0)
    flight.repeat_on_demand(0.09)
    assert flight.next_timeout == pytest.approx(0.09 + FIRST_INTERVAL)


def test_a_dropped_flight_is_never_sent_again() -> None:
    flight = Flight()
    flight.replace([handshake_record(0)], 0.0)
    flight.drop()
    assert flight.next_timeout is None
    assert not flight.repeat_on_demand(10.0)
    assert not flight.repeat_on_timeout(10.0)
