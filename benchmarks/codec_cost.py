"""What Opus alone costs: decoding and encoding in a process of its own, as plain a loop as there can be.

Run by ``python -m benchmarks``; prints JSON. ``hot`` is one stream in a loop, all of whose state the processor's cache
holds. ``in_place`` is the same work where the gateway has it: as many streams as there are calls, woken every 5 ms for
a quarter of them, so that the cache holds little of any, and the processor has slept.
"""

import argparse
import ctypes
import json
import os
import time
from collections.abc import Callable
from typing import Final

from glottis.contracts.codec import CodecSpec

from benchmarks.processes import resident_kib
from benchmarks.speech import FRAMES_PER_SECOND, encoder_settings, opus, speech_packets

SLOTS: Final = 4
SLOT_SECONDS: Final = 0.005
HOT_FRAMES: Final = 1200

Coder = Callable[[bytes], bytes]
"""Decodes a payload, and encodes it again."""


def make_coder(codec: CodecSpec, sample_rate: int, complexity: int) -> Coder:
    """For one stream, with a decoder and an encoder of its own."""
    decode = codec.create_decoder(sample_rate).decode
    encode = codec.create_encoder(encoder_settings(sample_rate, complexity)).encode

    def code(payload: bytes) -> bytes:
        return encode(decode(payload))

    return code


def hot(coder: Coder, payloads: list[bytes]) -> float:
    """CPU milliseconds for each second of one stream, in a loop."""
    begin = time.thread_time()
    for number in range(HOT_FRAMES):
        coder(payloads[number % len(payloads)])
    return (time.thread_time() - begin) / HOT_FRAMES * FRAMES_PER_SECOND * 1e3


def in_place(coders: list[Coder], payloads: list[bytes], seconds: float) -> float:
    """CPU milliseconds for each second of each stream, where all of them are served in real time."""
    spent, frames = 0.0, 0
    start = time.monotonic()
    for turn in range(max(SLOTS, round(seconds / SLOT_SECONDS))):
        due = start + turn * SLOT_SECONDS
        time.sleep(max(0.0, due - time.monotonic()))
        begin = time.thread_time()
        for stream in range(turn % SLOTS, len(coders), SLOTS):
            # they are spread over the speech, as calls are
            place = turn // SLOTS + stream * len(payloads) // len(coders)
            coders[stream](payloads[place % len(payloads)])
            frames += 1
        spent += time.thread_time() - begin
    return spent / frames * FRAMES_PER_SECOND * 1e3


def main() -> None:
    """Print both costs, and what the states of a stream take of memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--rate", type=int, required=True, help="of the samples, hertz")
    parser.add_argument("--complexity", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    codec, payloads = opus(), speech_packets()
    one = make_coder(codec, options.rate, options.complexity)
    costs = {"hot": hot(one, payloads)}
    pid = os.getpid()
    ctypes.CDLL(None).malloc_trim(0)  # what making the speech has left free would hold the states, unseen
    before = resident_kib(pid)
    coders = [make_coder(codec, options.rate, options.complexity) for _ in range(options.streams)]
    costs["in_place"] = in_place(coders, payloads, options.seconds)
    costs["kib"] = (resident_kib(pid) - before) / options.streams
    print(json.dumps(costs))


if __name__ == "__main__":
    main()
