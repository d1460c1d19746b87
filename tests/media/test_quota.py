from types import SimpleNamespace

import pytest
from glottis.media.driver import PeerDriver
from glottis.media.quota import FREE_SIZE, MESSAGES_PER_SLOT, MessageQuota
from glottis.media.ring import SLOT
from glottis.sctp import AssociationEstablished, BytesReceived, ChannelOpened, TextReceived
from glottis.testing.peers import VirtualCall
from glottis.wire.address import Datagram
from support.phone import installed_codec


@pytest.mark.parametrize(
    ("event", "fit"),
    [
        (TextReceived(None, "x"), MESSAGES_PER_SLOT),  # type: ignore[arg-type]
        (BytesReceived(None, b""), MESSAGES_PER_SLOT),  # type: ignore[arg-type]
        (TextReceived(None, "x" * 3 * FREE_SIZE), MESSAGES_PER_SLOT // 4),  # type: ignore[arg-type]
        (BytesReceived(None, bytes(256 * 1024)), 1),  # type: ignore[arg-type]
    ],
)
def test_so_many_messages_fit_into_a_slot(event: TextReceived | BytesReceived, fit: int) -> None:
    quota = MessageQuota()
    for slot in (2, 3, 7):
        now = (slot + 0.5) * SLOT
        told = 0
        while quota.is_left(now):
            quota.count(event)
            told += 1
        assert told == fit
        assert quota.renewed_at == pytest.approx((slot + 1.5) * SLOT)


def test_what_is_no_message_does_not_count() -> None:
    quota = MessageQuota()
    for _ in range(100):
        assert quota.is_left(0.0)
        quota.count(AssociationEstablished(5))
        quota.count(None)


class FullPeer:
    """As much of a peer connection as the driver drains: so many messages wait for it."""

    local_ufrags = ("ufrag",)

    def __init__(self, messages: int) -> None:
        self.messages = messages

    def next_timeout(self) -> None:
        return None

    def datagrams_to_send(self) -> list[Datagram]:
        return []

    def next_event(self, *, wants_messages: bool) -> TextReceived | None:
        if not (wants_messages and self.messages):
            return None
        self.messages -= 1
        return TextReceived(None, "x")  # type: ignore[arg-type]


@pytest.mark.parametrize("step", [0.0, SLOT / 100, SLOT / 17, SLOT / 16.5, SLOT / 16, SLOT / 15])
def test_while_messages_wait_the_driver_wants_another_turn(step: float) -> None:
    now = 0.0
    deadlines: list[float | None] = []

    def clock() -> float:
        nonlocal now
        now += step
        return now

    peer = FullPeer(100)
    wheel = SimpleNamespace(call_at=lambda session, deadline: deadlines.append(deadline))
    endpoint = SimpleNamespace(add_ufrag=lambda ufrag, receiver: None)
    driver = PeerDriver(
        peer,  # type: ignore[arg-type]
        endpoint=endpoint,
        scheduler=wheel,
        handle_event=lambda event: None,
        handle_error=lambda error: None,
        clock=clock,
    )
    while True:
        driver.pump()
        if not peer.messages:
            break
        assert deadlines[-1] is not None
        now = max(now, deadlines[-1])
    assert len(deadlines) <= 100 / MESSAGES_PER_SLOT + 1


def test_messages_beyond_the_quota_are_told_in_later_slots_and_none_is_lost() -> None:
    call = VirtualCall([installed_codec("opus")])
    assert call.connect()
    assert call.caller.connection.channels is not None
    channel = call.caller.connection.channels.open("chat")
    assert call.network.run(lambda: any(isinstance(event, ChannelOpened) for event in call.caller.events), seconds=2)
    messages = [str(number) for number in range(1000)]
    for message in messages:
        channel.send_text(message)
    told: list[str] = []
    most = 0
    for _ in range(400):
        before = len(told)
        call.network.run(seconds=SLOT)
        told = [event.text for event in call.gateway.events if isinstance(event, TextReceived)]
        most = max(most, len(told) - before)
    assert told == messages
    assert most <= 2 * MESSAGES_PER_SLOT
