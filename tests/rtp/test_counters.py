import pytest
from glottis.rtp.counters import SourceStatistics


def test_losses_are_what_was_expected_and_did_not_come() -> None:
    source = SourceStatistics(7, 65530)
    for number in (65530, 65531, 65533, 2, 3):
        source.receive(number, 160, 0.0)
    assert (source.packets_received, source.bytes_received, source.packets_lost) == (5, 800, 5)
    assert source.highest_sequence_number == 65536 + 3


def test_duplicates_make_the_loss_negative() -> None:
    source = SourceStatistics(7, 1)
    for number in (1, 2, 2, 2):
        source.receive(number, 160, 0.0)
    assert source.packets_lost == -2
    assert source.take_fraction_lost() == 0.0


def test_fraction_lost_is_that_since_the_last_report() -> None:
    source = SourceStatistics(7, 0)
    for number in range(0, 100, 2):
        source.receive(number, 160, 0.0)
    assert source.take_fraction_lost() == pytest.approx(49 / 99)
    assert source.take_fraction_lost() == 0.0
    for number in range(99, 103):
        source.receive(number, 160, 0.0)
    assert source.take_fraction_lost() == 0.0


def test_evenly_spaced_packets_have_no_jitter_even_over_the_wrap_of_timestamps() -> None:
    source = SourceStatistics(7, 0)
    for index in range(100):
        source.measure_jitter((2**32 - 800 + 160 * index) & 0xFFFFFFFF, 8000, 5.0 + 0.02 * index)
    assert source.jitter == pytest.approx(0.0, abs=1e-6)


def test_jitter_converges_to_the_mean_difference_of_spacing() -> None:
    source = SourceStatistics(7, 0)
    for index in range(500):
        source.measure_jitter(160 * index, 8000, 5.0 + 0.02 * index + (0.005 if index % 2 else 0.0))
    assert source.jitter == pytest.approx(40.0, rel=0.01)  # 5 ms, up and down in turn


def test_jitter_survives_a_change_of_clock_rate() -> None:
    source = SourceStatistics(7, 0)
    source.measure_jitter(0, 48000, 1.0)
    source.measure_jitter(960, 48000, 1.02)
    source.restart_jitter()
    source.measure_jitter(3_000_000, 8000, 1.04)
    source.measure_jitter(3_000_160, 8000, 1.06)
    assert source.jitter == pytest.approx(0.0, abs=1e-6)
