"""The instruments of ``make voice``: what is known to be late, lost or missing is measured as such."""

import random
from itertools import pairwise

import numpy as np
import pytest
from glottis import AudioFrame
from glottis.contracts.codec import EncoderSettings
from glottis.lab.alignment import find_delays, longest_gap, moved
from glottis.lab.call import moment_of_phase
from glottis.lab.models import Bursts, Carrier, Disorder, Model, Outage, Spikes
from glottis.lab.samples import RATE, Samples
from glottis.lab.speech import Speech
from glottis.testing.impairments import Impairments
from support.audio import SPEECH, read_wav
from support.phone import installed_codec
from support.real_call import LINEAR

from benchmarks.voice.networks import CASES
from benchmarks.voice.noted import in_ticks, trace_of
from benchmarks.voice.receiver import BUFFER, Packet, play
from benchmarks.voice.report import Row, as_markdown_beside
from benchmarks.voice.score import Score
from benchmarks.voice.trial import call_gateway

RTP = b"\x80\x00" + bytes(10)
RTCP = b"\x80\xc9" + bytes(6)
FRAME = RATE // 50
BASE = 1000


def speech(seconds: float = 6.0) -> Samples:
    samples, rate = read_wav(SPEECH)
    assert rate == RATE
    return np.resize(samples.astype(np.int16), round(seconds * RATE))


def later(samples: Samples, delay: int) -> Samples:
    return np.concatenate([np.zeros(delay, np.int16), samples])


def packets(samples: Samples, transit: float = 0.0) -> list[Packet]:
    """One each 20 ms, from the moment at which its last sample is spoken."""
    encoder = LINEAR.create_encoder(EncoderSettings(RATE))
    return [
        Packet(
            (number + 1) * 0.02 + transit,
            BASE + number,
            FRAME * number,
            encoder.encode(samples[start:][:FRAME].tobytes()),
        )
        for number, start in enumerate(range(0, len(samples) - FRAME + 1, FRAME))
    ]


def heard(coming: list[Packet], seconds: float = 8.0) -> Samples:
    return play(coming, LINEAR, 0.0, seconds).samples


@pytest.mark.parametrize("delay", [0, 1, 777, 2400, 20000])
def test_a_known_delay_is_found_to_the_sample(delay: int) -> None:
    spoken = speech()
    assert set(find_delays(spoken, later(spoken, delay)).delays) == {delay}


def test_a_delay_that_changes_is_found_on_both_sides() -> None:
    spoken = speech()
    middle = len(spoken) // 2
    echo = np.concatenate([later(spoken[:middle], 1600), np.zeros(800, np.int16), spoken[middle:]])
    delays = find_delays(spoken, echo)
    assert delays.between(0, 2 * RATE) == 1600
    assert delays.between(4 * RATE, 6 * RATE) == 2400


def test_what_is_not_the_echo_is_not_found() -> None:
    spoken = speech()
    noise = np.random.default_rng(1).normal(0, 2000, len(spoken)).astype(np.int16)
    assert len(find_delays(spoken, noise).delays) == 0
    assert len(find_delays(spoken, np.zeros(len(spoken), np.int16)).delays) == 0


def test_an_echo_without_a_hole_has_no_gap() -> None:
    spoken = speech()
    echo = later(spoken, 1234) // 2
    assert longest_gap(spoken, echo, find_delays(spoken, echo)) == 0


@pytest.mark.parametrize("length", [0.2, 0.5, 2.0])
def test_the_length_of_a_hole_is_measured(length: float) -> None:
    spoken = speech()
    spoken += (np.random.default_rng(1).normal(0, 1000, len(spoken))).astype(np.int16)  # nothing is a pause
    echo = later(spoken, 2000)
    echo[3 * RATE : 3 * RATE + round(length * RATE)] = 0
    assert longest_gap(spoken, echo, find_delays(spoken, echo)) == pytest.approx(length, abs=0.06)


def test_a_piece_beyond_what_was_heard_is_silent() -> None:
    samples = np.arange(1, 5, dtype=np.int16)
    assert moved(samples, -2, 4).tolist() == [0, 0, 1, 2]
    assert moved(samples, 3, 3).tolist() == [4, 0, 0]
    assert moved(samples, 9, 2).tolist() == [0, 0]


@pytest.mark.parametrize("transit", [0.0, 0.1])
def test_a_packet_is_played_after_its_frame_its_transit_and_the_buffer(transit: float) -> None:
    spoken = speech()
    delays = find_delays(spoken, heard(packets(spoken, transit)))
    assert set(delays.delays) == {round((0.02 + transit + BUFFER) * RATE)}


def test_jitter_within_the_buffer_is_not_heard() -> None:
    coming = packets(speech())
    rng = random.Random(1)
    late = [packet._replace(arrived_at=packet.arrived_at + rng.uniform(0, 0.9 * BUFFER)) for packet in coming[1:]]
    assert np.array_equal(heard([coming[0], *late]), heard(coming))


def test_copies_are_not_heard() -> None:
    coming = packets(speech())
    copies = [packet._replace(arrived_at=packet.arrived_at + 1) for packet in coming]
    assert np.array_equal(heard(coming + copies), heard(coming))


def test_losses_move_nothing_that_comes_after_them() -> None:
    spoken = speech()
    coming = packets(spoken)
    whole, holed = heard(coming), heard(coming[:100] + coming[120:])
    after = round((120 * 0.02 + 0.02 + BUFFER) * RATE) + FRAME
    assert np.array_equal(whole[after:], holed[after:])
    silent_from, silent_to = round((2.0 + 0.02 + BUFFER + 0.12) * RATE), round((2.38 + 0.02 + BUFFER - 0.04) * RATE)
    assert not holed[silent_from:silent_to].any()


def test_a_stream_that_has_become_late_for_good_is_played_later() -> None:
    spoken = speech()
    coming = packets(spoken)
    late = [packet._replace(arrived_at=packet.arrived_at + 0.3) for packet in coming[150:]]
    delays = find_delays(spoken, heard(coming[:150] + late))
    assert delays.between(0, 2 * RATE) == round((0.02 + BUFFER) * RATE)
    assert delays.between(4 * RATE, 6 * RATE) == round((0.32 + BUFFER) * RATE)


def losses(model: Model, count: int = 20000) -> list[bool]:
    rng = random.Random(1)
    return [not model.arrivals(0.02 * number, rng) for number in range(count)]


def test_bursts_are_as_long_and_as_many_as_they_say() -> None:
    lost = losses(Bursts(0.1, mean_length=4))
    bursts = sum(not one and other for one, other in pairwise(lost))
    assert sum(lost) / len(lost) == pytest.approx(0.1, abs=0.01)
    assert sum(lost) / bursts == pytest.approx(4, abs=0.4)


def test_a_spike_holds_up_what_comes_in_it_until_its_end() -> None:
    spikes, rng = Spikes(period=3.0, length=0.15), random.Random(1)
    assert spikes.arrivals(1.4, rng) == [1.4]
    assert spikes.arrivals(1.5, rng) == pytest.approx([1.65])
    assert spikes.arrivals(1.64, rng) == pytest.approx([1.65])
    assert spikes.arrivals(1.66, rng) == [1.66]
    assert spikes.arrivals(4.55, rng) == pytest.approx([4.65])


def test_an_outage_lets_nothing_pass_while_it_lasts() -> None:
    lost = losses(Outage(begins_at=11.0, length=2.0), 1000)
    assert (lost.index(True), sum(lost)) == (550, 100)


def test_disorder_loses_nothing() -> None:
    model, rng = Disorder(0.1, lag=0.03), random.Random(1)
    arrivals = [model.arrivals(0.02 * number, rng) for number in range(5000)]
    assert sum(len(copies) == 2 for copies in arrivals) == pytest.approx(500, abs=60)
    assert sum(later < earlier for (earlier, *_), (later, *_) in pairwise(arrivals)) == pytest.approx(450, abs=60)


def test_what_else_goes_by_a_network_does_not_change_what_media_meets() -> None:
    def fates(between: int) -> list[int]:
        carrier = Carrier(lambda: Impairments(loss=0.5), "1 up")
        carrier.begin(7.0)
        fates = []
        for _ in range(200):
            fates.append(len(carrier.arrivals(RTP, 7.0)))
            for _ in range(between):
                carrier.arrivals(RTCP, 7.0)
        return fates

    assert fates(0) == fates(3)
    assert 70 < sum(fates(0)) < 130


def test_a_network_is_perfect_before_media_begins() -> None:
    carrier = Carrier(lambda: Outage(0.0, 100.0), "1 up")
    assert carrier.arrivals(RTP, 5.0) == [5.0]
    carrier.begin(6.0)
    assert carrier.arrivals(RTP, 6.0) == []


def test_cases_can_be_told_by_their_names() -> None:
    titles = [case.title for case in CASES]
    assert len(set(titles)) == len(titles)


def test_stacks_stand_beside_each_other_in_the_cases_that_all_were_tried_with() -> None:
    clean, lossy = CASES[:2]
    scores = [Score(pesq, 0.98, 0.1021, 0.14, 0.04, gap, 36) for pesq, gap in ((4.17, 0.0), (1.07, 0.58))]
    tables = {"one": [Row(clean, scores[:1]), Row(lossy, scores[:1])], "other": [Row(clean, scores[1:])]}
    assert as_markdown_beside(tables).splitlines() == [
        "| network | towards | one | other |",
        "|---|---|---|---|",
        "| clean |  | 4.17, 102 ms | 1.07, 102 ms, gap 580 |",
    ]


@pytest.mark.slow
def test_a_call_is_the_same_for_the_same_seed_and_brings_back_what_was_said() -> None:
    spoken = speech(3.0)
    case = next(case for case in CASES if case.title == "loss 10 % up")
    calls = [call_gateway(case, seed, Speech(spoken, ((0, len(spoken)),))) for seed in (1, 1, 2)]
    first, again, other = ([packet.payload for packet in call.packets] for call in calls)
    assert first == again != other
    played = play(calls[0].packets, installed_codec("opus"), calls[0].began_at, calls[0].seconds)
    delays = find_delays(spoken, played.samples)
    assert 0.1 < delays.between(0, len(spoken)) / RATE < 0.2
    assert longest_gap(spoken, played.samples, delays) < 0.1


def test_what_is_heard_late_is_put_where_it_was_due() -> None:
    """Ticks at 1.005 s and each 20 ms later: one is 3 ms late, one 12, and after the next the machine is away."""
    moments = (1.005, 1.028, 1.045, 1.077, 1.085, 1.147, 1.165)
    ticks = in_ticks([(at, AudioFrame(bytes(640), RATE)) for at in moments])
    assert [round(at, 3) for at, _ in ticks.due] == [1.005, 1.025, 1.045, 1.065, 1.085, 1.145, 1.165]
    assert [round(late, 3) for late in ticks.lateness] == [0, 0.003, 0, 0.012, 0, 0.002, 0]
    assert ticks.missed == 2


def test_a_trace_tells_how_late_packets_were_since_they_were_due() -> None:
    """Sent late, held up and lost; one of 40 ms, which is due with its end; and one early, by another clock."""
    sent = [(65534, 0), (65535, 960), (0, 1920), (1, 2880), (2, 4800)]
    trace = trace_of(sent, {65534: 1.004, 65535: 1.12, 1: 1.09, 2: 1.0999}, due_at=1.0, clock_rate=48000)
    assert trace.sent == pytest.approx([0.0, 0.02, 0.04, 0.08, 0.1])
    assert [delay if delay is None else round(delay, 4) for delay in trace.delays] == [0.004, 0.1, None, 0.01, 0.0]


@pytest.mark.parametrize("now", [0.0, 0.004, 7.0301])
def test_a_speaker_begins_in_the_phase_of_its_seed(now: float) -> None:
    phase = moment_of_phase(3, 0.0)
    assert 0 <= phase < 0.02
    begins = moment_of_phase(3, now)
    assert now <= begins < now + 0.02
    assert round((begins - phase) / 0.02, 6) % 1 == 0
