import json
import tracemalloc

import pytest
from glottis import Message, TextMessage, TypedMessage
from glottis.calls.typed_messages import MAX_TYPED_SIZE, message_of


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "metadata", "a": 1}',
        ' {"a": {"b": []}, "t\\u0079pe": "x\\ny"}\n',
        '{"type": 5, "type": "last"}',
        '{"type": ""}',
        '{"type": "x", "a": "' + "x" * (MAX_TYPED_SIZE - 22) + '"}',
    ],
)
def test_an_object_with_a_string_type_is_a_typed_message(text: str) -> None:
    value = json.loads(text)
    assert message_of(text, "chat") == TypedMessage(value["type"], value, text, "chat")


@pytest.mark.parametrize(
    "text",
    [
        '{"type": 5}',
        '{"type": "first", "type": 5}',
        '{"type": "x"',
        '{"type": "x", "a": NaN}',
        '{"type": "x", "a": 1e999}',
        '{"type": "x", "a": ' + "1" * 5000 + "}",
        '{"type": "x", "a": ' + "[" * 64 + "]" * 64 + "}",
        '{"type": "x", "a": "\\ud800"}',
        '{"type": "x", "a": "' + "x" * (MAX_TYPED_SIZE - 21) + '"}',
        '{"type": "x", "a": "' + "€" * (MAX_TYPED_SIZE // 3) + '"}',
        '["type"]',
        "type",
        "",
        "{" * 30_000,
        "{" * 100_000,
        '{"type": "\ud800"}',
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert message_of(text) == TextMessage(text)


def test_a_text_without_a_type_is_not_decoded() -> None:
    text = '{"a": [' + "[]," * 9_000 + "1]}"
    tracemalloc.start()
    message: Message = message_of(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert message == TextMessage(text)
    assert peak < 5 * len(text)
