"""What an observer is told of all that comes in, and that nothing is in the way where there is none."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from glottis.contracts.errors import Malformed
from glottis.contracts.extensions import Incoming
from glottis.peer import PeerSettings
from glottis.peer.overheard import Overheard, agreement, read_agreement_untrusted
from glottis.rtp import FixedDelay, SrtpSession
from glottis.testing import VirtualCall
from glottis.wire.rtp import parse_rtp_untrusted
from glottis_opus import OPUS

Told = list[tuple[Incoming, bytes, float]]


@pytest.fixture
def call() -> VirtualCall:
    return VirtualCall([OPUS])


def listen(call: VirtualCall) -> Told:
    told: Told = []
    call.gateway.connection.voice.taps.incoming = lambda kind, data, now: told.append((kind, data, now))
    return told


def talk(call: VirtualCall) -> None:
    assert call.connect()
    call.caller.start_media(call.network.now)
    call.caller.connection.voice.write(bytes(640 * 10))
    call.network.run(seconds=0.5)


def test_nothing_is_in_the_way_where_nobody_listens(call: VirtualCall) -> None:
    talk(call)
    voice = call.gateway.connection.voice
    assert type(voice.session.protection) is SrtpSession
    assert voice.next_keys == voice.keypad.take_changes


def test_packets_are_told_after_decryption_once_they_are_authentic(call: VirtualCall) -> None:
    told = listen(call)
    talk(call)
    kinds = [kind for kind, _, _ in told]
    assert kinds[:2] == ["negotiated", "keys"]
    assert read_agreement_untrusted(told[0][1]).audio is not None
    packets = [parse_rtp_untrusted(data) for kind, data, _ in told if kind == "rtp"]
    assert len(packets) == 10
    assert {packet.payload_type for packet in packets} == {96}
    protection = call.gateway.connection.voice.session.protection
    assert isinstance(protection, Overheard)
    before = len(told)
    with pytest.raises(Malformed):
        protection.unprotect_untrusted(b"\x80" + bytes(60), 1.0)
    assert len(told) == before


AUDIO = {
    "mid": "0",
    "media_index": 0,
    "direction": "sendrecv",
    "formats": [{"rtpmap": [0, "PCMU", 8000, 1]}],
}
AGREED = {"audio": AUDIO, "sample_rate": 16000, "frame_ms": 20, "delay": {"policy": "fixed", "ms": 40}}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"formats": []}, "a codec at least"),
        ({"formats": [{"rtpmap": [0, "PCMU", 1, 1]}]}, "clocks of"),
        ({"ptime_ms": 0}, "packets of"),
    ],
)
def test_agreement_that_no_negotiation_comes_to_is_refused(change: dict[str, Any], complaint: str) -> None:
    assert read_agreement_untrusted(json.dumps(AGREED).encode()).sample_rate == 16000
    assert read_agreement_untrusted(json.dumps(AGREED | {"audio": None}).encode()).audio is None
    with pytest.raises(Malformed, match=complaint):
        read_agreement_untrusted(json.dumps(AGREED | {"audio": AUDIO | change}).encode())
    with pytest.raises(Malformed):
        read_agreement_untrusted(b"[")


@pytest.mark.parametrize(("delay", "policy"), [(lambda: FixedDelay(0.06), "fixed"), (lambda: SlowDelay(0.06), "other")])
def test_delay_policy_is_told_as_configuration_has_it(delay: Callable[[], FixedDelay], policy: str) -> None:
    told = json.loads(agreement(None, PeerSettings((OPUS,), delay=delay)))
    assert told["delay"]["policy"] == policy


class SlowDelay(FixedDelay):
    """One that nobody else knows."""
