import pytest
import trio
import trio.testing
from glottis import AudioFrame, Component, TextMessage, TypedMessage
from glottis.testing import AgentContract, ComponentContract, fake_call
from glottis.testing.fake_call import FakeCall
from glottis_conversation import ConversationConfig, ToolCall, conversation, register_agents, register_components
from support.talking import RATE, Ear, Mind, Mouth, settings, silence, speech


@pytest.mark.slow
class TestAgentContract(AgentContract):
    (spec,) = register_agents()
    settings = settings(
        None,
        llm=Component("mind", lambda: Mind("Yes. Indeed.")),
        stt=Component("ear", lambda: Ear(["Well?"] * 50)),  # each keeps what it has heard
        tts=Component("mouth", Mouth),
        greeting="Hello there.",
    )


@pytest.mark.slow
class TestComponentContract(ComponentContract):
    (spec,) = register_components()


def seconds_heard(call: FakeCall) -> float:
    return sum(map(bool, memoryview(call.heard_pcm).cast("h"))) / RATE


def states(call: FakeCall, whose: str = "agent_state") -> list[str]:
    return [data["state"] for name, data in call.sent_events if name == whose]


def transcripts(call: FakeCall, role: str) -> list[tuple[str, bool]]:
    """Those that are final, each with whether it was interrupted."""
    said = [data for name, data in call.sent_events if name == "transcript" and data["role"] == role]
    return [(data["text"], data.get("interrupted", False)) for data in said if data["final"]]


async def test_a_caller_is_understood_and_answered(autojump_clock: trio.testing.MockClock) -> None:
    mind, mouth = Mind(["It is ", "five o'clock. Any", "thing else?"]), Mouth()
    async with fake_call(conversation(settings(mind, ear=Ear(["What time is it?"]), mouth=mouth))) as call:
        await call.caller_speaks(silence(0.5) + speech(1) + silence(4))
    assert mouth.texts == ["It is five o'clock.", "Anything else?"]
    assert seconds_heard(call) == pytest.approx(33 * 0.05, abs=0.04)
    assert states(call) == ["listening", "thinking", "speaking", "listening"]
    assert states(call, "caller_state") == ["speaking", "silent"]
    assert transcripts(call, "user") == [("What time is it?", False)]
    assert transcripts(call, "agent") == [("It is five o'clock. Anything else?", False)]
    assert [(each.role, each.text) for each in mind.histories[0]] == [("user", "What time is it?")]


async def test_how_long_a_caller_waits_is_told_part_by_part(autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind([0.2, "Five.", ""])
    async with fake_call(conversation(settings(mind, ear=Ear(["Time?"]), mouth=Mouth()))) as call:
        await call.caller_speaks(silence(0.5) + speech(1) + silence(4))
    [turn] = [data for name, data in call.sent_events if name == "turn"]
    assert turn["parts"] == {"stt": 100, "llm": 200, "tts": 50}
    assert turn["latencyMs"] == 750


async def test_partial_transcripts_are_told(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(conversation(settings(Mind("Yes."), ear=Ear(["Are you there?"]), mouth=Mouth()))) as call:
        await call.caller_speaks(silence(0.5) + speech(1) + silence(4))
    partial = [data["text"] for name, data in call.sent_events if name == "transcript" and not data["final"]]
    assert partial == ["Are", "Yes."]


async def test_speaking_begins_while_the_model_goes_on(autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind(["First of all, hello. ", "And", 60.0, " the rest."])
    config = settings(mind, ear=Ear(["Hi"]), mouth=Mouth(), patience=100.0)
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(3))
        assert seconds_heard(call) == pytest.approx(20 * 0.05, abs=0.04)


async def test_a_caller_who_speaks_interrupts_and_the_history_has_what_was_heard(
    autojump_clock: trio.testing.MockClock,
) -> None:
    mind = Mind("Our shop opens at nine. It closes at eight in the evening. Come and see.", "All right.")
    config = settings(mind, ear=Ear(["When are you open?", "Never mind."]), mouth=Mouth())
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(0.55) + silence(23 * 0.05 + 0.9))
        assert call.is_speaking
        await call.caller_speaks(speech(0.26))
        before = seconds_heard(call)
        await call.caller_speaks(speech(0.5))
        assert seconds_heard(call) - before <= 0.02
        await call.caller_speaks(silence(3))
    heard = "Our shop opens at nine. It closes at eight in"
    assert transcripts(call, "agent") == [(heard, True), ("All right.", False)]
    assert [(each.role, each.text) for each in mind.histories[1]] == [
        ("user", "When are you open?"),
        ("assistant", heard),
        ("user", "Never mind."),
    ]
    assert states(call)[-4:] == ["listening", "thinking", "speaking", "listening"]


async def test_a_client_interrupts_by_a_message(autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind("Our shop opens at nine. It closes at eight in the evening. Come and see.")
    async with fake_call(conversation(settings(mind, ear=Ear(["When are you open?"]), mouth=Mouth()))) as call:
        await call.caller_speaks(speech(1) + silence(0.55) + silence(23 * 0.05 + 0.9))
        assert call.is_speaking
        call.caller_writes(TypedMessage("interrupt", {"type": "interrupt"}, '{"type": "interrupt"}'))
        await call.caller_speaks(silence(3))
    assert transcripts(call, "agent") == [("Our shop opens at nine. It closes at eight", True)]
    assert len(mind.histories) == 1


@pytest.mark.parametrize(("length", "said"), [(0.1, ""), (0.15, "Mm-hm."), (0.2, "uh-huh, okay")])
async def test_a_cough_or_a_hum_does_not_interrupt(
    length: float, said: str, autojump_clock: trio.testing.MockClock
) -> None:
    mind = Mind("This is a long answer to a short question, which goes on.")
    async with fake_call(conversation(settings(mind, ear=Ear(["Well?", said]), mouth=Mouth()))) as call:
        await call.caller_speaks(speech(1) + silence(1) + speech(length) + silence(4))
    assert transcripts(call, "agent") == [("This is a long answer to a short question, which goes on.", False)]
    assert len(mind.histories) == 1


@pytest.mark.parametrize(("length", "interrupts"), [(0.04, False), (0.08, True)])
async def test_an_agent_is_silent_a_tenth_of_a_second_after_the_first_syllable(
    length: float, interrupts: bool, autojump_clock: trio.testing.MockClock
) -> None:
    default = ConversationConfig(llm=Component("mind")).interrupt_ms
    mind = Mind("This is a long answer to a short question, which goes on.")
    config = settings(mind, ear=Ear(["Well?", ""]), mouth=Mouth(), interrupt_ms=default)
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(1) + speech(length))
        before = seconds_heard(call)
        await call.caller_speaks(silence(0.2))
        assert (seconds_heard(call) == before) == interrupts


async def test_a_short_word_interrupts_when_it_was_understood(autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind("This is a long answer to a short question, which goes on and on.", "Yes?")
    async with fake_call(conversation(settings(mind, ear=Ear(["Well?", "Stop!"]), mouth=Mouth()))) as call:
        await call.caller_speaks(speech(1) + silence(1) + speech(0.2) + silence(4))
    assert transcripts(call, "agent")[0][1]
    assert transcripts(call, "agent")[1] == ("Yes?", False)


@pytest.mark.parametrize("said", ["", "Mm-hmm,", "Yeah. Okay, okay."])
async def test_an_agent_that_fell_silent_for_noise_or_a_hum_goes_on_where_it_was(
    said: str, autojump_clock: trio.testing.MockClock
) -> None:
    mind, mouth = Mind("Here is one thing. There is another thing."), Mouth()
    async with fake_call(conversation(settings(mind, ear=Ear(["Well?", said]), mouth=mouth))) as call:
        await call.caller_speaks(speech(1) + silence(1) + speech(0.3))
        before = seconds_heard(call)
        await call.caller_speaks(speech(0.2) + silence(0.4))
        assert seconds_heard(call) == before
        assert call.heard_pcm.endswith(silence(0.06))  # or browsers would draw out the last sound
        await call.caller_speaks(silence(4))
    assert transcripts(call, "agent") == [("Here is one thing. There is another thing.", False)]
    assert len(mouth.texts) == 2
    assert seconds_heard(call) == pytest.approx(42 * 0.05, abs=0.1)
    assert states(call)[2:] == ["speaking", "listening", "speaking", "listening"]
    assert len(mind.histories) == 1


async def test_one_who_hums_for_long_is_told_again_what_was_not_heard(autojump_clock: trio.testing.MockClock) -> None:
    mind, mouth = Mind("Here is one thing. There is another thing."), Mouth()
    async with fake_call(conversation(settings(mind, ear=Ear(["Well?", "Hmmm."]), mouth=mouth))) as call:
        await call.caller_speaks(speech(1) + silence(1) + speech(1.5) + silence(5))
    heard = [("Here is one", True), ("Here is one thing. There is another thing.", False)]
    assert transcripts(call, "agent") == heard
    assert len(mind.histories) == 1


@pytest.mark.parametrize(("said", "level"), [("Mm-hm.", 1.0), ("Stop.", 0.0)])
async def test_an_agent_can_be_softer_as_long_as_it_is_not_clear_whether_it_is_interrupted(
    said: str, level: float, autojump_clock: trio.testing.MockClock
) -> None:
    mind = Mind("This is a long answer to a short question, which goes on and on and on.", [5.0, "Yes?"])
    config = settings(mind, ear=Ear(["Well?", said]), mouth=Mouth(), while_unsure="soften")
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(1) + speech(0.4) + silence(0.2))
        soft = AudioFrame(call.heard_pcm[-640:], RATE)
        await call.caller_speaks(silence(0.4))
        before = len(call.heard_pcm)
        await call.caller_speaks(silence(0.1))
        after = AudioFrame(call.heard_pcm[before:] or bytes(2), RATE)
    assert max(soft.samples) == pytest.approx(1000, abs=1)
    assert max(after.samples) == pytest.approx(10000 * level, abs=1)


async def test_an_agent_can_speak_on_until_it_is_interrupted_for_sure(autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind("This is a long answer to a short question, which goes on and on and on and on.")
    config = settings(mind, ear=Ear(["Well?", ""]), mouth=Mouth(), while_unsure="speak")
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(1) + speech(0.98))
        before = len(call.heard_pcm)
        await call.caller_speaks(speech(0.5))
    assert (len(call.heard_pcm) - before) / 2 / RATE == pytest.approx(0.03, abs=0.021)


@pytest.mark.slow
async def test_one_who_goes_on_after_a_pause_is_answered_once(autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind("Certainly.")
    async with fake_call(
        conversation(settings(mind, ear=Ear(["I would like to", "book a table."]), mouth=Mouth()))
    ) as call:
        await call.caller_speaks(speech(1) + silence(1) + speech(1) + silence(3))
    assert [each.text for each in mind.histories[0]] == ["I would like to book a table."]
    assert len(mind.histories) == 1


@pytest.mark.slow
async def test_what_is_said_without_a_pause_is_understood_in_pieces(autojump_clock: trio.testing.MockClock) -> None:
    ear = Ear(["one,", "two,", "three"])
    async with fake_call(conversation(settings(Mind("Fine."), ear=ear, mouth=Mouth(), max_turn_seconds=4.0))) as call:
        await call.caller_speaks(speech(10) + silence(4))
    assert transcripts(call, "user") == [("one, two, three", False)]
    assert ear.heard_seconds[:2] == [pytest.approx(4), pytest.approx(4)]


async def test_texts_and_keys_are_answered_in_writing_without_parts_for_speech(
    autojump_clock: trio.testing.MockClock,
) -> None:
    mind = Mind("Hello there. How are you?", "Twelve!")
    async with fake_call(conversation(settings(mind, greeting="Write to me."))) as call:
        await trio.sleep(0.1)
        call.caller_writes(TextMessage("Hello"))
        await trio.sleep(1)
        await call.caller_presses("12#")
        await trio.sleep(1)
    assert [text for text, _ in call.sent_messages] == ["Write to me.", "Hello there.", "How are you?", "Twelve!"]
    assert transcripts(call, "user") == [("Hello", False), ("12", False)]


async def test_a_tool_is_run_and_its_result_told(autojump_clock: trio.testing.MockClock) -> None:
    async def opening_hours(day: str, week: int = 1) -> dict[str, int]:
        """When the shop is open."""
        return {"from": 9, "to": 20 if day == "Monday" else 18, "week": week}

    mind = Mind(["Let me see. ", ToolCall("opening_hours", {"day": "Monday"}, "7")], "From nine to eight.")
    agent = conversation(settings(mind, ear=Ear(["When?"]), mouth=Mouth()), [opening_hours])
    async with fake_call(agent) as call:
        await call.caller_speaks(speech(1) + silence(4))
    assert [tool.name for tool in mind.tools] == ["opening_hours", "hang_up"]
    assert mind.tools[0].parameters["required"] == ["day"]
    [_, asked, told] = mind.histories[1]
    assert asked.text == "Let me see."
    assert (told.role, told.text, told.tool_call_id) == ("tool", '{"from":9,"to":20,"week":1}', "7")
    assert transcripts(call, "agent") == [("Let me see. From nine to eight.", False)]


async def test_a_model_can_end_the_call_with_its_last_words(autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind(["Goodbye, then.", ToolCall("hang_up")])
    async with fake_call(conversation(settings(mind, ear=Ear(["Bye"]), mouth=Mouth()))) as call:
        await call.caller_speaks(speech(1) + silence(1))
        await call.ended.wait()
    assert transcripts(call, "agent") == [("Goodbye, then.", False)]
    assert seconds_heard(call) == pytest.approx(14 * 0.05, abs=0.02)


async def test_time_is_filled_while_the_answer_is_found(autojump_clock: trio.testing.MockClock) -> None:
    mind, mouth = Mind([4.0, "Here it is."]), Mouth()
    config = settings(mind, ear=Ear(["Look"]), mouth=mouth, filler="Hold on.", filler_after_ms=2000)
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(7))
    assert mouth.texts == ["Hold on.", "Here it is."]
    assert transcripts(call, "agent") == [("Here it is.", False)]


async def test_time_is_filled_while_a_tool_runs(autojump_clock: trio.testing.MockClock) -> None:
    async def look() -> str:
        """Look."""
        await trio.sleep(6)
        return "found"

    mind, mouth = Mind(["Let me see. ", ToolCall("look")], "Here it is."), Mouth()
    config = settings(mind, ear=Ear(["Look"]), mouth=mouth, filler="Hold on.", filler_after_ms=2000)
    async with fake_call(conversation(config, [look])) as call:
        await call.caller_speaks(speech(1) + silence(3.5))
        assert mouth.texts == ["Let me see.", "Hold on."]
        await call.caller_speaks(silence(6))
    assert transcripts(call, "agent") == [("Let me see. Here it is.", False)]


async def test_a_model_that_has_nothing_to_say_after_the_filler_is_excused(
    autojump_clock: trio.testing.MockClock,
) -> None:
    mouth = Mouth()
    config = settings(Mind([4.0]), ear=Ear(["Look"]), mouth=mouth, filler="Hold on.", filler_after_ms=2000)
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(9))
    assert mouth.texts == ["Hold on.", config.apology]


async def test_who_agrees_at_once_to_a_short_question_is_answered(autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind("Rye?", "Good.")
    config = settings(mind, ear=Ear(["Bread", "Okay."]), mouth=Mouth(), filler="Hold on.")
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(1) + speech(0.5) + silence(3))
    assert transcripts(call, "agent") == [("Rye?", False), ("Good.", False)]


@pytest.mark.slow
async def test_one_who_says_nothing_is_asked_and_then_the_call_ends(autojump_clock: trio.testing.MockClock) -> None:
    mouth = Mouth()
    config = settings(Mind("Hm."), ear=Ear([]), mouth=mouth, idle_seconds=5.0, idle_prompts=("Hello?", "Anybody?"))
    async with fake_call(conversation(config)) as call:
        began = trio.current_time()
        await call.ended.wait()
    assert mouth.texts == ["Hello?", "Anybody?", "Goodbye."]
    assert trio.current_time() - began == pytest.approx(16, abs=1.2)


@pytest.mark.slow
async def test_a_call_has_a_longest_time(autojump_clock: trio.testing.MockClock) -> None:
    mouth = Mouth()
    config = settings(Mind(["And so on. "] * 100), ear=Ear(["Talk"]), mouth=mouth, max_seconds=10.0)
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(1))
        await call.ended.wait()
    assert mouth.texts[-1] == "Goodbye."
    assert transcripts(call, "agent")[-1] == ("Goodbye.", False)
