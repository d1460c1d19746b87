"""Pages of programs and libraries that only the start needed: given back, so that what is resident is what is used.

To load a library its loader, its constructors and OpenSSL's self-tests walk through much of it: 20 MB, half of which no
call ever touches. They stay in the page cache; what a call needs of them is mapped again at a minor fault for 64 KiB.
"""

import ctypes
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_MAPPING: Final = re.compile(
    r"^(?P<line>(?P<start>[0-9a-f]+)-(?P<end>[0-9a-f]+) r-.. \S+ \S+ \S+ +/.*)\n(?P<figures>(?:\w+: .*\n)*)",
    re.MULTILINE,
)
_OWN_PAGES: Final = re.compile(r"^Anonymous: +[1-9]", re.MULTILINE)
_DONTNEED: Final = 4
"""``MADV_DONTNEED`` of madvise(2): pages of a file are read from it again when they are touched."""


def unchanged_mappings(smaps: str, maps: str) -> Iterator[tuple[int, int]]:
    """Where pages of files lie that cannot be written to, and none of which was: start and end.

    None where the two contradict each other: under qemu's emulation of a processor only ``maps`` has our addresses.
    """
    mappings = [*_MAPPING.finditer(smaps)]
    ours = {" ".join(line.split()) for line in maps.splitlines()}
    if not ours.issuperset(" ".join(mapping["line"].split()) for mapping in mappings):
        return
    for mapping in mappings:
        if not _OWN_PAGES.search(mapping["figures"]):
            yield int(mapping["start"], 16), int(mapping["end"], 16)


def give_back() -> None:
    """All of them; where the system does not tell which ones they are, none."""
    libc = ctypes.CDLL(None)
    with suppress(OSError):
        smaps = Path("/proc/self/smaps").read_text(errors="replace")
        maps = Path("/proc/self/maps").read_text(errors="replace")
        for start, end in unchanged_mappings(smaps, maps):
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONTNEED)
