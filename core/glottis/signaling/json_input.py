"""JSON from the network, checked field by field; what is wrong is said with the field's name."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from glottis.signaling.errors import Rejected

S = TypeVar("S")

MAX_DEPTH: Final = 64
"""Arrays and objects within each other; whoever walks the value later does so by recursion."""
MAX_VALUES: Final = 2048
"""In a JSON text, told by commas and opening brackets. It takes a millisecond to make so many, whatever they are."""
_INFINITE: Final = frozenset((math.inf, -math.inf))
_SURROGATE: Final = re.compile(r"\\u[dD][89A-Fa-f]")


def decode_object_untrusted(data: str | bytes) -> dict[str, Any]:
    """Decode a JSON object (RFC 8259); raises ``Malformed`` with the code ``MALFORMED_JSON``.

    Every session waits meanwhile. The standard library takes a millisecond for ``MAX_VALUES`` of anything; faster ones
    take many where floats such as ``1e300`` are many.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        _limit_values_untrusted(text)
        value = _DECODER.decode(text)
        _refuse_lone_surrogates(text, value)
    except RecursionError:
        raise _nested_too_deeply() from None
    except ValueError:  # Of the decoder, for bad UTF-8, and for numbers out of range or with thousands of digits.
        raise Rejected("MALFORMED_JSON", "expected valid JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise Rejected("MALFORMED_JSON", "expected a JSON object")
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _refuse_depth(value)
    return value


def split_object_untrusted(data: str | bytes) -> dict[str, msgspec.Raw]:
    """The members of a JSON object, each as a view of its text; raises ``Malformed`` with the code ``MALFORMED_JSON``.

    Ten times as fast as to decode them, and nothing is made of what nobody reads: only its grammar is checked, so a
    value may still be one that ``decode_untrusted`` refuses.
    """
    _limit_values_untrusted(data if isinstance(data, str) else data.decode(errors="replace"))
    return _split_untrusted(_SPLITTER, data)


def _split_untrusted(splitter: msgspec.json.Decoder[S], data: str | bytes) -> S:
    try:
        return splitter.decode((data if isinstance(data, str) else data.decode()).encode())
    except RecursionError:
        raise _nested_too_deeply() from None
    except msgspec.ValidationError:
        raise Rejected("MALFORMED_JSON", "expected a JSON object") from None
    except (ValueError, msgspec.MsgspecError):
        raise Rejected("MALFORMED_JSON", "expected valid JSON in UTF-8") from None


class MemberReader:
    """Reads the members of these names; others cost nothing but the check of their grammar, however many they are."""

    def __init__(self, *names: str) -> None:
        self._names = names
        fields = [(name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in names]
        self._splitter = msgspec.json.Decoder(msgspec.defstruct("Members", fields))

    def read_untrusted(self, data: str | bytes) -> dict[str, Any]:
        """Those that are there; an array or object among them stays text, as ``Undecoded``. Raises ``Malformed``."""
        members = _split_untrusted(self._splitter, data)
        texts = ((name, getattr(members, name)) for name in self._names)
        return {name: shallow_untrusted(bytes(text)) for name, text in texts if text is not msgspec.UNSET}


class Undecoded(bytes):
    """The text of an array or object: to read it costs time, which is spent when it is wanted."""

    @property
    def is_object(self) -> bool:
        """Whether it has members."""
        return self.startswith(b"{")


def shallow_untrusted(text: bytes) -> Any:
    """Decode a JSON value, but for arrays and objects; raises ``Malformed``."""
    return Undecoded(text) if text[:1] in (b"[", b"{") else decode_untrusted(text)


def decode_untrusted(text: bytes) -> Any:
    """Decode any JSON value; raises ``Malformed`` with the code ``MALFORMED_JSON``."""
    return decode_object_untrusted(b'{"":%b}' % text)[""]


def _finite(text: str) -> float:
    number = float(text)
    if number in _INFINITE:  # as it costs least to see: there may be thousands
        raise ValueError("a number out of range")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
_SPLITTER: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _refuse_lone_surrogates(text: str, value: object) -> None:
    """Half a UTF-16 pair (RFC 8259 §8.2) can be decoded but not sent on: it has no UTF-8. Raises ``ValueError``."""
    text.encode()
    if _SURROGATE.search(text):
        msgspec.json.encode(value)


def _limit_values_untrusted(text: str) -> None:
    """Strings are cut out only where marks are many, as that takes as long as ten counts of them."""
    if _marks(text) > MAX_VALUES and _marks(_without_strings(text)) > MAX_VALUES:
        raise Rejected("MALFORMED_JSON", f"expected JSON of at most {MAX_VALUES} values")


def _marks(text: str) -> int:
    """As many as there are values, at least: each but the outermost stands behind one, as does its name."""
    return text.count(",") + text.count("[") + text.count("{")


def _without_strings(text: str) -> str:
    """What stands between the strings of JSON (RFC 8259 §7), where backslashes stand in strings only."""
    return "".join(text.replace(r"\\", "").replace(r"\"", "").split('"')[::2])


def _refuse_depth(value: dict[str, Any]) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        inner = (item.values() if type(item) is dict else item for item in level)
        level = [item for items in inner for item in items if type(item) is dict or type(item) is list]
    if level:
        raise _nested_too_deeply()


def _nested_too_deeply() -> Rejected:
    return Rejected("MALFORMED_JSON", f"expected JSON that is nested at most {MAX_DEPTH} levels deep")


def text_field_untrusted(fields: Mapping[str, Any], name: str, path: str = "") -> str | None:
    """A string, or None where the field is absent or null. ``path`` leads to the object that holds it."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise Rejected("INVALID_FIELD", f"{path}{name}: expected a string")
    return value


def required_text_field_untrusted(fields: Mapping[str, Any], name: str, path: str = "") -> str:
    """A string that must be there."""
    value = text_field_untrusted(fields, name, path)
    if value is None:
        raise Rejected("MISSING_FIELD", f"{path}{name}: expected a string, and there is none")
    return value


def number_field_untrusted(
    fields: Mapping[str, Any], name: str, lowest: float, highest: float, path: str = ""
) -> float | None:
    """A number within bounds, or None where the field is absent or null."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise Rejected("INVALID_FIELD", f"{path}{name}: expected {_range(lowest, highest)}")
    return value


def _range(lowest: float, highest: float) -> str:
    return f"{lowest:g}" if lowest == highest else f"a number from {lowest:g} to {highest:g}"


def integer_field_untrusted(
    fields: Mapping[str, Any], name: str, lowest: int, highest: int, path: str = ""
) -> int | None:
    """An integer within bounds, or None where the field is absent or null."""
    value = number_field_untrusted(fields, name, lowest, highest, path)
    if value is not None and value != int(value):
        raise Rejected("INVALID_FIELD", f"{path}{name}: expected an integer")
    return None if value is None else int(value)


def object_field_untrusted(fields: Mapping[str, Any], name: str, path: str = "") -> dict[str, Any]:
    """An object; empty where the field is absent or null."""
    value = fields.get(name)
    if isinstance(value, Undecoded):
        value = decode_untrusted(value)
    if value is not None and not isinstance(value, dict):
        raise Rejected("INVALID_FIELD", f"{path}{name}: expected an object")
    return value or {}
