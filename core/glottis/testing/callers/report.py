"""What has become of the callers' conversations."""

from statistics import median

from msgspec import Struct, field

from glottis.testing.callers.steps import Done
from glottis.testing.callers.turns import Turn


class Written(Struct, frozen=True, kw_only=True):
    """A text that came, in seconds since media began; an event is its JSON."""

    at_s: float
    text: str


class CallReport(Struct, frozen=True, kw_only=True):
    """Of one caller."""

    caller: int
    seed: int
    turns: list[Turn]
    steps: list[Done]
    seconds: float
    ended: str
    error: str = ""
    """What the agent has raised."""
    texts: list[Written] = field(default_factory=list)
    """By the agent."""

    @property
    def problems(self) -> list[str]:
        """A sentence each; none if all was as expected."""
        unmet = [f"{step.step}: {step.problem}" for step in self.steps if step.problem]
        return [*unmet, *([f"the agent failed: {self.error}"] if self.error else [])]


class Report(Struct, frozen=True, kw_only=True):
    """Of all callers; ``str`` shows it to people."""

    agent: str
    calls: tuple[CallReport, ...]

    @property
    def ok(self) -> bool:
        """Whether all expectations were met, and no agent has failed."""
        return not any(call.problems for call in self.calls)

    @property
    def answers_ms(self) -> list[float]:
        """From the end of speech to the first sound of each answer."""
        return [turn.answer_ms for call in self.calls for turn in call.turns if turn.answer_ms is not None]

    @property
    def barge_ins_ms(self) -> list[float]:
        """From the beginning of each interruption to the agent's silence."""
        return [turn.barge_in_ms for call in self.calls for turn in call.turns if turn.barge_in_ms is not None]

    @property
    def word_error_rates(self) -> list[float]:
        """Of all that was to be understood."""
        steps = [step for call in self.calls for step in call.steps]
        return [step.word_error_rate for step in steps if step.word_error_rate is not None]

    def __str__(self) -> str:
        return "\n".join([*(line for call in self.calls for line in _lines(call)), *self._sums()])

    def _sums(self) -> list[str]:
        sums = []
        for name, values in (("answers after", self.answers_ms), ("barge-in", self.barge_ins_ms)):
            if values:
                sums.append(f"{name}: median {median(values):.0f} ms, worst {max(values):.0f} ms, of {len(values)}")
        if rates := self.word_error_rates:
            sums.append(f"word error rate: mean {sum(rates) / len(rates):.3f}, of {len(rates)}")
        failed = sum(bool(call.problems) for call in self.calls)
        return [*sums, f"{len(self.calls)} calls with {self.agent}: {failed} not as expected"]


def _lines(call: CallReport) -> list[str]:
    lines = [f"caller {call.caller}, seed {call.seed}: {call.seconds:.1f} s, {call.ended}"]
    for turn in call.turns:
        lines.append(f"  {turn.start_s:7.2f} – {turn.end_s:6.2f}  {turn.speaker:6}  {_times(turn)}".rstrip())
    for step in call.steps:
        told = f"NOT SO: {step.problem}" if step.problem else f"came: {step.came}" if step.came else "done"
        lines.append(f"  {step.end_s:7.2f}  {step.step}: {told}")
    return [*lines, *([f"  the agent failed: {call.error}"] if call.error else [])]


def _times(turn: Turn) -> str:
    answer = f"answers after {turn.answer_ms:.0f} ms" if turn.answer_ms is not None else ""
    barge_in = f"interrupts; silence after {turn.barge_in_ms:.0f} ms" if turn.barge_in_ms is not None else ""
    return answer or barge_in
