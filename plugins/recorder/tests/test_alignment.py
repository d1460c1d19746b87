"""Every sound is where it was said, to the sample: in calls of the gateway, and in ten minutes of loss and jitter."""

import heapq
import random
import wave
from array import array
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis import (
    AgentSpec,
    AudioFrame,
    Call,
    CallInfo,
    CodecSpec,
    EncodedPacket,
    EncoderSettings,
    Statistics,
    hookimpl,
)
from glottis.rtp import AdaptiveDelay, AudioReceiver, AudioSender, PlainReader, PlainWriter
from glottis.wire.rtcp import is_rtcp
from glottis.wire.rtp import build_rtp
from glottis_recorder import DESK
from glottis_recorder.disk import Disk
from glottis_recorder.recording import Recording
from glottis_recorder.wav import WavFile
from support.gateway import CONFIG
from support.http import request
from support.memory import MemoryEndpoint, open_memory_exchange
from support.phone import Exchange, Phone, installed_codec

PCMU = installed_codec("PCMU")
MINUTES = 10
INTERVAL = 100
"""Frames between two clicks."""
SILENCE = b"\xff" * 160
CLICK = b"\xff" * 120 + b"\x80" + b"\xff" * 39
"""One sample is as loud as can be: late, since decoders fade in after what they have concealed."""
LOUDEST = AudioFrame(array("h", [32000] + [0] * 159).tobytes(), 8000)
LOUD = 20000


def clicks_in(path: Path) -> tuple[list[int], list[int]]:
    """Where they are in each channel, in samples at 8 kHz."""
    with wave.open(str(path)) as file:
        samples = array("h", file.readframes(file.getnframes()))
    left, right = (
        [index for index, sample in enumerate(samples[channel::2]) if abs(sample) > LOUD] for channel in (0, 1)
    )
    return left, right


def off_by(places: Sequence[int]) -> set[int]:
    """By how many samples the clicks are beside their places, seen from the first."""
    return {(place - places[0]) % (INTERVAL * 160) for place in places}


def record(path: Path, seed: int) -> int:
    """Ten minutes: a tenth of the caller's packets is lost, the others are up to 60 ms late, and ticks up to 5 ms.

    Says how many of the caller's clicks came in time to be heard.
    """
    rng = random.Random(seed)
    now, disk, heard = 0.0, Disk(), 0
    recording = Recording(
        CallInfo("s", "c"), lambda name, data: None, disk, partial(WavFile, path, 8000), lambda: now, None
    )

    def receive(packet: EncodedPacket, codec: CodecSpec) -> None:
        nonlocal heard
        heard += packet.payload == CLICK
        recording.packet_received(packet, codec)

    receiver = AudioReceiver(
        {0: PlainReader(PCMU)},
        sample_rate=8000,
        delay=AdaptiveDelay(0.005, 0.5, 0.02),
        watch=receive,
    )
    sender = AudioSender(
        ssrc=2,
        writer=PlainWriter(0),
        codec=PCMU,
        encoder=PCMU.create_encoder(EncoderSettings(sample_rate=8000)),
        sample_rate=8000,
        rng=rng,
    )
    sender.watch = recording.packet_sent
    on_the_way: list[tuple[float, int]] = []
    for tick in range(MINUTES * 60 * 50):
        now = tick * 0.02 + rng.uniform(0, 0.005)
        if rng.random() >= 0.1:
            heapq.heappush(on_the_way, (now + rng.uniform(0.02, 0.08), tick))
        while on_the_way and on_the_way[0][0] <= now:
            arrival, sent = heapq.heappop(on_the_way)
            payload = CLICK if sent % INTERVAL == 7 else SILENCE
            receiver.handle_rtp(build_rtp(0, sent & 0xFFFF, 12345 + sent * 160, 1, payload), arrival)
        receiver.next_packets(now)
        if tick % INTERVAL == 50:
            sender.write(LOUDEST.pcm)
        sender.next_packets(now)
        if tick % 3000 == 0:
            disk.wait_idle()  # which real time would see to
    recording.ended("over", Statistics())
    disk.wait_idle()
    return heard


@pytest.mark.slow
def test_ten_minutes_of_loss_and_jitter_are_aligned_to_the_sample_twice(tmp_path: Path) -> None:
    apart = []
    for seed in (1, 2):
        heard = record(tmp_path / f"{seed}.wav", seed)
        left, right = clicks_in(tmp_path / f"{seed}.wav")
        assert off_by(left) == off_by(right) == {0}
        assert len(right) == MINUTES * 60 * 50 / INTERVAL
        assert len(left) == heard > 0.7 * len(right)
        assert min(left[-1] - left[0], right[-1] - right[0]) > 0.97 * MINUTES * 60 * 8000
        apart.append((left[0] - right[0]) % (INTERVAL * 160))
    assert abs(apart[0] - apart[1]) <= 0.06 * 8000  # how late the first packet was


class Clicker(Phone):
    """Says nothing but clicks, over a network that loses a tenth of what it says."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange, (PCMU,), ice_lite=False)
        rng = random.Random(1)
        self._ticks = 0
        assert isinstance(self.endpoint, MemoryEndpoint)
        self.endpoint.let_pass(lambda data: data[0] < 128 or is_rtcp(data) or rng.random() >= 0.1)

    def _tick(self, now: float) -> None:
        payload = CLICK if self._ticks % INTERVAL == 5 else SILENCE
        self.peer.voice.write_packet(EncodedPacket(payload, "PCMU", 8000, 0, 160))
        self._ticks += 1


async def click(call: Call) -> None:
    """An agent that does the same, and is silent in between."""
    began = trio.current_time()
    for number in count(1):
        await trio.sleep_until(began + number * INTERVAL * 0.02)
        await call.say(LOUDEST)
        await call.drain()
        call.start_saying(bytes(16000))
        call.flush()


class Clicks:
    @hookimpl
    def register_agents(self) -> list[AgentSpec]:
        return [AgentSpec("clicks", lambda settings: click, sample_rate=8000)]


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["wav", "ogg"])
async def test_calls_of_the_gateway_are_recorded(
    ending: str, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    config = f"""{CONFIG}
    [media]
    codecs = ["PCMU"]

    [campaigns.clicks]
    agent = "clicks"
    extensions = ["recorder"]

    [extensions.settings.recorder]
    directory = "{tmp_path / "recordings"}"
    sample_rate = 8000
    format = "{ending}"

    [routes]
    enabled = ["recordings"]
    """
    async with open_memory_exchange(tmp_path, config, [Clicks()]) as exchange:
        phone = Clicker(exchange)
        exchange.nursery.start_soon(phone.run)
        await phone.connect("clicks", metadata={"recordingConsent": True})
        await trio.sleep(7)
        await phone.hang_up()
        autojump_clock.autojump_threshold = (
            5  # threads write and read the file, for which a clock that jumps does not wait
        )
        await trio.to_thread.run_sync(DESK.disk.wait_idle)
        own = f"/api/plugins/recordings/own/{phone.session_id}"
        reply = await request(exchange.gateway, "GET", own, connect=exchange.network.connect)
        autojump_clock.autojump_threshold = 0.5
    assert DESK.directories == []
    path = tmp_path / "recordings" / f"{phone.session_id}.{ending}"
    assert (reply.status, reply.headers["content-type"]) == (200, f"audio/{ending}")
    assert reply.body == path.read_bytes()
    assert phone.socket.events("recording") == [{"state": "started", "file": f"{phone.session_id}.{ending}"}]
    if ending == "wav":
        left, right = clicks_in(path)
        assert off_by(left) == off_by(right) == {0}
        assert min(len(left), len(right)) >= 2
    else:
        assert path.stat().st_size > 3000
