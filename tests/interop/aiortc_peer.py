"""aiortc as the other end of a call, in a process of its own: JSON lines on standard input and output.

``{"do": "offer"}`` (with ``"picture": true`` also of video), ``{"do": "answer", "sdp": …}`` (answer this offer),
``{"do": "accept", "sdp": …}`` (take this answer), ``{"do": "candidate", …}``, ``{"do": "report"}`` (what was heard so
far) and ``{"do": "close"}``. Replies come in the same order. The WAV file named on the command line is played in a
loop; an RTCIceServer behind it, in JSON, is the relay by which alone the peer calls.

Data channels: ``{"do": "open", "label": …, …}`` (with the options of ``createDataChannel``), ``{"do": "send",
"label": …, "messages": […]}``, ``{"do": "receive", "label": …, "count": …}`` (waits for so many) and ``{"do": "shut",
"label": …}`` (waits until the channel is closed). A message is ``{"text": …}`` or ``{"bytes": …}`` in base64.
"""

import asyncio
import base64
import contextlib
import fractions
import json
import sys
import time
import wave
from typing import Any

import aioice.ice
import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp
from av import AudioFrame

FRAME_MS = 20

# aioice leaves loopback out; the tests need nothing else.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class WavTrack(MediaStreamTrack):
    """Plays a mono 16-bit WAV file in a loop, in real time."""

    kind = "audio"

    def __init__(self, path: str) -> None:
        super().__init__()
        with wave.open(path, "rb") as file:
            self._rate = file.getframerate()
            self._pcm = file.readframes(file.getnframes())
        self._samples = self._rate * FRAME_MS // 1000
        self._position = 0
        self._start: float | None = None

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, when they are due."""
        if self._start is None:
            self._start = time.monotonic()
        due = self._start + self._position / self._rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        offset = self._position * 2 % (len(self._pcm) - self._samples * 2)
        frame = av.AudioFrame(format="s16", layout="mono", samples=self._samples)
        frame.planes[0].update(self._pcm[offset : offset + self._samples * 2])
        frame.sample_rate, frame.pts = self._rate, self._position
        frame.time_base = fractions.Fraction(1, self._rate)
        self._position += self._samples
        return frame


class Channel:
    """One data channel and what came over it."""

    def __init__(self, channel: RTCDataChannel) -> None:
        self._channel = channel
        self._received: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._closed = asyncio.Event()
        channel.on("message", self._received.put_nowait)
        channel.on("close", self._closed.set)

    def send(self, messages: list[dict[str, str]]) -> None:
        """Send all of them."""
        for message in messages:
            self._channel.send(message["text"] if "text" in message else base64.b64decode(message["bytes"]))

    async def receive(self, count: int) -> list[dict[str, str]]:
        """So many messages, as soon as they are there."""
        messages = [await self._received.get() for _ in range(count)]
        return [
            {"text": message} if isinstance(message, str) else {"bytes": base64.b64encode(message).decode()}
            for message in messages
        ]

    async def shut(self) -> None:
        """Close, and wait until the peer has closed too."""
        self._channel.close()
        await self._closed.wait()


class Peer:
    """One RTCPeerConnection, what it hears and its data channels by label."""

    def __init__(self, wav: str, *relays: str) -> None:
        self.pc = RTCPeerConnection(
            RTCConfiguration(
                iceServers=[RTCIceServer(**json.loads(relay)) for relay in relays],  # without, it asks a public one
                iceTransportPolicy=RTCIceTransportPolicy.RELAY if relays else RTCIceTransportPolicy.ALL,
            )
        )
        self.heard = bytearray()
        self.channels: dict[str, Channel] = {}
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=16000)
        self._tasks: set[asyncio.Task[None]] = set()
        self._track = WavTrack(wav)
        self.pc.on("track", self._on_track)
        self.pc.on("datachannel", self._on_data_channel)

    def _on_data_channel(self, channel: RTCDataChannel) -> None:
        self.channels[channel.label] = Channel(channel)

    def _on_track(self, track: MediaStreamTrack) -> None:
        task = asyncio.ensure_future(self._listen(track))
        self._tasks.add(task)

    async def _listen(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                received = await track.recv()
                assert isinstance(received, AudioFrame)
                for frame in self._resampler.resample(received):
                    self.heard += bytes(frame.planes[0])[: frame.samples * 2]

    async def do(self, request: dict[str, object]) -> dict[str, object]:
        """Carry out one request."""
        match request["do"]:
            case "offer":
                if not self.pc.getSenders():
                    self.pc.addTrack(self._track)
                    if request.get("picture"):
                        self.pc.addTrack(VideoStreamTrack())
                await self.pc.setLocalDescription(await self.pc.createOffer())
                return {"sdp": self.pc.localDescription.sdp}
            case "accept":
                await self.pc.setRemoteDescription(RTCSessionDescription(str(request["sdp"]), "answer"))
            case "answer":
                await self.pc.setRemoteDescription(RTCSessionDescription(str(request["sdp"]), "offer"))
                self.pc.addTrack(self._track)
                await self.pc.setLocalDescription(await self.pc.createAnswer())
                return {"sdp": self.pc.localDescription.sdp}
            case "candidate":
                candidate = candidate_from_sdp(str(request["candidate"]).removeprefix("candidate:"))
                candidate.sdpMid = str(request["sdpMid"])
                await self.pc.addIceCandidate(candidate)
            case "report":
                return {"state": self.pc.connectionState, "heard": base64.b64encode(self.heard).decode()}
            case "close":
                await self.pc.close()
            case _:
                return await self._do_with_channel(request)
        return {}

    async def _do_with_channel(self, request: dict[str, Any]) -> dict[str, object]:
        options = {name: value for name, value in request.items() if name not in ("do", "label")}
        label = request["label"]
        match request["do"]:
            case "open":
                self.channels[label] = Channel(self.pc.createDataChannel(label, **options))
            case "send":
                self.channels[label].send(options["messages"])
            case "receive":
                return {"messages": await self.channels[label].receive(options["count"])}
            case "shut":
                await self.channels.pop(label).shut()
        return {}


async def main() -> None:
    """Serve requests until standard input ends."""
    peer = Peer(*sys.argv[1:])
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        reply = await peer.do(json.loads(line))
        print(json.dumps(reply), flush=True)
    await peer.pc.close()


asyncio.run(main())
