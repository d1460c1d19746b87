"""JSON from the network, checked field by field; what is wrong is said with the field's name."""

from collections.abc import Mapping
from typing import Any

import msgspec

from glottis.server.http.problem import Rejected


def decode_object_untrusted(data: str | bytes) -> dict[str, Any]:
    """Decode a JSON object (RFC 8259); raises ``Malformed`` with the code ``MALFORMED_JSON``."""
    try:
        value = msgspec.json.decode(data)
    except RecursionError:
        raise Rejected("MALFORMED_JSON", "expected JSON that is not nested this deeply") from None
    except ValueError:  # Of msgspec, for bad UTF-8, for surrogates and for numbers out of range.
        raise Rejected("MALFORMED_JSON", "expected valid JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise Rejected("MALFORMED_JSON", "expected a JSON object")
    return value


def text_field(fields: Mapping[str, Any], name: str, path: str = "") -> str | None:
    """A string, or None where the field is absent or null. ``path`` leads to the object that holds it."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise Rejected("INVALID_FIELD", f"{path}{name}: expected a string")
    return value


def required_text_field(fields: Mapping[str, Any], name: str, path: str = "") -> str:
    """A string that must be there."""
    value = text_field(fields, name, path)
    if value is None:
        raise Rejected("MISSING_FIELD", f"{path}{name}: expected a string, and there is none")
    return value


def number_field(fields: Mapping[str, Any], name: str, lowest: float, highest: float, path: str = "") -> float | None:
    """A number within bounds, or None where the field is absent or null."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise Rejected("INVALID_FIELD", f"{path}{name}: expected a number from {lowest:g} to {highest:g}")
    return value


def integer_field(fields: Mapping[str, Any], name: str, lowest: int, highest: int, path: str = "") -> int | None:
    """An integer within bounds, or None where the field is absent or null."""
    value = number_field(fields, name, lowest, highest, path)
    if value is not None and value != int(value):
        raise Rejected("INVALID_FIELD", f"{path}{name}: expected an integer")
    return None if value is None else int(value)


def object_field(fields: Mapping[str, Any], name: str, path: str = "") -> dict[str, Any]:
    """An object; empty where the field is absent or null."""
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise Rejected("INVALID_FIELD", f"{path}{name}: expected an object")
    return value or {}
