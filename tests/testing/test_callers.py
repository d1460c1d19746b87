"""Callers who follow a script: what they say is heard, what they expect is judged, and turns are timed."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
import trio
import trio.lowlevel
from glottis import AudioFrame, Call, ConfigurationError, LocalError
from glottis.audio import level_dbfs
from glottis.testing import Impairments, Report, Step, VirtualNetwork, try_agent, voice
from glottis.testing.callers.turns import Spells, turns_of
from glottis.testing.callers.words import word_error_rate
from glottis.wire.address import Datagram
from glottis_conversation import Transcript

PATIENT_MS = 200
"""Of silence, after which the agent answers."""
RATE = 8000
HELLO = Step(say=voice(0.6, RATE))
QUICK: dict[str, Any] = {"codec": "PCMU", "sample_rate": RATE, "patience_s": 5}


async def polite(call: Call) -> None:
    """Answers after a silence, and stops when it is interrupted."""
    quiet = None
    async for frame in call.audio:
        if level_dbfs(frame) > -40:
            quiet = 0
            call.flush()
        elif quiet is not None:
            quiet += call.frame_ms
            if quiet == PATIENT_MS:
                call.start_saying(voice(2.0, call.sample_rate))


def tried(*steps: Step, agent: Any = polite, **options: Any) -> Report:
    return try_agent(agent, *steps, **{**QUICK, **options})


def test_answers_and_barge_ins_are_timed() -> None:
    report = tried(
        HELLO, Step(interrupt=voice(0.6, RATE), after_s=0.4), Step(expect_sound=True), Step(expect_silence_s=1)
    )
    assert report.ok, report
    [call] = report.calls
    assert [turn.speaker for turn in call.turns] == ["caller", "agent", "caller", "agent"]
    assert all(PATIENT_MS <= answer <= PATIENT_MS + 150 for answer in report.answers_ms), report
    assert len(report.answers_ms) == 2
    [barge_in] = report.barge_ins_ms
    assert 0 < barge_in < 200, report
    assert "answers after: median" in str(report)


def test_an_experiment_is_the_same_each_time_and_another_with_another_seed() -> None:
    def network(seed: int) -> VirtualNetwork:
        return VirtualNetwork(seed, Impairments(loss=0.1, delay=0.05, jitter=0.08))

    steps = (HELLO, Step(expect_sound=True), Step(expect_silence_s=0.5))
    first = tried(*steps, callers=2, network=network)
    assert first == tried(*steps, callers=2, network=network)
    assert first.calls[0].turns != first.calls[1].turns
    assert min(first.answers_ms) > PATIENT_MS + 100, "both ways take their time"


async def chatty(call: Call) -> None:
    """Sends back texts, and repeats keys."""

    async def keys() -> None:
        async for key in call.dtmf:
            await call.send_dtmf(key.digit)

    call.nursery.start_soon(keys)
    async for message in call.messages:
        await call.send_text(f"you said {message}")
        if "bye" in str(message):
            call.hang_up("bye")


def test_texts_keys_and_the_end_of_the_call_are_expected() -> None:
    report = tried(
        Step(write="hello"),
        Step(expect_text="you .*hello"),
        Step(press="12#"),
        Step(expect_digits="12#"),
        Step(write="bye"),
        Step(expect_end=True),
        agent=chatty,
    )
    assert report.ok, report
    assert report.calls[0].ended == "the agent has hung up: bye"


async def silent(call: Call) -> None:
    await trio.sleep_forever()


async def broken(call: Call) -> None:
    async for _ in call.audio:
        raise LookupError("no answer")


async def short(call: Call) -> None:
    await call.say(voice(0.2, call.sample_rate))


@pytest.mark.parametrize(
    ("agent", "step", "problem"),
    [
        (silent, Step(expect_sound=True), "expect_sound true: nothing was heard of the agent within 5 s"),
        (
            silent,
            Step(interrupt=voice(0.2, RATE)),
            "interrupt 0.2 s of sound: the agent has not spoken so long within 5 s",
        ),
        (silent, Step(expect_text="a", within_s=1), 'expect_text "a": no such text came, but [] within 1 s'),
        (silent, Step(expect_digits="1", within_s=1), "expect_digits \"1\": the agent has pressed '' within 1 s"),
        (silent, Step(expect_end=True, within_s=1), "expect_end true: the agent goes on"),
        (short, Step(expect_sound=False, within_s=1), "expect_sound false: the agent has returned meanwhile"),
        (short, Step(wait_s=2), "wait_s 2: the agent has returned meanwhile"),
        (broken, Step(expect_text="a"), 'expect_text "a": the agent has failed, before that'),
    ],
)
def test_what_does_not_come_about_is_said_after_the_patience(agent: Any, step: Step, problem: str) -> None:
    report = tried(step, HELLO, agent=agent)
    assert not report.ok
    assert report.calls[0].problems[0] == problem
    assert len(report.calls[0].steps) == 1
    assert ("LookupError: no answer" in str(report)) is (agent is broken)


@pytest.mark.parametrize(
    ("step", "options", "problem"),
    [
        ({}, {}, "say: expected this, or another of say, interrupt"),
        ({"press": "1", "write": "a"}, {}, "write: is one step, and press another"),
        ({"press": "x"}, {}, "press: "),
        ({"expect_text": "("}, {}, "expect_text: is no regular expression"),
        ({"expect_words": "hello"}, {}, "expect_words: needs a recogniser"),
        ({"expect_words": "hello"}, {"recogniser": "nobody"}, "recogniser: no installed component .*'nobody'"),
        ({"say": "none.wav"}, {}, "none.wav: cannot be read: No such file"),
        ({"say": __file__}, {}, "test_callers.py: expected a WAV file"),
        ({"say": voice(0.1)}, {}, "say: has 16000 Hz, and the call 8000: resample it"),
        ({"wait_s": 1}, {"agent": "nobody"}, "agent: .*nobody"),
        ({"wait_s": 1}, {"agent": "echo", "settings": {"speed": 1}}, "settings.speed"),
        ({"wait_s": 1}, {"codec": "nothing"}, "codec: .*nothing"),
    ],
)
def test_what_cannot_be_tried_is_refused(step: dict[str, Any], options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        tried(Step(**step), **options)


class Counting:
    """A recogniser: understands a word for each second."""

    async def transcribe(self, audio: AsyncIterator[AudioFrame]) -> AsyncIterator[Transcript]:
        seconds = sum([frame.duration async for frame in audio if level_dbfs(frame) > -40])
        yield Transcript("not yet", is_final=False)
        yield Transcript(" ".join(["word"] * int(seconds)))


@pytest.mark.parametrize(("words", "rate"), [("Word, word.", 0), ("word word next word", 0.5)])
def test_what_the_agent_says_is_understood_and_its_word_error_rate_measured(words: str, rate: float) -> None:
    report = tried(HELLO, Step(expect_words=words, word_errors=0.2), recogniser=Counting())
    assert report.ok is (rate == 0), report
    assert report.word_error_rates == [rate]
    assert f"word error rate: mean {rate:.3f}" in str(report)


def test_turns_are_told_apart_by_pauses() -> None:
    said, listened = Spells(), Spells()
    for spells, times in ((said, [(0, 1), (1.1, 2), (5, 6)]), (listened, [(2.5, 5.25), (6.5, 7), (7.5, 8)])):
        for start, end in times:
            spells.add(start, end, -20)
    listened.add(9, 10, -70)
    turns = turns_of(said, listened, 0)
    assert [(turn.speaker, turn.start_s, turn.answer_ms, turn.barge_in_ms) for turn in turns] == [
        ("caller", 0, None, None),
        ("agent", 2.5, 500, None),
        ("caller", 5, None, 250),
        ("agent", 6.5, 500, None),
        ("agent", 7.5, None, None),
    ]


@pytest.mark.parametrize(
    ("reference", "understood", "rate"),
    [
        ("we open at nine", "We open at nine.", 0),
        ("we open at nine", "we open nine", 0.25),
        ("we open at nine", "we hope and at mine", 0.75),
        ("yes", "no no", 2),
        ("", "", 0),
        ("", "a", 1),
    ],
)
def test_word_errors_are_edits_of_words(reference: str, understood: str, rate: float) -> None:
    assert word_error_rate(reference, understood) == rate


async def deaf(call: Call) -> None:
    """Cannot be cancelled."""
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()


async def restless(call: Call) -> None:
    """Lets no time pass."""
    while True:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize(
    ("agent", "sentence"),
    [(deaf, "the agent has not ended within 1 s: let"), (restless, "the agent goes on and on without letting time")],
)
def test_an_agent_that_would_hold_up_the_test_is_given_up(agent: Any, sentence: str) -> None:
    with pytest.raises(LocalError, match=sentence):
        tried(HELLO, agent=agent)


class Outage(VirtualNetwork):
    """Nothing passes from the fifth second on."""

    def arrivals(self, datagram: Datagram) -> Iterable[float]:
        return [self.now] if self.now < 5 else []


def test_a_connection_that_is_lost_is_not_the_agents_fault() -> None:
    report = tried(Step(wait_s=100), agent=silent, network=Outage)
    [call] = report.calls
    assert call.ended.startswith("the connection is lost: ")
    assert call.problems == [f"wait_s 100: {call.ended} meanwhile"]
