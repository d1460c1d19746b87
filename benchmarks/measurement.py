"""One run: a server, so many callers, and what was read off both."""

import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from benchmarks.machine import Noise, Watch
from benchmarks.processes import (
    CALLERS_CORE,
    HERE,
    SERVER_CORE,
    Checkout,
    cpu_seconds,
    json_from,
    resident_kib,
    running,
)
from benchmarks.scenarios import Kind, Scenario
from benchmarks.servers import Server, server_for
from benchmarks.speech import FRAME_MS, FRAMES_PER_SECOND
from benchmarks.spread import percentile

DTLS_KIB: Final = 79
"""An OpenSSL connection."""
CODEC_SECONDS: Final = 1.5
LATE_MS: Final = FRAME_MS
"""A packet that comes this much later than its call's earliest has kept its listener waiting for a frame."""


@dataclass(frozen=True, slots=True)
class CodecCost:
    """Milliseconds of CPU time for each second of a stream, and KiB of its states: see ``codec_cost``."""

    hot: float
    in_place: float
    kib: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """Of one run. Times are in milliseconds; ``late`` and ``returned`` are shares (0–1).

    CPU time is shared out among the seconds of sound that came back, for a server that drops packets works less.
    """

    cpu: float
    """For each second of a call."""
    resident_kib: float
    """For each call."""
    own_kib: float
    """The same without the states of codec and DTLS; not a number for aiortc."""
    answer_p50: float
    first_audio_p50: float
    first_audio_p99: float
    lateness_p50: float
    lateness_p99: float
    late: float
    """Packets that came late, or not at all."""
    returned: float
    """Packets that came back; a little above 1 where the window's ends fall so."""
    codec: CodecCost
    """Measured just before, for as many streams as there are calls."""
    noise: Noise

    @classmethod
    def failed(cls, codec: CodecCost, noise: Noise) -> "Measurement":
        """Of calls that did not come up: no figures, and all packets late."""
        nan = math.nan
        return cls(
            cpu=nan,
            resident_kib=nan,
            own_kib=nan,
            answer_p50=nan,
            first_audio_p50=nan,
            first_audio_p99=nan,
            lateness_p50=nan,
            lateness_p99=nan,
            late=1.0,
            returned=0.0,
            codec=codec,
            noise=noise,
        )


class CallsFailed(Exception):
    """The callers have ended too early, and have said why on standard error."""


def measure(scenario: Scenario, seconds: float, checkout: Checkout = HERE) -> Measurement:
    """The codec alone; then start the server, let one caller warm it up, and let the others talk for ``seconds``.

    Calls may not come up, as where a core is to carry far more than it can: see ``Measurement.failed``.
    """
    codec = codec_cost(scenario)
    with server_for(scenario, checkout) as server, callers_of(server, scenario, seconds) as callers:
        watch = Watch({SERVER_CORE: server.pid, CALLERS_CORE: callers.pid})
        try:
            return _measure_calls(scenario, codec, server, callers)
        except CallsFailed:
            return Measurement.failed(codec, watch.noise())


def _measure_calls(scenario: Scenario, codec: CodecCost, server: Server, callers: subprocess.Popen[str]) -> Measurement:
    wait_for("warm", callers)
    resident_before = resident_kib(server.pid)
    wait_for("steady", callers)
    watch = Watch({SERVER_CORE: server.pid, CALLERS_CORE: callers.pid})
    cpu_before = cpu_seconds(server.pid)
    wait_for("over", callers)
    cpu = cpu_seconds(server.pid) - cpu_before
    noise = watch.noise()
    resident = (resident_kib(server.pid) - resident_before) / scenario.calls
    assert callers.stdout
    seen = json.loads(callers.stdout.readline())
    return Measurement(
        cpu=cpu * 1e3 * FRAMES_PER_SECOND / max(1, sum(seen["packets"])),
        resident_kib=resident,
        own_kib=resident - _foreign_kib(scenario, codec),
        answer_p50=percentile(seen["answer"], 50),
        first_audio_p50=percentile(seen["first_audio"], 50),
        first_audio_p99=percentile(seen["first_audio"], 99),
        lateness_p50=percentile(seen["lateness"], 50),
        lateness_p99=percentile(seen["lateness"], 99),
        late=late_share(seen["lateness"], seen["packets"], seen["packets_due"]),
        returned=sum(seen["packets"]) / (seen["packets_due"] * scenario.calls),
        codec=codec,
        noise=noise,
    )


def codec_cost(scenario: Scenario) -> CodecCost:
    """What the codec alone would cost that scenario."""
    options = {
        "streams": scenario.calls,
        "rate": scenario.sample_rate,
        "complexity": scenario.complexity,
        "seconds": CODEC_SECONDS,
    }
    return CodecCost(**json_from(["-m", "benchmarks.codec_cost", *arguments_of(options)], SERVER_CORE))


def late_share(lateness: Sequence[float], packets: Sequence[int], due: int) -> float:
    """The share of ``due`` packets for each call that came late or not at all; ``packets`` are those that came.

    A call whose packet fell out of the window at one of its ends has lost none.
    """
    missing = sum(max(0, due - came - 1) for came in packets)
    late = sum(value > LATE_MS for value in lateness)
    return (late + missing) / (due * len(packets))


def _foreign_kib(scenario: Scenario, codec: CodecCost) -> float:
    match scenario.kind:
        case Kind.ECHO:
            return codec.kib + DTLS_KIB
        case Kind.PASS_THROUGH:
            return DTLS_KIB
        case Kind.AIORTC:
            return math.nan


def callers_of(server: Server, scenario: Scenario, seconds: float) -> AbstractContextManager[subprocess.Popen[str]]:
    """The process that makes the scenario's calls: see ``load``."""
    options = {
        "server": server.kind,
        "port": server.port,
        "calls": scenario.calls,
        "rate": scenario.opening_rate,
        "seconds": seconds,
    }
    return running(["-m", "benchmarks.load", *arguments_of(options)], CALLERS_CORE)


def wait_for(phase: str, process: subprocess.Popen[str]) -> None:
    """Until the process has said that this phase has come, else ``CallsFailed``."""
    assert process.stdout
    said = process.stdout.readline().strip()
    if said != phase:
        raise CallsFailed


def arguments_of(options: Mapping[str, object]) -> list[str]:
    """For a command line."""
    return [f"--{name}={value}" for name, value in options.items()]
