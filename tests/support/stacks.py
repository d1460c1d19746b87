"""Callers built on other WebRTC stacks, each a process of its own: see ``tests/interop/callers/README.md``."""

import json
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import trio
from glottis import EncoderSettings
from glottis.server.gateway import Gateway
from glottis_opus import OpusDecoder, OpusEncoder

from support.audio import SPEECH, Samples, from_pcm, read_wav
from support.patience import PROCESS_PATIENCE

CALLERS = Path(__file__).parents[1] / "interop" / "callers"
RATE = 48000
FRAME_BYTES = 2 * RATE // 50

Ending = Literal["caller", "gateway"]
Trickle = Literal["normal", "none", "late"]


@dataclass(frozen=True, slots=True)
class Stack:
    """A caller: its name, and the command that gets an order as its last argument."""

    name: str
    command: Sequence[str | Path]


STACKS = [
    Stack("werift", ["node", CALLERS / "npm" / "werift.js"]),
    Stack("libdatachannel", ["node", CALLERS / "npm" / "libdatachannel.js"]),
    Stack("libwebrtc", ["node", CALLERS / "npm" / "libwebrtc.js"]),
    Stack("pion", [Path(sys.executable).with_name("pion-caller")]),
    Stack("gstreamer", ["/usr/bin/python3", CALLERS / "gstreamer" / "caller.py"]),
]


@dataclass(frozen=True, slots=True)
class Speech:
    """What callers say: samples at ``RATE``, and where callers find them, as they are and as Opus payloads of 20 ms."""

    samples: Samples
    pcm: Path
    packets: Path

    @classmethod
    def write(cls, directory: Path) -> "Speech":
        """Write both files."""
        recorded, rate = read_wav(SPEECH)
        count = len(recorded) * RATE // rate
        samples = np.interp(np.arange(count) * rate / RATE, np.arange(len(recorded)), recorded).astype(np.int16)
        speech = cls(samples.astype(np.float64), directory / "speech.pcm", directory / "speech.packets")
        speech.pcm.write_bytes(samples.tobytes())
        speech.packets.write_bytes(join_payloads(_encode(samples.tobytes())))
        return speech


@dataclass(frozen=True, slots=True)
class Report:
    """What a caller has told of its call, and the sound that it has received, at ``RATE``."""

    events: Sequence[dict[str, Any]]
    heard: Samples

    @property
    def texts(self) -> list[str]:
        """That have come over the data channel."""
        return [event["text"] for event in self.events if event["event"] == "text"]

    @property
    def close_reason(self) -> str:
        """Of the WebSocket."""
        reason: str = self.events[-1]["reason"]
        return reason


async def place_call(
    stack: Stack,
    gateway: Gateway,
    speech: Speech,
    directory: Path,
    *,
    texts: tuple[str, str],
    ending: Ending,
    trickle: Trickle,
    relay: Mapping[str, Any] | None = None,
) -> Report:
    """Run a caller until it has ended by itself; ``relay`` is the RTCIceServer by which alone it is to call."""
    received = {name: directory / name for name in ("received_packets", "received_pcm")}
    order = {
        "url": gateway.url,
        "campaign": "echo",
        "packets": speech.packets,
        "pcm": speech.pcm,
        "seconds": 3,
        "texts": texts,
        "ending": ending,
        "trickle": trickle,
        "relay": relay,
        **received,
    }
    events = directory / "events"
    with events.open("wb") as output, trio.move_on_after(PROCESS_PATIENCE) as patience:
        await trio.run_process([*stack.command, json.dumps(order, default=str)], stdout=output)
    assert not patience.cancelled_caught, f"{stack.name} came no further than {events.read_text()}"
    return Report([json.loads(line) for line in events.read_text().splitlines()], _heard(**received))


def _heard(received_packets: Path, received_pcm: Path) -> Samples:
    if received_pcm.exists():
        return from_pcm(received_pcm.read_bytes())
    decoder = OpusDecoder(RATE)
    return from_pcm(b"".join(map(decoder.decode, split_payloads(received_packets.read_bytes()))))


def _encode(pcm: bytes) -> Iterator[bytes]:
    encoder = OpusEncoder(EncoderSettings(RATE))
    for start in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
        yield encoder.encode(pcm[start : start + FRAME_BYTES])


def join_payloads(payloads: Iterable[bytes]) -> bytes:
    """Payloads, each with its length before it in two bytes of network order."""
    return b"".join(struct.pack("!H", len(payload)) + payload for payload in payloads)


def split_payloads(data: bytes) -> Iterator[bytes]:
    """What ``join_payloads`` has joined."""
    while data:
        (length,) = struct.unpack_from("!H", data)
        yield data[2 : 2 + length]
        data = data[2 + length :]
