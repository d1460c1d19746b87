"""As much of GitHub's Markdown as the documentation uses: headings and their anchors, links, tables, blocks of code."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CELL = re.compile(r"(?<!\\)\|")
_FILE_NAME = re.compile(r"(?:#|//) (\S+\.\w+)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code; ``file_name`` is what its first line, a comment, calls it."""

    language: str
    code: str

    @property
    def file_name(self) -> str | None:
        match = _FILE_NAME.match(self.code)
        return match and match[1]


class Document:
    """One Markdown file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.blocks = [Block(language, code) for language, code in _FENCE.findall(self.text)]
        self.prose = _FENCE.sub("", self.text)

    @property
    def headings(self) -> list[str]:
        return _HEADING.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What a link may name behind a ``#``."""
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in self.headings}

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    def section(self, heading: str) -> str:
        """The prose under a heading, up to the next one of any level."""
        _, found, rest = self.prose.partition(f"# {heading}\n")
        assert found, f"{self.path.name} has no heading {heading!r}"
        return re.split(_HEADING, rest, maxsplit=1)[0]

    def blocks_of(self, *languages: str) -> list[Block]:
        return [block for block in self.blocks if block.language in languages]

    def write_files(self, directory: Path) -> list[str]:
        """Write the blocks that have a file name; returns the names."""
        named = [(block.file_name, block.code) for block in self.blocks if block.file_name is not None]
        for name, code in named:
            (directory / name).parent.mkdir(exist_ok=True, parents=True)
            (directory / name).write_text(code)
        return [name for name, _ in named]


def table_rows(prose: str) -> Iterator[Sequence[str]]:
    """The cells of all rows but headings and rules."""
    lines = [line for line in prose.splitlines() if line.startswith("|")]
    for index, line in enumerate(lines):
        following = "".join(lines[index + 1 : index + 2])
        if not line.startswith("|---") and not following.startswith("|---"):
            yield [cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1:-1]]
