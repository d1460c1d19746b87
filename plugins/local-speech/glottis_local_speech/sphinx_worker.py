"""The process of the recogniser ``pocketsphinx``: reads turns from standard input, and writes a line for each.

A turn is its length in bytes, of four bytes, and its samples at 16 kHz; a line is what was understood, as JSON.
"""

import json
import struct
import sys
from typing import BinaryIO, Final

HEADER: Final = struct.Struct("<I")
MAX_BYTES: Final = 2 * 16000 * 600


def main() -> None:
    """Until standard input ends, as it does when the gateway has."""
    from pocketsphinx import Decoder  # type: ignore[import-not-found, import-untyped, unused-ignore]

    decoder = Decoder(lm=None, jsgf=sys.argv[1], samprate=16000.0, loglevel="FATAL")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while (pcm := _turn(sys.stdin.buffer)) is not None:
        decoder.start_utt()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        sys.stdout.write(json.dumps(found.hypstr if found is not None else "") + "\n")
        sys.stdout.flush()


def _turn(file: BinaryIO) -> bytes | None:
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (length,) = HEADER.unpack(header)
    return file.read(length) if length <= MAX_BYTES else None


if __name__ == "__main__":
    main()
