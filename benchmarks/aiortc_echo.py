"""aiortc as the server of echo calls: decodes what it hears, encodes it again and sends it back.

Signaling is the simplest there is: each TCP connection is a call, one JSON line with the offer, one with the answer.
aiortc's Opus encoder is set to the complexity that all are measured at; the bitrate of 96 kbit/s and stereo are fixed.
"""

import argparse
import asyncio
import json
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import aioice.ice
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import opus

from benchmarks.speech import COMPLEXITY

HOST: Final = "127.0.0.1"


async def serve_call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One call, until its caller closes the connection."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    @connection.on("track")
    def echo(track: MediaStreamTrack) -> None:
        connection.addTrack(track)

    try:
        line = await reader.readline()
        if not line:  # somebody has only looked whether the port is open
            return
        await connection.setRemoteDescription(RTCSessionDescription(json.loads(line)["sdp"], "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        writer.write(json.dumps({"sdp": connection.localDescription.sdp}).encode() + b"\n")
        await reader.read()
    finally:
        await connection.close()
        writer.close()


def lower_complexity() -> None:
    """Let every Opus encoder of aiortc work at ``COMPLEXITY``; its own is 10."""
    create = opus.OpusEncoder.__init__

    def create_less_complex(self: opus.OpusEncoder) -> None:
        create(self)
        self.codec.options = {**self.codec.options, "compression_level": str(COMPLEXITY)}

    opus.OpusEncoder.__init__ = create_less_complex  # type: ignore[method-assign]


def stay_on_loopback() -> None:
    """Gather the loopback address alone, which aioice leaves out: that is where the callers are."""

    def loopback(use_ipv4: bool, use_ipv6: bool) -> Iterable[str]:
        return [HOST]

    aioice.ice.get_host_addresses = loopback  # type: ignore[assignment]


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    server = await asyncio.start_server(serve_call, HOST, port, limit=1 << 20)
    await server.serve_forever()


def main() -> None:
    """Serve on the port that is named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    logging.getLogger("aioice").setLevel(logging.ERROR)
    lower_complexity()
    stay_on_loopback()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(options.port))


if __name__ == "__main__":
    main()
