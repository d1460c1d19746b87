"""A caller built on GStreamer's webrtcbin and libnice, as ../README.md describes it. It runs on Debian's own Python.

Where it trickles as usual, its caps are settled before it offers: ``OPUS/48000/2``. Else they are not: ``OPUS/48000``.
"""

import asyncio
import json
import struct
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gi
from websockets import WebSocketClientProtocol as Socket
from websockets import connect

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402  (versions come first)

FRAMES_PER_SECOND = 50
PIPELINE = """
    webrtcbin name=peer bundle-policy=max-bundle
    multifilesrc name=mouth loop=true ! rawaudioparse use-sink-caps=false sample-rate=48000 num-channels=1 ! clocksync
    ! audioconvert ! opusenc ! rtpopuspay ! capsfilter name=opus caps=application/x-rtp,encoding-name=OPUS,payload=97
    ! peer.
"""
EAR = "rtpopusdepay ! appsink name=ear emit-signals=true sync=false"


class Peer:
    """A webrtcbin; what its signals tell, in threads of their own, is there for asyncio."""

    def __init__(self, pcm: str) -> None:
        self.settled, self.connected = asyncio.Event(), asyncio.Event()
        self.candidates: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.texts: asyncio.Queue[str] = asyncio.Queue()
        self.payloads: asyncio.Queue[bytes] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._pipeline = Gst.parse_launch(PIPELINE)
        self._pipeline.get_by_name("mouth").set_property("location", pcm)
        self._pipeline.get_by_name("opus").get_static_pad("src").connect("notify::caps", self._handle_caps)
        self._peer = self._pipeline.get_by_name("peer")
        self._ice = self._peer.get_property("ice-agent")  # kept, since it ends with this wrapper
        self._ice.emit("add-local-ip-address", "127.0.0.1")
        self._peer.connect("notify::connection-state", self._handle_connection_state)
        self._peer.connect("notify::ice-gathering-state", self._handle_gathering_state)
        self._peer.connect("on-ice-candidate", self._handle_candidate)
        self._peer.connect("pad-added", self._handle_pad)
        self._pipeline.set_state(Gst.State.READY)
        self._chat = self._peer.emit("create-data-channel", "chat", None)
        self._chat.connect("on-message-string", self._handle_text)

    def play(self) -> None:
        """Say the speech over and over. What is due before the connection is there goes out together with it."""
        self._pipeline.set_state(Gst.State.PLAYING)

    async def offer(self) -> str:
        reply = await self._ask("create-offer", None)
        offer = reply.get_value("offer")  # lives as long as the reply
        await self._ask("set-local-description", offer)
        return str(offer.sdp.as_text())

    async def accept(self, sdp: str) -> None:
        _, message = GstSdp.SDPMessage.new_from_text(sdp)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        await self._ask("set-remote-description", answer)

    def add_candidate(self, candidate: dict[str, Any]) -> None:
        self._peer.emit("add-ice-candidate", candidate["sdpMLineIndex"], candidate["candidate"])

    def write(self, text: str) -> None:
        self._chat.emit("send-string", text)

    def close(self) -> None:
        self._pipeline.set_state(Gst.State.NULL)

    async def _ask(self, signal: str, argument: object) -> Any:
        """Emit a signal that takes a promise; returns what it is kept with."""
        kept = self._loop.create_future()
        promise = Gst.Promise.new_with_change_func(lambda promise: self._tell(kept.set_result, promise.get_reply()))
        self._peer.emit(signal, argument, promise)
        return await kept

    def _tell(self, listener: Callable[..., object], *news: object) -> None:
        self._loop.call_soon_threadsafe(listener, *news)

    def _handle_caps(self, pad: Gst.Pad, _: object) -> None:
        self._tell(self.settled.set)

    def _handle_connection_state(self, peer: Gst.Element, _: object) -> None:
        if peer.get_property("connection-state") == GstWebRTC.WebRTCPeerConnectionState.CONNECTED:
            self._tell(self.connected.set)

    def _handle_candidate(self, _: Gst.Element, index: int, candidate: str) -> None:
        self._tell(self.candidates.put_nowait, {"candidate": candidate, "sdpMLineIndex": index})

    def _handle_gathering_state(self, peer: Gst.Element, _: object) -> None:
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            self._tell(self.candidates.put_nowait, None)

    def _handle_text(self, _: object, text: str) -> None:
        self._tell(self.texts.put_nowait, text)

    def _handle_pad(self, _: Gst.Element, pad: Gst.Pad) -> None:
        if pad.direction == Gst.PadDirection.SRC:
            ear = Gst.parse_bin_from_description(EAR, True)
            ear.get_by_name("ear").connect("new-sample", self._handle_payload)
            self._pipeline.add(ear)
            ear.sync_state_with_parent()
            pad.link(ear.get_static_pad("sink"))

    def _handle_payload(self, ear: Gst.Element) -> Gst.FlowReturn:
        payload = ear.emit("pull-sample").get_buffer()
        self._tell(self.payloads.put_nowait, payload.extract_dup(0, payload.get_size()))
        return Gst.FlowReturn.OK


def main() -> None:
    order = json.loads(sys.argv[1])
    Gst.init(None)
    payloads = asyncio.run(place_call(order))
    framed = [struct.pack("!H", len(payload)) + payload for payload in payloads]
    Path(order["received_packets"]).write_bytes(b"".join(framed))


async def place_call(order: dict[str, Any]) -> list[bytes]:
    """From the creation of a session to its end; returns the payloads that were heard."""
    async with connect(create_session(order)) as socket, asyncio.TaskGroup() as tasks:
        peer, answered = Peer(order["pcm"]), asyncio.Event()
        closed = tasks.create_task(receive(peer, socket, answered))
        await negotiate(peer, socket, answered, order["trickle"])
        await peer.connected.wait()
        tell(event="connected")
        payloads = await talk(peer, order)
        if order["ending"] == "caller":
            await socket.close()
            peer.close()
        else:
            peer.write("hangup")
        tell(event="closed", reason=await closed)
    return payloads


def create_session(order: dict[str, Any]) -> str:
    """Returns the URL of its WebSocket."""
    request = urllib.request.Request(
        f"{order['url']}/api/websession/initiate",
        json.dumps({"campaignId": order["campaign"]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return str(json.load(response)["websocketUrl"])


async def negotiate(peer: Peer, socket: Socket, answered: asyncio.Event, trickle: str) -> None:
    """Offer, and trickle as told."""
    if trickle == "normal":
        peer.play()
        await peer.settled.wait()
    await send(socket, type="offer", sdp=await peer.offer())
    if trickle != "normal":
        await answered.wait()
        peer.play()
    while trickle != "none" and (candidate := await peer.candidates.get()):
        await send(socket, type="candidate", candidate=candidate)


async def receive(peer: Peer, socket: Socket, answered: asyncio.Event) -> str:
    """Runs until the gateway closes the socket; returns the reason."""
    async for text in socket:
        message = json.loads(text)
        if message["type"] == "answer":
            await peer.accept(message["sdp"])
            answered.set()
        elif message["type"] == "candidate" and message.get("candidate"):
            peer.add_candidate(message["candidate"])
        elif message["type"] == "error" and message["code"] != "TOO_MANY_DATAGRAMS":  # the machine is busy
            raise RuntimeError(f"{message['code']}: {message['message']}")
    return str(socket.close_reason)


async def talk(peer: Peer, order: dict[str, Any]) -> list[bytes]:
    """Read the greeting, have both texts echoed, and return the payloads that were heard meanwhile."""
    tell(event="text", text=await peer.texts.get())
    peer.write(order["texts"][0])
    tell(event="text", text=await peer.texts.get())
    payloads = [await peer.payloads.get() for _ in range(order["seconds"] * FRAMES_PER_SECOND)]
    peer.write(order["texts"][1])
    tell(event="text", text=await peer.texts.get())
    return payloads


async def send(socket: Socket, **message: object) -> None:
    await socket.send(json.dumps(message))


def tell(**event: str) -> None:
    print(json.dumps(event), flush=True)


main()
