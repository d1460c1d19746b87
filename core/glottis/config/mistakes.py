"""All that is wrong with a configuration, a line for each key: found in one go, and each mistake told once."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from glottis.contracts.errors import ConfigurationError, PluginError


class Mistakes(msgspec.Struct):
    """What was found so far, by looks of which each takes defaults where an earlier one found something wrong."""

    lines: list[str] = msgspec.field(default_factory=list)
    doubtful: list[str] = msgspec.field(default_factory=list)
    """The paths of what is not as it was meant: what a later look says of it is of no interest."""

    def add(self, message: str) -> None:
        """Note what a look has found."""
        news = [line for line in message.splitlines() if not self._is_known(line)]
        self.lines += news
        self.doubtful += [path for line in news for path in paths_of(line)]

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what is raised in the block."""
        try:
            yield
        except (ConfigurationError, PluginError) as error:
            self.add(str(error))

    def check(self) -> None:
        """Raises ``ConfigurationError`` with all of them."""
        if self.lines:
            raise ConfigurationError("\n".join(self.lines))

    def _is_known(self, line: str) -> bool:
        return any(overlap(path, doubtful) for path in paths_of(line) for doubtful in self.doubtful)


def paths_of(line: str) -> list[str]:
    """Of the keys that a line of a ``ConfigurationError`` is about."""
    return line.partition(": ")[0].split(", ")


def overlap(path: str, other: str) -> bool:
    """Whether one of two paths is within the other, items of arrays being within their array like keys in a table."""
    path, other = (f"{each.replace('[', '.')}." for each in (path, other))
    return path.startswith(other) or other.startswith(path)
