"""What networks of an experiment do to datagrams, in numbers."""

import random
from itertools import pairwise

import pytest
from glottis.lab.models import Bottleneck, Carrier, Doubled, GilbertElliott, Jitter, Model, Overtaken
from glottis.lab.networks import Break, BurstLoss, Handover, Link, Network, Rate, Stalls, carriers, events_of
from glottis.lab.presets import PRESETS

RTP = b"\x80\x00" + bytes(98)


def fates(model: Model, count: int = 20_000, seed: int = 1) -> list[list[float]]:
    rng = random.Random(seed)
    return [[arrival - 0.02 * number for arrival in model.arrivals(0.02 * number, rng)] for number in range(count)]


def carried(network: Network, seconds: float = 20.0, seed: int = 0, *, back: bool = False) -> list[list[float]]:
    """How long each packet of 20 ms takes; none where it is lost."""
    carrier: Carrier = carriers(network, seed)[back]
    carrier.begin(100.0)
    moments = [100.0 + 0.02 * number for number in range(round(seconds * 50))]
    return [[arrival - moment for arrival in carrier.arrivals(RTP, moment)] for moment in moments]


def test_gilbert_elliott_loses_as_its_states_say() -> None:
    lost = [not one for one in fates(GilbertElliott(0.02, 0.25, loss_good=0.01, loss_bad=0.7))]
    bad = 0.02 / (0.02 + 0.25)
    assert sum(lost) / len(lost) == pytest.approx(bad * 0.7 + (1 - bad) * 0.01, abs=0.01)
    after_loss = [two for one, two in pairwise(lost) if one]
    assert sum(after_loss) / len(after_loss) > 0.4, "losses come together"


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_jitter_is_uniform_and_correlated_as_it_says(correlation: float) -> None:
    late = [one[0] for one in fates(Jitter(0.03, 0.04, correlation, keeps_order=False), 50_000)]
    assert min(late) >= 0.03
    assert max(late) <= 0.07 + 1e-9
    mean = sum(late) / len(late)
    assert mean == pytest.approx(0.05, abs=0.002)
    spread = sum((one - mean) ** 2 for one in late)
    together = sum((one - mean) * (two - mean) for one, two in pairwise(late))
    assert together / spread == pytest.approx(correlation, abs=0.03)


def test_jitter_of_a_queue_keeps_the_order() -> None:
    arrivals = [0.02 * number + one[0] for number, one in enumerate(fates(Jitter(0.0, 0.1), 2000))]
    assert min(two - one for one, two in pairwise(arrivals)) > -1e-9


def test_shares_are_overtaken_and_doubled() -> None:
    late = [one[0] for one in fates(Overtaken(0.1, 0.03))]
    assert sum(one > 0.02 for one in late) / len(late) == pytest.approx(0.1, abs=0.01)
    copies = [len(one) for one in fates(Doubled(0.1, 0.03))]
    assert sum(one == 2 for one in copies) / len(copies) == pytest.approx(0.1, abs=0.01)


def test_a_bottleneck_fills_its_queue_and_drops_what_does_not_fit() -> None:
    bottleneck = Bottleneck(8000, queue=1.0)
    leaves = [bottleneck.leaves(100 - Bottleneck.HEADERS, 0.0) for _ in range(15)]
    assert leaves[:11] == pytest.approx([0.1 * number for number in range(1, 12)])
    assert leaves[11:] == [None] * 4
    assert bottleneck.leaves(100 - Bottleneck.HEADERS, 5.0) == pytest.approx(5.1)


def test_too_little_rate_becomes_delay_and_then_loss() -> None:
    taken = carried(Network(rate=Rate(kbits=48, queue_ms=300)))
    delays = [one[0] for one in taken if one]
    assert delays[0] < 0.03
    assert 0.3 < max(delays) < 0.35
    assert any(not one for one in taken)


def test_the_same_seed_loses_the_same_packets_and_another_does_not() -> None:
    network = Network(loss=0.2, jitter_ms=30)
    assert carried(network) == carried(network)
    assert carried(network) != carried(network, seed=1)


def test_both_ways_are_alike_unless_it_is_said() -> None:
    assert any(not one for one in carried(Network(loss=0.3), back=True))
    assert all(carried(Network(loss=0.3, back=Link()), back=True))


def test_outages_and_handovers_let_nothing_pass_and_then_take_longer() -> None:
    network = Network(outages=(Break(at_s=1, seconds=0.5),), handovers=(Handover(at_s=3, gap_ms=200, longer_ms=40),))
    taken = carried(network, 5)
    lost = [0.02 * number for number, one in enumerate(taken) if not one]
    assert [one for one in lost if not (1 <= one < 1.5 or 3 <= one < 3.2)] == []
    assert len(lost) == 35
    assert taken[0] == pytest.approx([0.0])
    assert taken[-1] == pytest.approx([0.04])
    assert events_of(network) == [(1, 1.5), (3, 3.2)]


def test_stalls_hold_up_and_bursts_lose_in_rows() -> None:
    assert max(one[0] for one in carried(Network(stalls=Stalls(every_s=3, ms=150)))) == pytest.approx(0.15, abs=0.02)
    lost = [not one for one in carried(Network(bursts=BurstLoss(loss=0.1, length=5)), 400)]
    assert sum(lost) / sum(not one and two for one, two in pairwise(lost)) == pytest.approx(5, abs=0.7)


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_says_its_source_and_carries_speech(name: str) -> None:
    network = PRESETS[name]
    assert network.source
    taken = carried(network)
    assert sum(bool(one) for one in taken) > 0.9 * len(taken)


def test_severities_of_g1050_are_each_worse_than_the_one_before() -> None:
    severities = [PRESETS[f"g1050-{one}"] for one in "abcdefgh"]
    figures = [(one.delay_ms, one.jitter_ms, one.loss) for one in severities]
    assert figures == sorted(figures)
    assert (figures[0], figures[-1]) == ((4, 5, 0), (512, 500, 0.01))
    assert all("severity" in one.source for one in severities)
