"""What a plugin says of itself, and the secrets that must not be in it."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from glottis.contracts.secret import Secret


def secrets_in(settings: object) -> list[str]:
    """All texts of the type ``Secret`` in settings, also within tables, lists and structs."""
    if isinstance(settings, Secret):
        return [settings.reveal()]
    if isinstance(settings, msgspec.Struct):
        settings = [getattr(settings, name) for name in settings.__struct_fields__]
    elif isinstance(settings, Mapping):
        settings = [*settings.values()]
    return [secret for item in settings for secret in secrets_in(item)] if isinstance(settings, list | tuple) else []


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Everything that is logged within the block, at any level, to which other words may be added."""
    said: list[str] = []
    handler = _Listener(said)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


class _Listener(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(self.format(record))
