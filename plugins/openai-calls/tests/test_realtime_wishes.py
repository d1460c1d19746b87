"""What clients of the Realtime API may ask a conversation for: when to answer, how, and what it remembers."""

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from glottis_conversation import ToolCall
from support.calls_client import CLOCK, open_conversation, spoken
from support.phone import eventually
from support.talking import Ear, Mind, Mouth, component

Clock = trio.testing.MockClock

BY_HAND = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}


async def test_a_client_pushes_to_talk(tmp_path: Path, autojump_clock: Clock) -> None:
    mind, ear = Mind("It is noon."), Ear(["What time is it?", OSError("deaf"), "Thank you."])
    async with open_conversation(tmp_path, mind, ear=ear) as client:
        client.say("session.update", session=BY_HAND)
        assert (await client.told("session.updated"))["session"]["audio"]["input"]["turn_detection"] is None
        client.phone.speaking = True
        await trio.sleep(1)
        client.say("input_audio_buffer.clear", event_id="press")
        await client.told("input_audio_buffer.cleared")
        await trio.sleep(1.5)
        client.say("input_audio_buffer.commit")
        client.say("input_audio_buffer.commit", event_id="again")
        client.say("response.create")
        error = (await client.told("error"))["error"]
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "again")
        committed = await client.told("input_audio_buffer.committed")
        completed = await client.told("conversation.item.input_audio_transcription.completed")
        assert (completed["transcript"], completed["item_id"]) == ("What time is it?", committed["item_id"])
        assert ear.heard_seconds[0] == pytest.approx(1.6, abs=0.1)
        await client.told("output_audio_buffer.stopped")
        assert spoken(client) == ["It is noon."]
        assert mind.histories[0][-1].text == "What time is it?"
        client.say("input_audio_buffer.commit")
        await client.told("conversation.item.input_audio_transcription.failed")
        await trio.sleep(5)
        assert len(mind.histories) == 1, "nobody has asked for an answer"
        assert not any("speech_started" in kind for kind in client.kinds)
        client.say("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": {}}}})
        await client.told("session.updated", 2)
        await trio.sleep(1)
        client.phone.speaking = False
        await client.told("conversation.item.input_audio_transcription.completed", 2)
        client.say("input_audio_buffer.commit")
        assert "turn_detection" in (await client.told("error", 2))["error"]["message"]


async def test_who_holds_the_key_for_long_is_understood_in_pieces(tmp_path: Path, autojump_clock: Clock) -> None:
    ear = Ear(["one", "two", "three", "four", "five"])
    async with open_conversation(tmp_path, Mind("Yes."), ear=ear, max_turn_seconds=1.0) as client:
        client.say("session.update", session=BY_HAND)
        client.phone.speaking = True
        await client.told("session.updated")
        await trio.sleep(7)
        client.say("input_audio_buffer.commit")
        completed = await client.told("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == "one two three four", "of what is not committed, the last four pieces"
        client.say("response.create")
        await client.told("response.done")


def said_item(text: str, role: str = "user", **more: Any) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}], **more}


def history_of(mind: Mind, answer: int) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in mind.histories[answer]]


async def test_answers_are_written_where_the_client_wants_to_read(tmp_path: Path, autojump_clock: Clock) -> None:
    mind, mouth = Mind("It is noon. It was eleven.", "One.", "Two."), Mouth()
    async with open_conversation(tmp_path, mind, mouth=mouth) as client:
        client.say("session.update", session={"type": "realtime", "output_modalities": ["text"]})
        assert (await client.told("session.updated"))["session"]["output_modalities"] == ["text"]
        client.write("What time is it?")
        done = (await client.told("response.done"))["response"]
        assert done["output"][0]["content"] == [{"type": "output_text", "text": "It is noon. It was eleven."}]
        assert (done["output_modalities"], mouth.texts) == (["text"], [])
        assert [event["delta"] for event in client.events if event["type"] == "response.output_text.delta"] == [
            "It is noon.",
            " It was eleven.",
        ]
        assert not any("audio" in kind for kind in client.kinds)
        client.say("response.create", response={"output_modalities": ["audio"]})
        assert (await client.told("response.done", 2))["response"]["output_modalities"] == ["audio"]
        client.say("session.update", session={"type": "realtime", "output_modalities": ["audio"]})
        client.write("And now?")
        await client.told("output_audio_buffer.stopped", 2)
        assert mouth.texts == ["One.", "Two."]


async def test_an_agent_without_a_voice_writes_one_response_for_each_answer(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    async with open_conversation(tmp_path, Mind("It is noon. It was eleven."), mouth=None) as client:
        client.write("What time is it?")
        done = (await client.told("response.done"))["response"]
        assert done["output"][0]["content"] == [{"type": "output_text", "text": "It is noon. It was eleven."}]
        await trio.sleep(1)
        assert (done["output_modalities"], client.kinds.count("response.created")) == (["text"], 1)


async def test_a_response_has_wishes_of_its_own(tmp_path: Path, autojump_clock: Clock) -> None:
    mind = Mind("A word too many, so to say.", "Fine.")
    async with open_conversation(tmp_path, mind) as client:
        client.say("session.update", session={"type": "realtime", "tools": [CLOCK], "instructions": "Be kind."})
        own = {"instructions": "Greet.", "max_output_tokens": 3, "tool_choice": "none", "metadata": {"a": "b"}}
        client.say("response.create", response={**own, "conversation": "auto"})
        response = (await client.told("response.done"))["response"]
        assert (response["status"], response["metadata"]) == ("incomplete", {"a": "b"})
        assert response["status_details"]["reason"] == "max_output_tokens"
        assert history_of(mind, 0) == [("system", "You are a clerk.\n\nGreet.")]
        assert [tool.name for tool in mind.tools] == ["hang_up"]
        client.write("And now?")
        assert (await client.told("response.done", 2))["response"]["status"] == "completed"
        assert [tool.name for tool in mind.tools] == ["hang_up", "clock"]
        assert history_of(mind, 1)[0] == ("system", "You are a clerk.\n\nBe kind.")


async def test_a_voice_is_one_of_those_that_there_are(tmp_path: Path, autojump_clock: Clock) -> None:
    mind, usual, marin = Mind("Good day."), Mouth(), Mouth()
    usual.pace = 1.0  # type: ignore[attr-defined]
    voices = {"marin": component("marin", marin)}
    async with open_conversation(tmp_path, mind, mouth=usual, voices=voices) as client:
        output = {"voice": "marin", "speed": 1.25}
        client.say("session.update", session={"type": "realtime", "audio": {"output": output}})
        assert (await client.told("session.updated", 2))["session"]["audio"]["output"] == output
        client.write("Hello.")
        await client.told("response.done")
        client.say("session.update", session={"type": "realtime", "audio": {"output": {"voice": "cedar"}}})
        error = (await client.told("error"))["error"]
        assert (error["code"], error["message"].endswith("expected one of marin.")) == ("invalid_value", True)
        client.say("response.create", response={"audio": {"output": {"voice": "any"}}})
        assert (await client.told("error", 2))["error"]["param"] == "response.audio.output.voice"
        client.say("response.create", response={"audio": {"output": {"voice": "marin"}}})
        await client.told("response.done", 2)
        assert (marin.texts, usual.texts) == (["Good day.", "Good day."], [])


async def test_a_voice_where_there_is_one_is_told_and_the_rest_is_in_force(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    async with open_conversation(tmp_path, Mind("Yes.")) as client:
        session = {"type": "realtime", "instructions": "Be kind.", "audio": {"output": {"voice": "marin"}}}
        client.say("session.update", session=session, event_id="mine")
        error = (await client.told("error"))["error"]
        assert (error["code"], error["event_id"]) == ("invalid_value", "mine")
        told = (await client.told("session.updated"))["session"]
        assert (told["instructions"], "output" in told["audio"]) == ("Be kind.", False)
        client.say("session.update", session=session)
        await client.told("session.updated", 2)
        assert client.kinds.count("error") == 1


@pytest.mark.parametrize(("eagerness", "seconds"), [("low", 2.4), (None, 1.2), ("high", 0.6)])
async def test_semantic_detection_of_turns_is_how_long_the_detector_waits(
    eagerness: str | None, seconds: float, tmp_path: Path, autojump_clock: Clock
) -> None:
    async with open_conversation(tmp_path, Mind("Noon."), ear=Ear(["I would like to know the"])) as client:
        detection = {"type": "semantic_vad", **({"eagerness": eagerness} if eagerness else {})}
        client.say("session.update", session={"audio": {"input": {"turn_detection": detection}}})
        told = (await client.told("session.updated"))["session"]["audio"]["input"]["turn_detection"]
        assert (told["type"], told["eagerness"]) == ("semantic_vad", eagerness or "auto")
        client.phone.speaking = True
        await trio.sleep(1)
        client.phone.speaking = False
        silent = trio.current_time()
        await client.told("response.created")
        assert trio.current_time() - silent == pytest.approx(1.48 + seconds, abs=0.15)  # hangover, and the ear


@pytest.mark.parametrize("detection", [{"type": "magic"}, {"type": "semantic_vad", "eagerness": "very"}])
async def test_detection_that_is_none_is_refused(
    detection: dict[str, Any], tmp_path: Path, autojump_clock: Clock
) -> None:
    async with open_conversation(tmp_path, Mind("Yes.")) as client:
        client.say("session.update", session={"turn_detection": detection})
        assert (await client.told("error"))["error"]["param"].startswith("session.audio.input.turn_detection.")


async def test_items_are_kept_in_their_places_and_can_be_deleted(tmp_path: Path, autojump_clock: Clock) -> None:
    mind = Mind("Red.", "Blue.")
    async with open_conversation(tmp_path, mind) as client:
        client.say("conversation.item.create", item=said_item("Which colour?", id="q"))
        client.say("conversation.item.create", item=said_item("Be brief.", "system", id="s"), previous_item_id="root")
        client.say("conversation.item.create", item=said_item("Green.", "assistant", id="a"), previous_item_id="q")
        client.say("conversation.item.create", item=said_item("No, which?"))
        client.say("response.create")
        await client.told("response.done")
        clerk = ("system", "You are a clerk.")
        said = [("system", "Be brief."), ("user", "Which colour?"), ("assistant", "Green."), ("user", "No, which?")]
        assert history_of(mind, 0) == [clerk, *said]
        items = [event["item"] for event in client.events if event["type"] == "conversation.item.done"]
        assert [item["content"][0].get("text") for item in items[:4]] == [
            "Which colour?",
            "Be brief.",
            "Green.",
            "No, which?",
        ]
        client.say("conversation.item.retrieve", item_id=items[-1]["id"])
        assert (await client.told("conversation.item.retrieved"))["item"] == items[-1]
        for item in (items[0], items[2], items[-1]):
            client.say("conversation.item.delete", item_id=item["id"])
        await client.told("conversation.item.deleted", 3)
        client.say("conversation.item.delete", item_id="q", event_id="again")
        client.say("conversation.item.create", item=said_item("Hm."), previous_item_id="q")
        assert (await client.told("error"))["error"]["event_id"] == "again"
        assert (await client.told("error", 2))["error"]["code"] == "item_not_found"
        client.say("response.create")
        await client.told("response.done", 2)
        assert history_of(mind, 1) == [clerk, said[0], said[3]]


async def test_what_is_added_while_the_agent_speaks_comes_after_that(tmp_path: Path, autojump_clock: Clock) -> None:
    mind = Mind("It is noon.", "Yes.")
    async with open_conversation(tmp_path, mind) as client:
        client.write("What time is it?")
        await client.told("output_audio_buffer.started")
        client.say("conversation.item.create", item=said_item("Really?", id="r"))
        client.say("conversation.item.create", item=said_item("No.", id="n"))
        client.say("conversation.item.delete", item_id="n")
        await client.told("response.done")
        client.say("response.create")
        await client.told("response.done", 2)
        assert history_of(mind, 1)[1:] == [
            ("user", "What time is it?"),
            ("assistant", "It is noon."),
            ("user", "Really?"),
        ]


async def test_a_response_beside_the_conversation_is_written(tmp_path: Path, autojump_clock: Clock) -> None:
    mind = Mind(["It is noon", 1.0, ", and I could go on."], "Small talk.", "Nothing.", [OSError("dumb")])
    async with open_conversation(tmp_path, mind) as client:
        client.write("What time is it?")
        await eventually(lambda: len(mind.histories) == 1)
        aside = {"conversation": "none", "output_modalities": ["text"], "instructions": "Classify."}
        client.say("response.create", response={**aside, "metadata": {"topic": "kind"}})
        done = (await client.told("response.done"))["response"]
        assert (done["conversation_id"], done["metadata"]) == (None, {"topic": "kind"})
        assert done["output"][0]["content"][0]["text"] == "Small talk."
        assert history_of(mind, 1) == [("system", "You are a clerk.\n\nClassify."), ("user", "What time is it?")]
        item_id = (await client.told("conversation.item.done"))["item"]["id"]
        given = [said_item("Sum up.", "system"), {"type": "item_reference", "id": item_id}]
        client.say("response.create", response={**aside, "input": given})
        await client.told("response.done", 2)
        assert history_of(mind, 2)[1:] == [("system", "Sum up."), ("user", "What time is it?")]
        client.say("response.create", response=aside)
        failed = [event for event in client.events if event["type"] == "response.done"]
        client.say("response.create", response={"conversation": "none"})
        assert "output_modalities" in (await client.told("error"))["error"]["message"]
        await client.told("response.done", 4)
        statuses = [event["response"]["status"] for event in client.events if event["type"] == "response.done"]
        assert (sorted(statuses), len(failed)) == (["completed", "completed", "completed", "failed"], 2)
        assert mind.histories[0][-1].text == "What time is it?"


async def test_an_aside_can_be_cancelled_and_few_are_at_a_time(tmp_path: Path, autojump_clock: Clock) -> None:
    mind = Mind([5.0, "Late."])
    async with open_conversation(tmp_path, mind) as client:
        for _ in range(5):
            client.say("response.create", response={"conversation": "none", "output_modalities": ["text"]})
        assert "at most 4" in (await client.told("error"))["error"]["message"]
        created = (await client.told("response.created"))["response"]["id"]
        client.say("response.cancel", response_id=created)
        cancelled = (await client.told("response.done"))["response"]
        assert (cancelled["id"], cancelled["status"]) == (created, "cancelled")
        await client.told("response.done", 4)
        await trio.sleep(5)
        assert client.kinds.count("response.done") == 4


async def test_a_function_that_is_interrupted_leaves_no_response_open(tmp_path: Path, autojump_clock: Clock) -> None:
    mind = Mind([ToolCall("clock", {})], "It was noon.", "Bye.")
    async with open_conversation(tmp_path, mind, ear=Ear(["Wait!"])) as client:
        session = {"tools": [CLOCK], "audio": {"input": {"turn_detection": {"create_response": False}}}}
        client.say("session.update", session=session)
        client.write("What time is it?")
        call_id = (await client.told("response.function_call_arguments.done"))["call_id"]
        client.phone.speaking = True
        await trio.sleep(0.5)
        client.phone.speaking = False
        await client.told("conversation.item.input_audio_transcription.completed")
        output = {"type": "function_call_output", "call_id": call_id, "output": "12:00"}
        client.say("conversation.item.create", item=output)
        client.say("conversation.item.create", item=output)
        assert "call_id" in (await client.told("error"))["error"]["message"]
        client.say("response.create")
        await eventually(lambda: spoken(client) == ["It was noon."])
        assert history_of(mind, 1)[1:] == [("user", "What time is it? Wait!"), ("assistant", ""), ("tool", "12:00")]
        client.write("Bye.")
        await eventually(lambda: spoken(client)[-1] == "Bye.")
        created, done = client.kinds.count("response.created"), client.kinds.count("response.done")
        assert created == done


async def test_what_is_written_while_a_function_runs_is_answered(tmp_path: Path, autojump_clock: Clock) -> None:
    mind = Mind([ToolCall("clock", {})], "Good day.")
    async with open_conversation(tmp_path, mind) as client:
        client.say("session.update", session={"tools": [CLOCK]})
        client.write("What time is it?")
        await client.told("response.done")
        client.write("Never mind.")
        await client.told("response.done", 2)
        said = [message.role for message in mind.histories[1]]
        assert (said, mind.histories[1][-1].text) == (["system", "user", "assistant", "tool", "user"], "Never mind.")
        client.say("response.create")
        await client.told("response.done", 3)
        assert history_of(mind, 2) == [*history_of(mind, 1), ("assistant", "Good day.")]


async def test_a_page_may_go_on_without_saying_what_came_of_its_function(tmp_path: Path, autojump_clock: Clock) -> None:
    mind = Mind([ToolCall("clock", {})], "Do you like it?", "Oh.")
    async with open_conversation(tmp_path, mind) as client:
        client.say("session.update", session={"tools": [CLOCK], "tool_choice": "auto"})
        client.write("Show me the time.")
        call_id = (await client.told("response.done"))["response"]["output"][0]["call_id"]
        started = trio.current_time()
        client.say("response.create", response={"instructions": "Ask whether they like it."})
        await client.told("response.done", 2)
        assert trio.current_time() - started < 2
        assert spoken(client) == ["Do you like it?"]
        assert history_of(mind, 1)[0][1].endswith("Ask whether they like it.")
        client.say("conversation.item.create", item={"type": "function_call_output", "call_id": call_id, "output": "7"})
        client.say("response.create")
        await client.told("response.done", 3)
        said = [(message.role, message.text) for message in mind.histories[2]][1:]
        asked, told = ("user", "Show me the time."), ("assistant", "Do you like it?")
        assert said == [asked, told, ("assistant", ""), ("tool", "7")]


async def test_a_function_that_takes_too_long_stands_once_in_the_history(tmp_path: Path, autojump_clock: Clock) -> None:
    mind = Mind([ToolCall("clock", {})], "I do not know yet.", "It is seven.")
    async with open_conversation(tmp_path, mind) as client:
        client.say("session.update", session={"tools": [CLOCK]})
        client.write("Show me the time.")
        call_id = (await client.told("response.done"))["response"]["output"][0]["call_id"]
        await trio.sleep(30)
        assert mind.histories[1][-1].text.startswith("error: ")
        client.say("conversation.item.create", item={"type": "function_call_output", "call_id": call_id, "output": "7"})
        client.say("response.create")
        await eventually(lambda: spoken(client)[-1] == "It is seven.")
        said = [(message.role, message.text) for message in mind.histories[2]][1:]
        asked, told = ("user", "Show me the time."), ("assistant", "I do not know yet.")
        assert said == [asked, told, ("assistant", ""), ("tool", "7")]


class Choosy(Mind):
    """A model that can be made to call."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(*answers)
        self.must_call: str | None = None
        self.musts: list[str | None] = []

    def reply(self, history: Any, tools: Any) -> Any:
        self.musts.append(self.must_call)
        return super().reply(history, tools)


async def test_a_function_is_called_if_the_client_says_so(tmp_path: Path, autojump_clock: Clock) -> None:
    mind = Choosy([ToolCall("clock", {})], "It is noon.")
    async with open_conversation(tmp_path, mind) as client:
        client.say("session.update", session={"tools": [CLOCK], "tool_choice": "required"})
        session = (await client.told("session.updated"))["session"]
        assert session["tool_choice"] == "required"
        client.write("Show me the time.")
        call_id = (await client.told("response.done"))["response"]["output"][0]["call_id"]
        client.say("conversation.item.create", item={"type": "function_call_output", "call_id": call_id, "output": "7"})
        client.say("response.create")
        await client.told("response.done", 2)
        for choice in ({"type": "function", "name": "clock"}, "none"):
            client.say("response.create", response={"tool_choice": choice})
            await client.told("response.done", client.kinds.count("response.created") + 1)
        assert mind.musts == ["", None, "clock", None]
