"""What Opus alone costs: decoding and encoding in a process of its own, as plain a loop as there can be.

Run by ``python -m benchmarks``; prints JSON. The more streams take turns, the less of their state the processor's cache
holds, and the more the same work costs: so one stream is measured, and as many as there are calls.
"""

import argparse
import json
import time

from glottis.contracts.codec import CodecSpec

from benchmarks.speech import ENCODER, FRAMES_PER_SECOND, SAMPLE_RATE, opus, speech_packets


def milliseconds_per_call_second(codec: CodecSpec, payloads: list[bytes], streams: int, frames: int) -> float:
    """CPU time to decode and encode a second of each of ``streams``, the mean over ``frames`` of each."""
    coders = [(codec.create_decoder(SAMPLE_RATE).decode, codec.create_encoder(ENCODER).encode) for _ in range(streams)]
    count = len(payloads)
    begin = time.process_time()
    for number in range(frames):
        for stream, (decode, encode) in enumerate(coders):  # each is at another place of the speech, as calls are
            encode(decode(payloads[(number + 7 * stream) % count]))
    return (time.process_time() - begin) / frames / streams * FRAMES_PER_SECOND * 1e3


def main() -> None:
    """Print both costs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, required=True)
    options = parser.parse_args()
    codec, payloads = opus(), speech_packets()
    frames = len(payloads)
    costs = {
        "one_stream": milliseconds_per_call_second(codec, payloads, 1, 10 * frames),
        "many_streams": milliseconds_per_call_second(codec, payloads, options.streams, frames),
    }
    print(json.dumps(costs))


if __name__ == "__main__":
    main()
