"""aiortc's SCTP as the other end, in a process of its own: ``aiortc_peer.py client|server HOST PORT``.

What DTLS would carry goes over UDP as it is. It echoes every message; ``close`` closes the channel, ``open LABEL``
opens another one on which it says hello. It lives until its standard input ends.
"""

import asyncio
import contextlib
import sys

from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport


class Dtls(asyncio.DatagramProtocol):
    """As much of aiortc's DTLS transport as its SCTP transport uses."""

    state = "connected"

    def __init__(self, role: str) -> None:
        self._role = role
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._udp = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.arrived.put_nowait(data)

    async def _send_data(self, data: bytes) -> None:
        self._udp.sendto(data)

    def _register_data_receiver(self, receiver: RTCSctpTransport) -> None:
        self._pump = asyncio.create_task(self._deliver(receiver))

    def _unregister_data_receiver(self, receiver: RTCSctpTransport) -> None:
        self._pump.cancel()

    async def _deliver(self, receiver: RTCSctpTransport) -> None:
        while True:
            await receiver._handle_data(await self.arrived.get())


def serve(sctp: RTCSctpTransport, channel: RTCDataChannel) -> None:
    """Do what messages on ``channel`` say."""

    def on_message(message: str | bytes) -> None:
        if message == "close":
            channel.close()
        elif isinstance(message, str) and message.startswith("open "):
            other = RTCDataChannel(sctp, RTCDataChannelParameters(label=message.removeprefix("open ")))
            other.on("open", lambda: other.send("hello"))
            serve(sctp, other)
        else:
            channel.send(message)

    channel.on("message", on_message)


async def main(role: str, host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    _, dtls = await loop.create_datagram_endpoint(lambda: Dtls(role), remote_addr=(host, port))
    sctp = RTCSctpTransport(dtls)  # type: ignore[arg-type]
    sctp.on("datachannel", lambda channel: serve(sctp, channel))
    await sctp.start(RTCSctpCapabilities(maxMessageSize=262144), 5000)
    await loop.run_in_executor(None, sys.stdin.read)
    with contextlib.suppress(ConnectionError):
        await sctp.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
