"""Two runs: what is really different is said, and what may be chance is not."""

import random
from dataclasses import dataclass

import msgspec
import pytest
from glottis.contracts.errors import ConfigurationError
from glottis.lab.comparison import Verdict, compare, in_one_line
from glottis.lab.measures import Measures
from glottis.lab.results import Results, Row
from glottis.lab.trial import Result

PLAIN = Measures(
    pesq=3.0,
    stoi=0.95,
    delay_ms=80.0,
    delay_p95_ms=90.0,
    delay_max_ms=100.0,
    gap_ms=0.0,
    back_after_ms=None,
    lost=0.1,
    late=0.0,
    concealed=0.02,
    recovered_fec=0.05,
    recovered_red=0,
    sent_again=0,
    kbits=40.0,
)


@dataclass
class Run:
    """``spread`` is how much PESQ is a matter of the seed, ``noise`` how much of chance besides."""

    pesq: float = 3.0
    delay_ms: float | None = 80.0
    spread: float = 0.3
    noise: float = 0.02
    codec: str = "opus"
    networks: tuple[str, ...] = ("loss 0.1", "loss 0.2")
    seeds: int = 5

    def results(self) -> Results:
        rows = []
        for network in self.networks:
            for seed in range(self.seeds):
                chance = random.Random(f"{network} {seed}").uniform(-self.spread, self.spread)
                chance += random.Random(f"{network} {seed} {self.codec} {self.pesq}").uniform(-self.noise, self.noise)
                labels = {
                    "speech": "a.wav",
                    "codec": self.codec,
                    "delay": "fixed",
                    "protection": "fec",
                    "agent": "none",
                }
                measures = msgspec.structs.replace(PLAIN, pesq=self.pesq + chance, delay_ms=self.delay_ms)
                result = Result(labels={**labels, "network": network, "seed": str(seed)}, measures=measures)
                rows.append(Row(key=f"{network} {seed}", result=result))
        return Results(name="run", rows=tuple(rows))


def verdicts(before: Run, after: Run) -> dict[str, Verdict]:
    return {one.measure: one.verdict for one in compare(before.results(), after.results())}


def test_a_run_is_neither_better_nor_worse_than_itself() -> None:
    differences = compare(Run().results(), Run().results())
    assert {one.verdict for one in differences} == {Verdict.NEITHER}
    assert in_one_line(differences) == "neither better nor worse"


def test_what_is_better_with_each_seed_is_better_however_much_seeds_differ() -> None:
    found = verdicts(Run(), Run(pesq=3.1, delay_ms=95.0))
    assert (found["pesq"], found["delay_ms"], found["kbits"]) == ("better", "worse", "neither")
    differences = compare(Run().results(), Run(pesq=3.1, delay_ms=95.0).results())
    assert in_one_line(differences) == "better: pesq; worse: delay_ms"
    assert str(differences[0]).startswith("pesq: better (")


def test_what_may_be_chance_is_rarely_taken_for_more() -> None:
    """Of thirty runs that are the same but for chance."""
    others = [Run(noise=0.5, codec=f"the same {number}") for number in range(30)]
    found = [verdicts(Run(noise=0.5), other)["pesq"] for other in others]
    assert found.count(Verdict.NEITHER) >= 24


def test_a_difference_that_nobody_hears_is_neither() -> None:
    assert verdicts(Run(noise=0), Run(pesq=3.01, noise=0))["pesq"] is Verdict.NEITHER


def test_two_pairs_prove_nothing() -> None:
    one_seed = Run(networks=("loss 0.1",), seeds=2)
    assert verdicts(one_seed, Run(pesq=4.0, networks=("loss 0.1",), seeds=2))["pesq"] is Verdict.NEITHER


def test_what_was_changed_need_not_have_the_same_name() -> None:
    assert verdicts(Run(), Run(pesq=2.5, codec="PCMU"))["pesq"] is Verdict.WORSE


def test_only_conditions_of_both_are_compared() -> None:
    [pesq, *_] = compare(Run().results(), Run(networks=("loss 0.2", "clean")).results())
    assert pesq.pairs == 5
    with pytest.raises(ConfigurationError, match="no conditions in common"):
        compare(Run().results(), Results(name="empty", rows=()))
