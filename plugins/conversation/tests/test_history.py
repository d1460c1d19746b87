"""What a model is told of what was said and done, where it comes in another order than it was asked for."""

import pytest
from glottis_conversation.history import History
from glottis_conversation.kinds import Message, ToolCall

GIVEN_UP, DONE = ToolCall("clock", {}, "1"), ToolCall("clock", {}, "2")
LATE = ToolCall("clock", GIVEN_UP.arguments, "late")
BOTH = [(GIVEN_UP, "nobody knows"), (DONE, "noon")]


@pytest.mark.parametrize("is_found", [False, True])
def test_what_comes_late_of_a_tool_stands_once_also_while_the_answer_is_found(is_found: bool) -> None:
    history = History("", 20)
    history.add_user("What time is it?")
    history.hold()
    added = history.next_step(results := list(BOTH))
    if not is_found:
        history.put_late(LATE, "seven")
    history.add_tools("Let me see.", results)
    history.add_added(added)
    history.release()
    if is_found:
        history.put_late(LATE, "seven")
    assert history.messages == [
        Message("user", "What time is it?"),
        Message("assistant", "Let me see.", (DONE,)),
        Message("tool", "noon", tool_call_id="2"),
        Message("assistant", "", (LATE,)),
        Message("tool", "seven", tool_call_id="late"),
    ]


def test_step_of_which_nothing_is_left_is_what_was_said() -> None:
    history = History("", 20)
    history.add_user("What time is it?")
    history.add_tools("", [BOTH[0]])
    history.put_late(LATE, "seven")
    history.add_tools("Well.", [])
    assert [message.role for message in history.messages] == ["user", "assistant", "tool", "assistant"]
