import pytest
from glottis.media.quota import FREE_SIZE, MESSAGES_PER_SLOT, MessageQuota
from glottis.media.scheduler import SLOT
from glottis.sctp import AssociationEstablished, BytesReceived, ChannelOpened, TextReceived
from glottis.testing.peers import VirtualCall
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
