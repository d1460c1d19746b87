"""Values with something in them that logs and tracebacks are not to show."""

from typing import Any, ClassVar

import msgspec


class Discreet(msgspec.Struct, frozen=True):
    """Shows to who prints it all but the fields that its class names in ``hidden``: secrets, and what is long."""

    hidden: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """In place of the struct's own, which shows all of them to who prints by ``rich``."""
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in self.hidden]
