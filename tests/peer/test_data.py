"""Data channels wait for two things, which come in any order: they are negotiated, and DTLS makes them private."""

import random
from collections.abc import Callable

import pytest
from glottis.peer import PeerSettings
from glottis.peer.data import DataTrack
from glottis.sdp import SCTP_PORT, NegotiatedData

AGREED = NegotiatedData("0", 0, SCTP_PORT, None)


@pytest.fixture
def track() -> DataTrack:
    return DataTrack(PeerSettings((), sample_rate=16000, max_message_size=65536), random.Random(0))


def negotiate(track: DataTrack) -> None:
    track.negotiate(AGREED, dtls_client=True, now=0.0)


def connect(track: DataTrack) -> None:
    track.connect(0.0)


@pytest.mark.parametrize(
    "steps", [(negotiate, connect), (connect, negotiate)], ids=["described first", "private first"]
)
def test_the_association_begins_once_it_is_both(
    steps: tuple[Callable[[DataTrack], None], ...], track: DataTrack
) -> None:
    first, second = steps
    first(track)
    assert track.datagrams_to_send() == []
    second(track)
    assert len(track.datagrams_to_send()) == 1


def test_without_channels_nothing_comes_and_nothing_leaves(track: DataTrack) -> None:
    connect(track)
    track.handle_datagram(bytes(12), 0.0)
    track.handle_timeout(10.0)
    assert track.next_timeout() is None
    assert track.datagrams_to_send() == []
    track.close()
    assert track.channels is None
