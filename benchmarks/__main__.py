"""``make bench``: echo calls against glottis and against aiortc, in turn, beside what the codec costs alone.

The servers run on one core, the callers on another. CPU time is the server process's own over the steady window, so a
busy machine disturbs it little; lateness and the times of setup suffer from whatever else runs on these cores.
"""

import argparse
import os
from statistics import mean
from typing import Final

from benchmarks.measurement import Measurement, measure, percentile
from benchmarks.processes import CALLERS_CORE, SERVER_CORE, json_from, output_of
from benchmarks.report import Aim, print_aims, print_measurements
from benchmarks.servers import aiortc, glottis
from benchmarks.speech import COMPLEXITY

AIORTC_CALLS: Final = 8
"""As many as a core can bear; more would not cost more, but stutter."""
HIGH_LOAD: Final = 0.7
CODEC_STATES_KIB: Final = 73
"""An Opus encoder and decoder."""
DTLS_KIB: Final = 79
"""An OpenSSL connection."""


def main() -> None:
    """Measure, and print each table when it is ready."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--calls", type=int, default=50, help="simultaneous calls (default: 50)")
    parser.add_argument("--aiortc-calls", type=int, default=AIORTC_CALLS, help="the same for aiortc (default: 8)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each steady window (default: 10)")
    options = parser.parse_args()
    calls, seconds = options.calls, options.seconds
    print(f"Opus 48 kHz, 20 ms, complexity {COMPLEXITY}; aiortc's is stereo at 96 kbit/s")
    print(
        f"servers on core {SERVER_CORE}, callers on core {CALLERS_CORE}; load before {os.getloadavg()[0]:.2f}",
        flush=True,
    )

    before = _codec_costs(calls)
    decoded = measure(glottis(encoded=False), calls, seconds)
    after = _codec_costs(calls)
    codec = {name: mean((before[name], after[name])) for name in before}
    beside = measure(aiortc(), min(calls, options.aiortc_calls), seconds)
    print_measurements("Echo of decoded audio", [("glottis", decoded), ("aiortc", beside)])
    _print_codec(codec, calls, decoded, beside)

    busy_calls = max(1, int(HIGH_LOAD * decoded.calls_per_core))
    busy = measure(glottis(encoded=False), busy_calls, seconds)
    print_measurements(f"The same at {HIGH_LOAD:.0%} load of one core", [("glottis", busy)])

    encoded = measure(glottis(encoded=True), calls, seconds)
    print_measurements("Echo of encoded packets", [("glottis", encoded)])

    print("\nData channel messages (SCTP alone)")
    print(output_of(["-m", "benchmarks.sctp"], SERVER_CORE), end="")
    print_aims(_aims(codec["one_stream"], decoded, beside, busy, encoded))


def _codec_costs(streams: int) -> dict[str, float]:
    costs: dict[str, float] = json_from(["-m", "benchmarks.codec_cost", f"--streams={streams}"], SERVER_CORE)
    return costs


def _print_codec(codec: dict[str, float], calls: int, decoded: Measurement, beside: Measurement) -> None:
    """The codec's share, alone in its process: with its state in the cache, and as many streams as calls in turn."""
    cpu = decoded.cpu_per_call_second
    for name, cost in (
        (f"codec alone, {calls} streams", codec["many_streams"]),
        ("codec alone, 1", codec["one_stream"]),
    ):
        print(f"{name:26}{'':14}{cost:14.2f}   glottis / codec {cpu / cost:.2f}")
    print(f"aiortc / glottis {beside.cpu_per_call_second / cpu:.1f}", flush=True)


def _aims(
    codec: float, decoded: Measurement, beside: Measurement, busy: Measurement, encoded: Measurement
) -> list[Aim]:
    cpu = decoded.cpu_per_call_second
    own_kib = decoded.resident_kib_per_call - CODEC_STATES_KIB - DTLS_KIB
    late = percentile(busy.lateness, 99)
    return [
        Aim("CPU of a call / codec alone", 1.35, cpu / codec, (decoded,)),
        Aim("CPU of a call, aiortc / glottis", 6, beside.cpu_per_call_second / cpu, (decoded, beside), at_least=True),
        Aim("CPU without decoding, ms per call-second", 3, encoded.cpu_per_call_second, (encoded,)),
        Aim("offer to answer, median, ms", 20, percentile(decoded.answer, 50), (decoded,)),
        Aim("offer to first audio, p99, ms", 150, percentile(decoded.first_audio, 99), (decoded,)),
        Aim("memory of a call beyond codec and DTLS, KiB", 150, own_kib, (decoded,)),
        Aim(f"lateness, p99, at {HIGH_LOAD:.0%} load, ms", 5, late, (busy,)),
    ]


if __name__ == "__main__":
    main()
