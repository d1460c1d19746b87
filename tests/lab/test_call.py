"""What the bench hears over known networks: the engines' delay, losses, repairs and clocks, found by its measures."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from glottis.lab import Break, Codec, Condition, Delay, Handover, Link, Network, Protection
from glottis.lab.alignment import find_delays
from glottis.lab.measures import Measures, Timeline
from glottis.lab.networks import Stalls
from glottis.lab.quality import followed_pairs, passage_pairs, stoi_of
from glottis.lab.samples import Samples
from glottis.lab.speech import read_speech
from glottis.lab.trial import Result, run
from support.audio import SPEECH

pytestmark = pytest.mark.slow

CLEAN, OPUS, FEC = Network(), Codec(), Protection()
FIXED = Delay(policy="fixed", ms=40)


@cache
def tried(
    network: Network = CLEAN,
    codec: Codec = OPUS,
    delay: Delay = FIXED,
    protection: Protection = FEC,
    seed: int = 0,
) -> tuple[Result, Samples]:
    condition = Condition(
        speech=str(SPEECH), codec=codec, delay=delay, protection=protection, network=network, seed=seed
    )
    return run(condition)


def measures(*of: Any, **parts: Any) -> Measures:
    result, _ = tried(*of, **parts)
    assert result.measures is not None
    return result.measures


def timeline(network: Network, **parts: Any) -> Timeline:
    result, _ = tried(network, **parts)
    assert result.timeline is not None
    return result.timeline


def test_a_clean_line_costs_a_frame_the_jitter_buffer_and_the_codec() -> None:
    clean = measures()
    assert clean.delay_ms == pytest.approx(20 + 40 + 6.5, abs=21), "the first packet comes in any phase to the ticks"
    assert clean.pesq > 4
    assert clean.stoi > 0.97
    assert (clean.lost, clean.late, clean.concealed, clean.gap_ms) == (0, 0, 0, 0)


def test_what_the_network_adds_is_added_to_the_delay() -> None:
    clean, later = measures(), measures(Network(delay_ms=100))
    assert clean.delay_ms is not None
    assert later.delay_ms == pytest.approx(clean.delay_ms + 100, abs=0.1)
    assert later.pesq == clean.pesq


def test_the_longer_delay_is_found_of_a_longer_fixed_delay() -> None:
    clean, later = measures(), measures(delay=Delay(policy="fixed", ms=100))
    assert clean.delay_ms is not None
    assert later.delay_ms == pytest.approx(clean.delay_ms + 60, abs=0.1)


def test_loss_is_counted_where_it_was_and_heard() -> None:
    lossy = measures(Network(loss=0.2))
    assert lossy.lost == pytest.approx(0.2, abs=0.06)
    assert len(timeline(Network(loss=0.2)).lost_s) > 10
    assert lossy.pesq < measures().pesq - 1
    assert lossy.recovered_fec > 0.02


def test_what_is_not_protected_sounds_worse_and_red_brings_back_what_is_lost() -> None:
    network = Network(loss=0.2, back=Link())
    red = measures(network, protection=Protection(red="on"))
    bare = measures(network, protection=Protection(fec=False))
    assert bare.recovered_fec == 0
    assert red.recovered_red > 5
    assert bare.pesq < red.pesq
    assert red.kbits > 1.2 * bare.kbits


def test_packets_are_sent_again_where_that_is_wanted() -> None:
    network = Network(loss=0.2, back=Link())
    assert measures(network).sent_again == 0
    assert measures(network, protection=Protection(nack=True)).sent_again > 0


def test_nothing_is_sent_in_pauses_with_dtx() -> None:
    silent = measures(protection=Protection(dtx=True))
    assert silent.kbits < measures().kbits
    assert silent.pesq > 3.5


def test_an_outage_is_the_gap_and_the_delay_comes_back() -> None:
    network = Network(outages=(Break(at_s=1.5, seconds=0.4),))
    assert measures(network).gap_ms >= 100
    [event] = timeline(network).events
    assert (event.begins_s, event.ends_s) == (1.5, 1.9)
    assert event.back_after_s is not None


def test_a_call_goes_on_after_a_handover_that_changes_the_address() -> None:
    network = Network(handovers=(Handover(at_s=1.0, gap_ms=100),), delay_ms=20)
    _, heard = tried(network)
    assert np.abs(heard[-32000:]).max() > 1000


def test_what_can_be_understood_does_not_fall_with_a_delay_that_changes() -> None:
    speech = read_speech(SPEECH).speech
    middle = len(speech.samples) // 2
    before, between = np.zeros(1000, np.int16), np.zeros(1600, np.int16)
    heard = np.concatenate([before, speech.samples[:middle], between, speech.samples[middle:]])
    delays = find_delays(speech.samples, heard)
    [followed], [whole] = (pairs(speech, heard, delays) for pairs in (followed_pairs, passage_pairs))
    assert stoi_of(*followed) > 0.85
    assert stoi_of(*whole) < stoi_of(*followed) - 0.1


def test_a_clock_that_drifts_is_not_taken_for_delay() -> None:
    steady, fast = measures(), measures(Network(drift_ppm=500))
    assert steady.delay_ms is not None
    assert fast.delay_ms == pytest.approx(steady.delay_ms, abs=21)


def test_an_adaptive_delay_follows_what_a_fixed_one_loses() -> None:
    stalls = Network(stalls=Stalls(every_s=1, ms=150))
    fixed, adaptive = measures(stalls), measures(stalls, delay=Delay())
    assert adaptive.late < fixed.late
    assert fixed.delay_ms is not None
    assert adaptive.delay_ms is not None
    assert adaptive.delay_ms > fixed.delay_ms


@pytest.mark.parametrize("codec", ["PCMU", "G722"])
def test_other_codecs_are_tried_the_same_way(codec: str) -> None:
    assert measures(codec=Codec(codec=codec)).pesq > 2.5


def test_the_same_seed_hears_the_same_bytes_and_another_others() -> None:
    network = Network(loss=0.1, jitter_ms=40)
    first, heard = tried(network, delay=Delay())
    again, heard_again = tried.__wrapped__(network, delay=Delay())
    assert heard.tobytes() == heard_again.tobytes()
    assert (first.measures, first.timeline) == (again.measures, again.timeline)
    _, other = tried(network, delay=Delay(), seed=1)
    assert heard.tobytes() != other.tobytes()
