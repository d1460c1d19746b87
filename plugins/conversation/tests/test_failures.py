"""Whatever becomes of a part, the caller hears a sentence, and the call goes on."""

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
import trio
import trio.lowlevel
import trio.testing
from glottis import AudioFrame, Component, ConfigurationError, PluginError, TextMessage
from glottis.testing import fake_call
from glottis_conversation import ToolCall, conversation
from support.talking import Answer, Ear, Mind, Mouth, component, settings, silence, speech

pytestmark = pytest.mark.slow

APOLOGY = "I am sorry, something went wrong. Please try again."
NOT_UNDERSTOOD = "I am sorry, I could not hear that. Please say it again."


class Silent:
    """Gives nothing for a minute, whatever it is asked for."""

    def transcribe(self, audio: object) -> AsyncIterator[Any]:
        return self._nothing()

    def reply(self, history: object, tools: object) -> AsyncIterator[Any]:
        return self._nothing()

    def synthesize(self, text: object) -> AsyncIterator[Any]:
        return self._nothing()

    async def _nothing(self) -> AsyncIterator[Any]:
        await trio.sleep(60)
        yield None


class Absurd(Silent):
    """Gives what nobody can use."""

    async def _nothing(self) -> AsyncIterator[Any]:
        yield 42


class Immediate(Silent):
    """Fails when it is asked, before there is a stream."""

    def _nothing(self) -> AsyncIterator[Any]:
        raise RuntimeError("no")


BAD = pytest.mark.parametrize("bad", [Silent(), Absurd(), Immediate()], ids=["silent", "absurd", "immediate"])


@BAD
async def test_another_takes_over_from_each_part_in_this_turn(bad: Any, autojump_clock: trio.testing.MockClock) -> None:
    mouth, mind = Mouth(), Mind("Yes.")
    config = settings(
        bad,
        ear=bad,
        mouth=bad,
        llm_fallbacks=(component("mind", mind),),
        stt_fallbacks=(component("ear", Ear(["Hello?", "Again?"])),),
        tts_fallbacks=(component("mouth", mouth),),
        patience=1.0,
    )
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(5))
        assert mouth.texts == ["Yes."]
        await call.caller_speaks(speech(1) + silence(1.5))
    assert mouth.texts == ["Yes.", "Yes."]  # at once: who has failed comes last


@BAD
async def test_one_who_cannot_be_understood_is_told_so(bad: Any, autojump_clock: trio.testing.MockClock) -> None:
    mouth = Mouth()
    async with fake_call(conversation(settings(Mind("Yes."), ear=bad, mouth=mouth, patience=1.0))) as call:
        await call.caller_speaks(speech(1) + silence(5))
    assert mouth.texts == [NOT_UNDERSTOOD]


@pytest.mark.parametrize(
    "answer", [[RuntimeError()], [], "", "  ** ", [60.0], [4], ["```\n", "rm -r\n```"]], ids=lambda answer: repr(answer)
)
async def test_a_model_without_an_answer_is_excused(answer: Answer, autojump_clock: trio.testing.MockClock) -> None:
    mouth, mind = Mouth(), Mind(answer, "Yes.")
    async with fake_call(conversation(settings(mind, ear=Ear(["A?", "B?"]), mouth=mouth, patience=1.0))) as call:
        await call.caller_speaks(speech(1) + silence(5) + speech(1) + silence(3))
    assert mouth.texts == [APOLOGY, "Yes."]


async def test_a_model_that_breaks_off_is_excused(autojump_clock: trio.testing.MockClock) -> None:
    mouth = Mouth()
    async with fake_call(
        conversation(settings(Mind(["It is. Well", OSError()]), ear=Ear(["A?"]), mouth=mouth))
    ) as call:
        await call.caller_speaks(speech(1) + silence(5))
    assert mouth.texts == ["It is.", APOLOGY]


async def test_a_model_that_never_stops_is_stopped(autojump_clock: trio.testing.MockClock) -> None:
    class Endless:
        async def reply(self, history: object, tools: object) -> AsyncIterator[str]:
            while True:
                await trio.lowlevel.checkpoint()
                yield "la "

    mouth = Mouth()
    async with fake_call(
        conversation(settings(Endless(), ear=Ear(["Sing"]), mouth=mouth, max_reply_characters=30))
    ) as call:
        await call.caller_speaks(speech(1) + silence(4))
    assert mouth.texts == ["la la la la la la la la la la"]


async def test_a_model_that_calls_tools_for_ever_is_stopped(autojump_clock: trio.testing.MockClock) -> None:
    mouth = Mouth()
    async with fake_call(
        conversation(settings(Mind([ToolCall("no_such_tool")]), ear=Ear(["Do"]), mouth=mouth))
    ) as call:
        await call.caller_speaks(speech(1) + silence(5))
    assert mouth.texts == [APOLOGY]


async def test_a_model_is_told_what_is_wrong_with_its_calls(autojump_clock: trio.testing.MockClock) -> None:
    async def add(first: int, second: int) -> int:
        """Their sum."""
        if not second:
            raise OSError("broken")
        return first + second

    wrong: Sequence[ToolCall] = [
        ToolCall("subtract"),
        ToolCall("add", {"first": "x"}),
        ToolCall("add", {"first": 1, "second": 0}),
    ]
    mind = Mind(wrong, "Sorry.")
    async with fake_call(conversation(settings(mind, ear=Ear(["Sum?"]), mouth=Mouth()), [add])) as call:
        await call.caller_speaks(speech(1) + silence(4))
    results = [each.text for each in mind.histories[1] if each.role == "tool"]
    assert results[0] == "error: there is no tool subtract"
    assert results[1].startswith("error: Expected `int`, got `str`")
    assert results[2] == "error: it does not work now"


async def test_what_no_voice_can_say_is_written(autojump_clock: trio.testing.MockClock) -> None:
    mouth = Mouth(failing=lambda text: "second" in text)
    mind = Mind("The first. The second. The third.")
    async with fake_call(conversation(settings(mind, ear=Ear(["Say"]), mouth=mouth))) as call:
        await call.caller_speaks(speech(1) + silence(5))
    assert mouth.texts == ["The first.", "The third."]
    assert call.sent_messages == [("The second.", None)]


async def test_a_voice_of_another_rate_is_heard_as_long(autojump_clock: trio.testing.MockClock) -> None:
    config = settings(Mind("Twenty characters ok"), ear=Ear(["Say"]), mouth=Mouth(rate=24000))
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(4))
        loud = sum(map(bool, memoryview(call.heard_pcm).cast("h")))
    assert loud / 16000 == pytest.approx(1.0, abs=0.02)


async def test_the_log_names_the_part_and_says_nothing_of_the_conversation(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config = settings(Mind([OSError("secret")]), ear=Ear(["my password"]), mouth=Mouth())
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(4))
    assert caplog.messages == ["the model mind has failed: OSError"]


async def test_an_impatient_writer_is_answered_to_the_last_word(autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind("All right.")
    async with fake_call(conversation(settings(mind))) as call:
        for number in range(40):
            call.caller_writes(TextMessage(f"word{number}"))
        await trio.sleep(5)
    assert "word39" in mind.histories[-1][-1].text


def fail() -> Any:
    raise PluginError("glottis-ears needs a model: pip install glottis-ears[model]")


def test_a_part_that_is_missing_is_told_before_any_call() -> None:
    with pytest.raises(PluginError, match=r"pip install glottis-ears\[model\]"):
        conversation(settings(Mind("Yes."), ear=Ear([]), stt_fallbacks=(Component("ears", fail),)))


async def test_callers_can_write_where_parts_for_speech_are_missing(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    missing = Component[Any]("ears", fail)
    config = settings(Mind("Yes."), when_missing="write")
    agent = conversation(msgspec.structs.replace(config, stt=missing, tts=missing))
    assert "ears is left out: glottis-ears needs a model: pip install glottis-ears[model]" in caplog.messages
    async with fake_call(agent) as call:
        call.caller_writes(TextMessage("Hello?"))
        await call.caller_speaks(speech(1))
    assert call.sent_messages == [("Yes.", None)]


def test_a_model_cannot_be_missing() -> None:
    def refuse() -> Any:
        raise ConfigurationError("base_url: missing")

    with pytest.raises(ConfigurationError):
        conversation(msgspec.structs.replace(settings(Mind("")), llm=Component("far", refuse), when_missing="write"))


async def test_a_voice_that_never_stops_is_stopped(autojump_clock: trio.testing.MockClock) -> None:
    class Endless:
        async def synthesize(self, text: str) -> AsyncIterator[AudioFrame]:
            while True:
                await trio.sleep(0.5)
                yield AudioFrame(speech(1), 16000)

    async with fake_call(conversation(settings(Mind("La."), mouth=Endless()))) as call:
        call.caller_writes(TextMessage("Sing"))
        await trio.sleep(80)
        assert not call.is_speaking
