"""Session descriptions as no correct peer writes them."""

import random
import re

# Python refuses to read numbers of more than 4300 digits, with an error that must not escape.
TOKENS = [
    "9" * 4301,
    "",
    "0",
    "9",
    "-1",
    "65536",
    "4294967296",
    "BUNDLE",
    "audio",
    "UDP/DTLS/SCTP",
    "webrtc-datachannel",
    "٣",
    "a=x",
]


def mutated(text: str, others: list[str], rng: random.Random) -> str:
    """Lines dropped, repeated, swapped and taken from others; words of lines replaced."""
    lines = text.splitlines()
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(lines))
        match rng.randrange(4):
            case 0:
                del lines[at : at + rng.choice((1, 1, 5))]
            case 1:
                lines.insert(at, rng.choice(lines))
            case 2:
                lines.insert(at, rng.choice(rng.choice(others).splitlines() or ["a=x"]))
            case _:
                words = re.split(r"([ :=;/])", lines[at])
                words[rng.randrange(len(words))] = rng.choice(TOKENS)
                lines[at] = "".join(words)
        lines = lines or ["v=0"]
    return "".join(f"{line}\r\n" for line in lines)
