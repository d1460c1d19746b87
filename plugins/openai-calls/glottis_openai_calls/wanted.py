"""What a client says of the response that it wants."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from glottis_openai_calls.bodies import MAX_SESSION_BYTES
from glottis_openai_calls.items import Items, text_of
from glottis_openai_calls.requests import Unusable
from glottis_openai_calls.sessions import modern
from glottis_openai_calls.wishes import wished_of_one, wrong_with_wishes

MAX_METADATA: Final = 16
MAX_INPUT: Final = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """A response."""

    wishes: Mapping[str, Any] = field(default_factory=dict)
    """Of its own, beside the session's."""
    metadata: Mapping[str, str] | None = None
    is_aside: bool = False
    """Whether the conversation is to have nothing of it."""
    texts: tuple[Mapping[str, str], ...] | None = None
    """What it is an answer to, in place of the conversation."""


def wanted_of(response: object, items: Items) -> Wanted:
    """As ``response.create`` has it. Raises ``Unusable``."""
    if response is None:
        return Wanted()
    if not isinstance(response, dict):
        raise Unusable("response: expected an object")
    if len(msgspec.json.encode(response)) > MAX_SESSION_BYTES:
        raise Unusable(f"response: expected at most {MAX_SESSION_BYTES} bytes")
    response = modern({name: value for name, value in response.items() if value is not None})
    if wrong := wrong_with_wishes(response, "response"):
        raise Unusable(wrong)
    conversation, given = response.get("conversation", "auto"), response.get("input")
    if conversation not in ("auto", "none"):
        raise Unusable("response.conversation: expected auto or none")
    if given is not None and conversation != "none":
        raise Unusable("response.input: expected conversation to be none, for the agent remembers what was said")
    texts = None if given is None else _texts(given, items)
    return Wanted(wished_of_one(response), _metadata(response.get("metadata")), conversation == "none", texts)


def _metadata(metadata: object) -> Mapping[str, str] | None:
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or len(metadata) > MAX_METADATA:
        raise Unusable(f"response.metadata: expected an object of at most {MAX_METADATA} strings")
    for name, value in metadata.items():
        if len(name) > 64 or not isinstance(value, str) or len(value) > 512:
            raise Unusable("response.metadata: expected strings of at most 512 characters, by names of at most 64")
    return metadata


def _texts(given: object, items: Items) -> tuple[Mapping[str, str], ...]:
    if not isinstance(given, list) or len(given) > MAX_INPUT:
        raise Unusable(f"response.input: expected a list of at most {MAX_INPUT} items")
    return tuple(_text(one, items) for one in given)


def _text(given: object, items: Items) -> Mapping[str, str]:
    match given:
        case {"type": "item_reference", "id": item_id}:
            item = items.find(item_id)
            if item is None or item["type"] != "message":
                raise Unusable("response.input: expected references to messages that there are", "item_not_found")
            return {"role": item["role"], "text": text_of(item)}
        case {"type": "message", "role": "user" | "assistant" | "system" as role, "content": [*content]}:
            texts = [part.get("text") for part in content if isinstance(part, dict)]
            if texts and all(isinstance(text, str) for text in texts):
                return {"role": role, "text": "\n".join(map(str, texts))}
    raise Unusable("response.input: expected messages with texts, or references to items")
