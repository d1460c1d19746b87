import mmap
import re
from pathlib import Path

from glottis.server.runtime.start_pages import give_back, unchanged_mappings

SMAPS = """\
1000-3000 r-xp 00000000 fe:00 260850                     /usr/lib/library.so
Rss:                   8 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
3000-4000 r--p 00002000 fe:00 260850                     /usr/lib/library.so
Rss:                   4 kB
Anonymous:             4 kB
VmFlags: rd mr mw me
4000-5000 rw-p 00003000 fe:00 260850                     /usr/lib/library.so
Rss:                   4 kB
Anonymous:             0 kB
VmFlags: rd wr mr mw me
5000-6000 r--p 00000000 00:00 0
Rss:                   4 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
6000-8000 r-xp 00000000 00:00 0                          [vdso]
Rss:                   4 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
8000-a000 r--p 00000000 fe:00 260851                     /usr/lib/a name with blanks.so
Rss:                   8 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
"""


def resident_of(path: Path) -> int:
    """KiB of the file that this process has mapped in."""
    found = re.search(rf" {re.escape(str(path))}\n(?:.*\n)*?Rss: +(\d+)", Path("/proc/self/smaps").read_text())
    assert found
    return int(found[1])


def test_only_what_was_written_by_nobody_is_given_back() -> None:
    """Relocations lie in pages that cannot be written to any more: without them a library crashes."""
    assert list(unchanged_mappings(SMAPS, SMAPS)) == [(0x1000, 0x3000), (0x8000, 0xA000)]


def test_addresses_of_an_emulator_are_not_ours() -> None:
    maps = SMAPS.replace("260851                     ", "260851 ")
    assert list(unchanged_mappings(SMAPS, maps))
    assert not list(unchanged_mappings(SMAPS, maps.replace("1000-3000 r-xp", "2000-4000 r-xp")))


def test_what_was_given_back_is_read_from_its_file_again(tmp_path: Path) -> None:
    path = tmp_path / "library"
    path.write_bytes(b"\1" * 0x40000)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping:
        assert sum(mapping[::4096]) == 64
        assert resident_of(path) == 256
        give_back()
        assert resident_of(path) == 0
        assert sum(mapping[::4096]) == 64
