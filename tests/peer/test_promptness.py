"""What is heard and said waits for no tick: the wheel follows the caller's packets, and what the agent answers."""

import random

import pytest
from glottis import EncodedPacket
from glottis.contracts.audio import FRAME_SECONDS
from glottis.media.ring import SLOT
from glottis.rtp.delay import DEFAULT_TARGET_DELAY
from glottis.testing.peers import VirtualCall
from support.real_call import LINEAR, RATE
from support.seeds import seeds

FRAME = bytes(2 * round(RATE * FRAME_SECONDS))


@pytest.fixture
def call() -> VirtualCall:
    call = VirtualCall([LINEAR])
    assert call.connect()
    call.gateway.start_media(call.network.now)
    return call


@pytest.mark.parametrize("seed", seeds(5))
def test_what_is_said_leaves_in_the_next_slot(seed: int, call: VirtualCall) -> None:
    call.network.run(seconds=1 + random.Random(seed).uniform(0, FRAME_SECONDS))
    voice, said_at = call.gateway.connection.voice, call.network.now
    voice.write(FRAME)
    assert call.network.run(lambda: voice.queued == 0, seconds=1)
    assert call.network.now - said_at <= SLOT + 1e-6


def test_a_packet_that_is_passed_on_leaves_in_the_next_slot(call: VirtualCall) -> None:
    call.network.run(seconds=1.007)
    voice, said_at = call.gateway.connection.voice, call.network.now
    voice.write_packet(EncodedPacket(FRAME, LINEAR.encoding_name, RATE, 0, len(FRAME) // 2))
    assert call.network.run(lambda: voice.queued == 0, seconds=1)
    assert call.network.now - said_at <= SLOT + 1e-6


@pytest.mark.parametrize("seed", seeds(5))
def test_a_packet_waits_no_longer_than_the_jitter_buffer_wants(seed: int, call: VirtualCall) -> None:
    call.network.run(seconds=1 + random.Random(seed).uniform(0, FRAME_SECONDS))
    call.caller.connection.voice.write(FRAME * 50)
    call.caller.start_media(call.network.now)
    call.network.run(seconds=2)
    heard = call.gateway.connection.statistics(call.network.now).inbound_rtp
    assert heard is not None
    wait = heard.jitter_buffer_delay / heard.jitter_buffer_emitted_count
    assert DEFAULT_TARGET_DELAY - 1e-3 <= wait <= DEFAULT_TARGET_DELAY + 1e-3
