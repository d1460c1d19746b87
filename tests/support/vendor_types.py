"""What is sent to services, and what they are taken to say, judged by the types that their vendors publish."""

from collections.abc import Iterable
from typing import Any


def check_all(kind: Any, values: Iterable[Any]) -> int:
    """Fails for a value that is not of this type, or has what the type does not; returns how many there were."""
    import pydantic

    adapter, count = pydantic.TypeAdapter(kind), 0
    for value in values:
        found = adapter.validate_python(value)
        assert unknown(found, value) == [], value
        count += 1
    return count


def unknown(found: Any, value: Any, path: str = "") -> list[str]:
    """The keys of ``value`` that its type has no name for."""
    if isinstance(value, dict):
        fields: dict[str, Any] = found if isinstance(found, dict) else dict(found)
        extra = set() if isinstance(found, dict) else set(found.model_extra or ())
        missing = [f"{path}.{key}" for key in value if key not in fields or key in extra]
        return missing + [each for key in value if key in fields for each in unknown(fields[key], value[key], key)]
    if isinstance(value, list):
        return [each for one, other in zip(found, value, strict=True) for each in unknown(one, other, path)]
    return []
