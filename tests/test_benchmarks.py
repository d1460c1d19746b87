"""The arithmetic of the benchmarks: what they say of what was measured. Nothing is measured here."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from glottis.config import load_config

from benchmarks.__main__ import DEFAULT_REPEATS, DEFAULT_SECONDS
from benchmarks.admission import Admission, admission_aims, print_admission
from benchmarks.admission_load import Reply, visitor
from benchmarks.aims import Aim, aims, best_at_full_core
from benchmarks.compare import difference
from benchmarks.first_answer import told
from benchmarks.fleet import FleetMeasurement, FleetResults, Way, estimated_seconds, fleet_aims, print_fleet
from benchmarks.machine import CoreTimes, Noise, complaints, noise_between
from benchmarks.measurement import CodecCost, Measurement, late_share
from benchmarks.processes import HERE, Checkout
from benchmarks.recording import Recording
from benchmarks.report import print_aims, print_results
from benchmarks.results_file import write_results
from benchmarks.rounds import Results, Row, calls_at_load, estimated_minutes, rotated
from benchmarks.scenarios import BESIDE, ECHO, FULL_CORE, PASS_THROUGH, Kind, Scenario, cross, full, quick
from benchmarks.servers import configuration
from benchmarks.setup_cost import SetupCost
from benchmarks.soak.server import Holdings
from benchmarks.spread import percentile, ratios, spread

QUIET = Noise(steal=0.0, others=0.01)
MEASUREMENT = Measurement(
    cpu=12.0,
    resident_kib=300.0,
    own_kib=148.0,
    answer_p50=5.0,
    first_audio_p50=60.0,
    first_audio_p99=90.0,
    lateness_p50=1.0,
    lateness_p99=4.0,
    late=0.0,
    returned=1.0,
    codec=CodecCost(hot=8.0, in_place=10.0, kib=73.0),
    noise=QUIET,
)


def row(scenario: Scenario, *rounds: Measurement) -> Row:
    return Row(scenario, list(rounds))


# Spreads


def test_figure_is_shown_with_the_lowest_and_the_highest_round() -> None:
    assert spread([3.0, 1.0, 2.0]).shown(1) == "2.0 (1.0–3.0)"


def test_first_answers_are_told_beside_the_starts_of_a_bare_python() -> None:
    assert told([(0.4, 0.1), (0.9, 0.2), (0.3, 0.1)]) == (
        "first answer after 0.40 s (0.30 to 0.90, 3 starts; aim 0.5 s), 4.0 times a bare Python's 0.10 s"
    )


def test_figure_of_one_round_has_no_spread() -> None:
    assert spread([2.0]).shown() == "2.00"
    assert spread([2.0]).relative == 0


def test_one_disturbed_round_of_five_hardly_widens_the_relative_spread() -> None:
    assert spread([10.0, 10.1, 10.2, 10.1, 90.0]).relative < 0.02
    assert spread([10.0, 10.1, 90.0]).relative > 1


def test_figure_that_there_is_none_of_is_shown_as_such() -> None:
    assert spread([]).shown() == "–"
    assert spread([math.nan]).shown() == "–"


def test_round_that_failed_has_no_part_in_a_figure() -> None:
    assert spread([1.0, math.nan, 3.0]).shown(0) == "2 (1–3)"


def test_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([5, 1, 3], 50) == 3
    assert percentile(range(100), 99) == 99
    assert math.isnan(percentile([], 50))


def test_ratios_are_those_of_each_round() -> None:
    assert ratios([2.0, 8.0], [1.0, 4.0]) == [2.0, 2.0]


# Packets


def recording(*packets: tuple[float, int]) -> Recording:
    return Recording(arrivals=[arrived for arrived, _ in packets], rtp_timestamps=[stamp for _, stamp in packets])


def test_lateness_is_counted_on_the_senders_timeline() -> None:
    late = recording((10.000, 0), (10.023, 960), (10.040, 1920)).lateness()
    assert late == pytest.approx([0.0, 0.003, 0.0])


def test_a_delay_that_is_taken_back_makes_nothing_late_and_one_that_grows_does() -> None:
    late = recording((10.020, 0), (10.040, 960), (10.040, 1920), (10.080, 2880)).lateness()
    assert late == pytest.approx([0, 0, 0, 0.020])


def test_lateness_bears_timestamps_that_wrap() -> None:
    late = recording((10.000, 0xFFFFFFFF - 479), (10.020, 480)).lateness()
    assert late == pytest.approx([0.0, 0.0])


def test_packet_that_does_not_come_is_late() -> None:
    assert late_share([0.0] * 90, [90], due=100) == pytest.approx(0.09)


def test_packet_that_falls_out_at_an_end_of_the_window_is_not_late() -> None:
    assert late_share([0.0] * 198, [99, 99], due=100) == 0


def test_packet_is_late_after_a_frame() -> None:
    assert late_share([19.9, 20.1, 50.0, 0.0], [4], due=4) == 0.5


# The machine


def core(total: float, busy: float, steal: float = 0.0, own: float = 0.0) -> CoreTimes:
    return CoreTimes(total=total, busy=busy, steal=steal, own=own)


def test_noise_is_what_neither_the_process_nor_idling_accounts_for() -> None:
    before, after = [core(100, 50), core(100, 50)], [core(110, 57, steal=0.5, own=4), core(110, 51, own=1)]
    assert noise_between(before, after) == Noise(steal=0.05, others=0.3)


def test_times_of_a_core_are_read_as_the_kernel_writes_them() -> None:
    times = CoreTimes.parse("cpu0 100 200 300 400 0 10 20 30 40 0", own=1.0)
    tick = times.steal / 30
    assert times.total == pytest.approx(1060 * tick)
    assert times.busy == pytest.approx(600 * tick)


def test_quiet_machine_gives_no_cause_for_complaint() -> None:
    assert complaints([QUIET] * 5, [8.0, 8.1, 8.0, 7.9, 8.0]) == []


def test_noisy_machine_is_called_so_in_words() -> None:
    noisy = Noise(steal=0.03, others=0.2)
    found = complaints([noisy] * 3, [8.0, 8.0, 12.0])
    assert found == ["the host took 3%", "others took 20% of a core", "the control spread by 50%"]


def test_one_disturbed_round_is_outvoted() -> None:
    assert complaints([QUIET, QUIET, Noise(steal=0.5, others=0.5)], [8.0] * 3) == []


# What is measured


def test_cross_has_all_calls_at_one_complexity_and_all_complexities_at_one_number_of_calls() -> None:
    for rate in (16000, 48000):
        echoes = {(one.calls, one.complexity) for one in cross() if one.kind is Kind.ECHO and one.sample_rate == rate}
        assert {(calls, 5) for calls in (10, 40, 120)} <= echoes
        assert {(40, complexity) for complexity in (9, 5, 3, 0)} <= echoes
    assert set(cross()) < set(full())


def test_all_runs_of_make_bench_fit_in_25_minutes() -> None:
    of_fleet = estimated_seconds(DEFAULT_REPEATS, DEFAULT_SECONDS) / 60
    assert estimated_minutes(cross(), DEFAULT_REPEATS, DEFAULT_SECONDS, setup=True) + of_fleet <= 25


def test_each_round_measures_all_scenarios_in_another_order() -> None:
    orders = [rotated(cross(), number) for number in range(5)]
    assert all(sorted(one.name for one in order) == sorted(one.name for one in cross()) for order in orders)
    assert len({order[0] for order in orders}) == 5


def test_calls_at_high_load_leave_a_part_of_the_core_free() -> None:
    assert calls_at_load(10.0) == 70
    assert calls_at_load(5000.0) == 1


# Aims


def verdicts(results: Results) -> dict[str, str]:
    return {aim.sentence: aim.verdict for aim in aims(results)}


def quick_results(measurement: Measurement) -> Results:
    rows = {scenario: row(scenario, *[measurement] * 3) for scenario in quick()}
    rows[BESIDE] = row(BESIDE, *[replace(measurement, cpu=10 * measurement.cpu)] * 3)
    return Results(rows)


def test_aim_is_reached_by_the_median() -> None:
    said = verdicts(quick_results(MEASUREMENT))
    assert said["CPU of a call / codec in place, 48 kHz"] == "reached"
    assert said["CPU of a call, aiortc / glottis"] == "reached"
    assert said["CPU without decoding, ms per call-second"] == "NOT REACHED"


def test_run_that_lost_packets_shows_nothing() -> None:
    said = verdicts(quick_results(replace(MEASUREMENT, returned=0.9)))
    assert set(said.values()) == {"NOT SHOWN: packets are missing"}


def test_noisy_machine_shows_nothing_and_the_aim_says_why() -> None:
    said = verdicts(quick_results(replace(MEASUREMENT, noise=Noise(steal=0.0, others=0.4))))
    assert set(said.values()) == {"NOT SHOWN, the machine is too noisy: others took 40% of a core"}


def test_aim_for_a_full_core_names_the_highest_complexity_that_reaches_it() -> None:
    higher, lower = FULL_CORE
    overloaded, in_time = replace(MEASUREMENT, late=0.4), replace(MEASUREMENT, late=0.001)
    rows = {higher: row(higher, overloaded), lower: row(lower, in_time)}
    assert best_at_full_core(rows, FULL_CORE) is rows[lower]
    assert best_at_full_core({higher: row(higher, in_time), lower: rows[lower]}, FULL_CORE) is not rows[lower]
    assert best_at_full_core({}, FULL_CORE) is None


def test_aim_may_be_something_to_exceed() -> None:
    assert Aim("more", 6, spread([7.0]), at_least=True).verdict == "reached"
    assert Aim("more", 6, spread([5.0]), at_least=True).verdict == "NOT REACHED"


# Several workers

IN_FLEET = FleetMeasurement(
    cpu=10.0, lateness_p50=1.0, lateness_p99=4.0, late=0.0, returned=1.0, control=8.0, noise=QUIET
)


def fleet_results(two: FleetMeasurement) -> FleetResults:
    return FleetResults(rounds=[{Way.ONE: IN_FLEET, Way.TWO: two, Way.APART: IN_FLEET}] * 3)


def test_two_workers_are_to_carry_nearly_as_many_calls_a_core_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    results = fleet_results(replace(IN_FLEET, cpu=12.5))
    assert results.linearity(Way.TWO).median == pytest.approx(0.8)
    assert [aim.verdict for aim in fleet_aims(results)] == ["NOT REACHED"]
    assert [aim.verdict for aim in fleet_aims(fleet_results(replace(IN_FLEET, cpu=11.0)))] == ["reached"]
    assert fleet_aims(FleetResults()) == []
    print_fleet(results)
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("2 workers")]
    assert line.split() == ["2", "workers", "12.50", "80", "0.80", "1.0", "/", "4.0", "0.00%", "quiet"]


@pytest.mark.parametrize(
    ("two", "why"),
    [
        (
            replace(IN_FLEET, noise=Noise(steal=0.0, others=0.4)),
            ", the machine is too noisy: others took 40% of a core",
        ),
        (replace(IN_FLEET, returned=0.9), ": packets are missing"),
    ],
)
def test_workers_on_a_noisy_machine_or_with_lost_packets_show_nothing(two: FleetMeasurement, why: str) -> None:
    assert [aim.verdict for aim in fleet_aims(fleet_results(two))] == [f"NOT SHOWN{why}"]


# Admission


def test_refusals_of_one_rule_are_one_row_whatever_numbers_they_name() -> None:
    limited = [Reply(429, "3", {"code": "RATE_LIMITED", "detail": f"Wait {n} seconds."}).rule for n in (3, 41)]
    assert set(limited) == {"429 RATE_LIMITED: Wait … seconds."}
    assert Reply(202, "2", {"place": 3}).rule != Reply(200, "", {}).rule
    assert len({visitor(number).campaign for number in range(8)}) == 2
    assert sum(not visitor(number).connects for number in range(8)) == 1


def test_what_is_left_of_a_crowd_is_told_beside_its_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    crowd = {"outcomes": {"200 created": 8, "503 FULL": 2}, "waits": {"200 created": [-1], "503 FULL": [2, 10]}}
    calls = {"lateness": [1.0] * 99 + [30.0], "packets": [100], "packets_due": 100}
    held, left = Holdings(1000, 20, 40), Holdings(1004, 21, 40)
    result = Admission({**crowd, "times": [5.0], "broken": 0}, calls, held, left, [])
    print_admission(result)
    [refused] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("503 FULL")]
    assert refused.split() == ["503", "FULL", "2", "2–10"]
    assert [aim.verdict for aim in admission_aims(result)] == ["NOT REACHED", "NOT REACHED", "reached", "reached"]


# What is written


def test_tables_say_in_each_row_whether_the_machine_was_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    results = quick_results(MEASUREMENT)
    results.busy = row(ECHO[48000], replace(MEASUREMENT, noise=Noise(steal=0.2, others=0.0)))
    results.setup = [SetupCost(session=3.0, connecting=9.0, answered_kib=100.0, noise=QUIET)]
    print_results(results)
    print_aims(aims(results))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith(PASS_THROUGH.name) and line.endswith("quiet")]
    assert [line for line in lines if line.endswith("too noisy to judge: the host took 20%")]
    assert [line for line in lines if line.startswith("CPU of a call's set-up, ms") and line.endswith("9.0")]
    assert [line for line in lines if line.startswith("memory of an answered session") and line.endswith("102.4")]


def test_calls_that_did_not_come_up_are_said_to(capsys: pytest.CaptureFixture[str]) -> None:
    failed = Measurement.failed(MEASUREMENT.codec, QUIET)
    results = Results({PASS_THROUGH: row(PASS_THROUGH, failed, MEASUREMENT, failed)})
    print_results(results)
    assert "calls did not come up in 2 of 3 rounds; quiet" in capsys.readouterr().out
    assert set(verdicts(results).values()) == {"NOT SHOWN: packets are missing"}


def test_file_has_all_rounds_and_null_for_what_was_not_measured(tmp_path: Path) -> None:
    results = quick_results(replace(MEASUREMENT, own_kib=math.nan))
    write_results(results, tmp_path / "bench.json", fleet_results(IN_FLEET))
    written = json.loads((tmp_path / "bench.json").read_text())
    assert [len(one["rounds"]) for one in written["rows"]] == [3, 3, 3, 3]
    assert written["rows"][0]["rounds"][0]["own_kib"] is None
    assert {one["scenario"]["kind"] for one in written["rows"]} == {"echo", "pass-through", "aiortc"}
    assert len(written["fleet"]["rounds"]) == 3


# Comparing


def test_checkouts_differ_where_all_pairs_say_so() -> None:
    assert difference([0.90, 0.95, 0.92, 0.91, 0.99]) == "less in all pairs"
    assert difference([1.10, 1.05, 1.02, 1.01, 1.30]) == "more in all pairs"
    assert difference([0.90, 1.05, 0.92, 0.91, 0.99]) == "no difference to be seen"


def test_few_pairs_or_failed_ones_say_nothing() -> None:
    assert difference([0.5, 0.5, 0.5, 0.5]) == "too few pairs to say"
    assert difference([0.5, 0.5, 0.5, 0.5, math.nan]) == "calls did not come up"


def test_folder_without_a_virtual_environment_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run make there first"):
        Checkout.at(tmp_path)


@pytest.mark.parametrize("kind", [Kind.ECHO, Kind.PASS_THROUGH])
def test_the_gateway_can_be_served_with_what_it_is_measured_with(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "glottis.toml"
    path.write_text(configuration(Scenario(kind, 10, complexity=3), 8080, HERE))
    config = load_config(path, {})
    assert config.media.encoder.complexity == config.media.encoder.complexity_floor == 3
    assert config.server.max_load == 1
