"""Data channels wait for two things, which come in any order: they are negotiated, and DTLS makes them private."""

import random
from collections.abc import Callable

import pytest
from glottis.peer import PeerSettings
from glottis.peer.data import DataTrack
from glottis.sctp import AssociationFailed, TextReceived
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
    track.expect_successor()
    connect(track)
    track.do_without_successor()
    track.negotiate(None, dtls_client=True, now=10.0)
    assert track.next_timeout() is None
    assert track.datagrams_to_send() == []
    track.close()
    assert track.channels is None


def test_a_peer_that_keeps_its_association_by_another_dtls_loses_none_of_it() -> None:
    """As Firefox does where another section takes over the transport: see ``sctp.Succession``."""
    settings = PeerSettings((), sample_rate=16000, max_message_size=65536)
    gateway, caller = (DataTrack(settings, random.Random(seed)) for seed in (1, 2))
    gateway.negotiate(AGREED, dtls_client=False, now=0.0)
    caller.negotiate(AGREED, dtls_client=True, now=0.0)
    for track in (gateway, caller):
        track.connect(0.0)
    assert exchange(gateway, caller) == []
    assert caller.channels is not None
    chat = caller.channels.open("chat")
    assert exchange(gateway, caller) == []
    chat.send_text("before")
    assert exchange(gateway, caller) == ["before"]
    gateway.expect_successor()
    chat.send_text("between")
    caller.handle_timeout(0.0)
    assert caller.datagrams_to_send()  # they are lost
    gateway.connect(1.0)
    caller.handle_timeout(2.0)
    assert exchange(gateway, caller, 2.0) == ["between"]
    chat.send_text("after")
    assert exchange(gateway, caller, 2.0) == ["after"]


def exchange(one: DataTrack, other: DataTrack, now: float = 0.0) -> list[str]:
    """Until neither has anything to send; returns the texts that ``one`` is told."""
    texts = []
    for track in (one, other):
        track.handle_timeout(now)
    while (to_other := one.datagrams_to_send()) + (to_one := other.datagrams_to_send()):
        for data in to_other:
            other.handle_datagram(data, now)
        for data in to_one:
            one.handle_datagram(data, now)
        for track in (one, other):
            track.handle_timeout(now)
        while other.next_event(wants_messages=True) is not None:
            pass
        while (event := one.next_event(wants_messages=True)) is not None:
            assert not isinstance(event, AssociationFailed)
            texts += [event.text] if isinstance(event, TextReceived) else []
    return texts
