"""A configuration value that must not be seen."""

import hmac

from glottis.contracts.checks import check_instance


class Secret:
    """Text that shows itself only when asked: ``repr``, ``str`` and error messages give an ellipsis.

    Configuration structs of plugins use it as the type of keys, passwords and the like.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        check_instance("Secret", value, str)
        self._value = value

    def reveal(self) -> str:
        """The text itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('…')"

    def __str__(self) -> str:
        return "…"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        """Compares in constant time."""
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))
