"""The rules of agents, tried in calls without a network, on virtual time."""

import gc
import sys
import weakref
from functools import partial
from itertools import pairwise
from typing import Final

import trio
from trio.lowlevel import Task

from glottis.contracts.audio import FRAMES_MS
from glottis.contracts.call import AgentSpec, BytesMessage, CampaignInfo, TextMessage
from glottis.contracts.events import Interrupted, OtherEvent, Resumed
from glottis.testing.fake_call import FakeCall
from glottis.testing.rules.awaits import Place, Steps, place_of, told
from glottis.testing.rules.conversation import AGENT_RATES, Script, converse, hold, silence, speech, talk
from glottis.testing.rules.leftovers import Held, expect_ended
from glottis.testing.rules.rule import Broken, NotTried, expect, rules_of
from glottis.testing.rules.subject import Subject, check_description
from glottis.testing.rules.thread_time import LONGEST_STEP_MS, ThreadTime
from glottis.testing.rules.trial import give_up, run_trial

AgentSubject = Subject[AgentSpec]

_MAX_PLACES: Final = 60
"""Where a call is hung up: an agent that waits in more places than this is tried in the first ones."""
_MAX_STEPS_PER_SECOND: Final = 2000
"""Of a caller who says nothing: 50 frames come in a second, and nobody needs forty steps for one."""
_MAX_TASKS_GROWN: Final = 32
_MAX_OBJECTS_KEPT: Final = 100
"""Of each call that is over: who keeps a line about each in a list has less, and who keeps its frames has more."""


def check_conversation(subject: AgentSubject) -> None:
    """A usual call."""
    converse(subject, talk)


def check_cancellation(subject: AgentSubject) -> None:
    """First see where its tasks wait, then hang up in each of these places."""
    places: dict[Place, None] = {}
    steps = Steps(lambda task: places.setdefault(place_of(task)))
    converse(subject, talk, steps=steps)
    for place in [place for place in places if place][:_MAX_PLACES]:
        _hang_up_at(subject, place)


def _hang_up_at(subject: AgentSubject, place: Place) -> None:
    def hang_up(task: Task) -> None:
        if place_of(task) == place:
            steps.hang_up()

    steps = Steps(hang_up)
    try:
        converse(subject, talk, steps=steps)
    except Broken as broken:
        raise Broken(f"hung up at {told(place)}: {broken}") from None


def check_leaves_nothing(subject: AgentSubject) -> None:
    """Of calls that are over."""
    a_call = partial(hold, subject.make(), settings=subject.told_settings(), sample_rate=subject.spec.sample_rate)
    calls: list[weakref.ref[FakeCall]] = []

    async def remembered(call: FakeCall) -> None:
        calls.append(weakref.ref(call))
        await talk(call)

    async def scenario() -> None:
        await a_call(talk)
        before = Held.now()
        objects = [sys.getallocatedblocks()]
        for _ in range(3):
            await a_call(remembered)
            gc.collect()
            objects.append(sys.getallocatedblocks())
        await expect_ended(before, "three calls have")
        kept = sum(call() is not None for call in calls)
        expect(not kept, f"{kept} of three calls that are over are kept in memory: forget them when they end")
        least = min(after - before for before, after in pairwise(objects))
        expect(least <= _MAX_OBJECTS_KEPT, f"each call leaves {least} objects in memory: forget them when it ends")

    run_trial(scenario)


def check_back_pressure(subject: AgentSubject) -> None:
    """The way to the caller stands still, and what is said waits: so must the agent."""
    grown: list[int] = []

    async def wait_for_nobody(call: FakeCall) -> None:
        await silence(call, 0.3)
        await speech(call, 1.0)
        await silence(call, 1.0)
        call.line_breaks()
        await trio.sleep(5)
        before = trio.lowlevel.current_statistics().tasks_living
        for _ in range(20):
            call.caller_writes(TextMessage("are you there?"))
            await trio.sleep(1)
        grown.append(trio.lowlevel.current_statistics().tasks_living - before)
        call.line_mends()
        await silence(call, 0.5)

    converse(subject, wait_for_nobody)
    expect(
        all(count <= _MAX_TASKS_GROWN for count in grown),
        f"while the caller heard nothing for 20 s, {max(grown, default=0)} tasks have piled up: wait in say",
    )


def check_barge_in(subject: AgentSubject) -> None:
    """Who speaks has to go on hearing: else the caller cannot interrupt."""
    dropped: list[int] = []

    async def speak_at_once(call: FakeCall) -> None:
        await silence(call, 0.5)
        await speech(call, 1.0)
        await silence(call, 1.0)
        for _ in range(5):
            await speech(call, 1.0)
            await silence(call, 0.2)
        dropped.append(call.dropped.audio + call.dropped.turns)

    converse(subject, speak_at_once)
    expect(
        not sum(dropped),
        f"{sum(dropped)} frames of a caller who spoke with it were dropped: read call.audio while something is said",
    )


def check_hang_up(subject: AgentSubject) -> None:
    """The caller has enough, in the middle of what the agent says, if it says anything."""

    async def listen_and_leave(call: FakeCall) -> None:
        await speech(call, 0.5)
        for _ in range(100):
            if call.is_speaking:
                break
            await silence(call, 0.04)

    converse(subject, listen_and_leave)


def check_floods(subject: AgentSubject) -> None:
    """More than anybody reads, of everything, and none of it as expected."""
    texts = ["", "\0", "é" * 20_000, "{}", '{"type": 7}', "null", "[[]]", "-1", "\u202e\U0001f600"]
    converse(subject, _flood_with(texts))


def _flood_with(texts: list[str]) -> Script:
    async def flood(call: FakeCall) -> None:
        await silence(call, 0.2)
        for index in range(500):
            call.caller_writes(TextMessage(texts[index % len(texts)], "chat"))
            call.caller_writes(BytesMessage(bytes(index), "chat"))
            call.event_happens(OtherEvent("flood", {"index": index}))
        await call.caller_presses("0123456789*#ABCD" * 3, duration=0.05, gap=0.03)
        call.event_happens(Interrupted())
        call.event_happens(Resumed())
        await silence(call, 2.0)

    return flood


def check_silence(subject: AgentSubject) -> None:
    """A caller who sends silence, then one who sends nothing."""
    count = 0

    def counted(task: Task) -> None:
        nonlocal count
        count += 1
        if count > _MAX_STEPS_PER_SECOND * (1 + trio.current_time()):
            give_up(
                f"takes more than {_MAX_STEPS_PER_SECOND} steps a second while nothing happens: "
                "wait for what is to come, instead of looking for it"
            )

    async def say_nothing(call: FakeCall) -> None:
        await silence(call, 10)
        await trio.sleep(20)

    converse(subject, say_nothing, steps=Steps(counted))


def check_rates(subject: AgentSubject) -> None:
    """Each that a campaign may have; who can do only one says so in ``create``."""
    for rate in AGENT_RATES:
        try:
            subject.make_for(CampaignInfo("campaign", rate))
        except NotTried:
            if rate == subject.spec.sample_rate:
                raise
            continue  # refused by a ConfigurationError: an operator is told in time
        try:
            converse(subject, talk, sample_rate=rate)
        except Exception as error:
            error.add_note(f"at {rate} Hz")
            raise


def check_frames(subject: AgentSubject) -> None:
    """Of each length that a campaign may have."""
    for frame_ms in FRAMES_MS:
        try:
            subject.make_for(CampaignInfo("campaign", subject.spec.sample_rate, frame_ms=frame_ms))
        except NotTried:
            if frame_ms == subject.spec.frame_ms:
                raise
            continue
        try:
            converse(subject, talk, frame_ms=frame_ms)
        except Exception as error:
            error.add_note(f"with frames of {frame_ms} ms")
            raise


def check_transports(subject: AgentSubject) -> None:
    """By WebSocket there are no data channels."""
    converse(subject, talk, transport="WebRTC")
    converse(subject, talk, transport="WebSocket")


def check_yields(subject: AgentSubject) -> None:
    """No step of its tasks takes long: neither computing nor sleeping. Tried again, since others may have disturbed."""
    longest = min((_longest_step(subject) for _ in range(3)), key=lambda step: step[0])
    expect(
        longest[0] <= LONGEST_STEP_MS,
        f"holds up all calls for {longest[0]:.0f} ms before {longest[1]}: move that into trio.to_thread.run_sync",
    )


def _longest_step(subject: AgentSubject) -> tuple[float, str]:
    longest = (0.0, "")
    began = ThreadTime.now()

    class Timed(Steps):
        def before_task_step(self, task: Task) -> None:
            nonlocal began
            began = ThreadTime.now()

    def stepped(task: Task) -> None:
        nonlocal longest
        spent = ThreadTime.now().since(began)
        if spent > longest[0]:
            longest = spent, told(place_of(task))

    converse(subject, talk, steps=Timed(stepped))
    return longest


AGENT_RULES: Final = rules_of(
    "agent",
    ("description", "the specification can be used, and makes an agent", check_description),
    ("conversation", "a usual call goes by without an error", check_conversation),
    ("cancellation", "wherever it waits, a caller who hangs up ends it within a second", check_cancellation),
    (
        "leaves-nothing",
        "calls that are over leave no task, thread, process, file or memory behind",
        check_leaves_nothing,
    ),
    ("back-pressure", "while the caller hears nothing, nothing piles up", check_back_pressure),
    ("barge-in", "it hears the caller while it speaks", check_barge_in),
    ("hang-up", "a caller who hangs up while it speaks ends it within a second", check_hang_up),
    ("floods", "floods of odd messages, keys and events do not end it", check_floods),
    ("silence", "half a minute of silence costs next to nothing", check_silence),
    ("rates", "it works at each sample rate, or refuses it at start-up", check_rates),
    ("frames", "it works with frames of each length, or refuses them at start-up", check_frames),
    ("transports", "it works by WebRTC and by WebSocket", check_transports),
    ("yields", "it never holds up other calls", check_yields),
)
