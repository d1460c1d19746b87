"""The callers: a process that opens many calls at a steady rate, talks, and notes what comes back.

Run by ``python -m benchmarks``, to which it says on standard output, line by line: ``steady`` when all calls are up,
``over`` at the end of the time to be measured, and then its results as JSON.
"""

import argparse
import json
import random
from collections.abc import Iterator
from typing import Final

import trio
from glottis.contracts.audio import EncodedPacket
from glottis.contracts.codec import CodecSpec
from glottis.dtls import Certificate
from glottis.media.driver import PeerDriver
from glottis.media.endpoint import UdpEndpoint
from glottis.media.scheduler import Scheduler
from glottis.peer import PeerConnection, PeerConnectionEvent, PeerSettings
from glottis.wire.address import Path
from glottis.wire.demux import PacketKind, classify

from benchmarks.recording import Recording, StampedSocket
from benchmarks.signaling import HOST, SIGNALING, Exchange
from benchmarks.speech import FRAMES_PER_SECOND, SAMPLE_RATE, endless, opus, speech_packets

SETTLING: Final = 2.0
"""Seconds between the last call's first audio and the steady window."""
SETUP_TIMEOUT: Final = 30.0


class RecordingDriver(PeerDriver):
    """A driver that notes the SRTP packets on their way in."""

    recording: Recording
    socket: StampedSocket

    def receive(self, data: bytes, path: Path) -> None:
        """See ``PeerDriver``."""
        if classify(data) is PacketKind.RTP:
            self.recording.note(data, self.socket.arrived_at)
        super().receive(data, path)


class Callers:
    """All calls of the process, on one wheel; each has a socket of its own, as callers in life have."""

    def __init__(self, server: str, port: int) -> None:
        self.recordings: list[Recording] = []
        self._server = server
        self._port = port
        self._scheduler = Scheduler()
        self._certificate = Certificate.generate()
        self._codec: CodecSpec = opus()
        self._payloads = speech_packets()
        self._rng = random.SystemRandom()
        self._hang_up = trio.Event()

    async def run(self, calls: int, rate: float, seconds: float) -> None:
        """Open all calls, keep them up for ``seconds`` after the last one has settled, and hang up."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._scheduler.run)
            async with trio.open_nursery() as call_nursery:
                await self._open(calls, rate, call_nursery)
                await trio.sleep(SETTLING)
                await self._measure(seconds)
                self._hang_up.set()
            nursery.cancel_scope.cancel()

    async def _open(self, calls: int, rate: float, nursery: trio.Nursery) -> None:
        start = trio.current_time()
        for number in range(calls):
            await trio.sleep_until(start + number / rate)
            self.recordings.append(Recording())
            nursery.start_soon(self._call, self.recordings[-1])
        with trio.fail_after(SETUP_TIMEOUT):
            for recording in self.recordings:
                await recording.heard.wait()

    async def _measure(self, seconds: float) -> None:
        for recording in self.recordings:
            recording.keeping = True
        print("steady", flush=True)
        await trio.sleep(seconds)
        print("over", flush=True)
        for recording in self.recordings:
            recording.keeping = False

    async def _call(self, recording: Recording) -> None:
        sock = StampedSocket.bound(HOST)
        with UdpEndpoint([sock]) as endpoint:
            async with SIGNALING[self._server](self._port) as exchange, trio.open_nursery() as nursery:
                nursery.start_soon(endpoint.run)
                driver = self._make_driver(endpoint)
                driver.recording, driver.socket = recording, sock
                try:
                    await self._connect(driver, recording, exchange)
                    await self._hang_up.wait()
                finally:
                    driver.close()
                nursery.cancel_scope.cancel()

    async def _connect(self, driver: PeerDriver, recording: Recording, exchange: Exchange) -> None:
        offer = driver.peer.make_offer()
        driver.pump()
        recording.offered_at = trio.current_time()
        answer = await exchange(offer)
        recording.answered_at = trio.current_time()
        driver.peer.accept_answer_untrusted(answer, recording.answered_at)
        driver.start_media()
        driver.pump()

    def _make_driver(self, endpoint: UdpEndpoint) -> RecordingDriver:
        peer = PeerConnection(
            PeerSettings((self._codec,), sample_rate=SAMPLE_RATE, max_message_size=None),
            certificate=self._certificate,
            local_addresses=endpoint.addresses,
            rng=self._rng,
        )
        return RecordingDriver(
            peer,
            endpoint=endpoint,
            scheduler=self._scheduler,
            handle_event=self._ignore_event,
            handle_error=self._fail,
            hear=_Speaker(peer, endless(self._payloads)).tick,
        )

    def _ignore_event(self, event: PeerConnectionEvent) -> None:
        pass

    def _fail(self, error: BaseException) -> None:
        raise error


class _Speaker:
    """Gives a peer connection one packet in every media tick."""

    def __init__(self, peer: PeerConnection, packets: Iterator[EncodedPacket]) -> None:
        self._voice = peer.voice
        self._packets = packets

    def tick(self, now: float) -> None:
        """Speak, if what was said before has been sent: before the connection is up nothing is."""
        if self._voice.queued == 0:
            self._voice.write_packet(next(self._packets))


def results(recordings: list[Recording], seconds: float) -> dict[str, object]:
    """What the parent process wants to know, times in milliseconds."""
    return {
        "answer": [(one.answered_at - one.offered_at) * 1e3 for one in recordings],
        "first_audio": [(one.first_audio_at - one.offered_at) * 1e3 for one in recordings],
        "lateness": [late * 1e3 for one in recordings for late in one.lateness()],
        "returned": sum(len(one.arrivals) for one in recordings) / (len(recordings) * seconds * FRAMES_PER_SECOND),
    }


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", choices=list(SIGNALING), required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="calls opened per second")
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    callers = Callers(options.server, options.port)
    await callers.run(options.calls, options.rate, options.seconds)
    print(json.dumps(results(callers.recordings, options.seconds)), flush=True)


if __name__ == "__main__":
    trio.run(_main)
