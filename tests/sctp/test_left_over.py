"""What is left of data channels whose association is to end, for others that follow them."""

from typing import Any

from glottis.sctp import ChannelOpened, DataChannel, LeftOver, left_over


def open_both(pair: Any, label: str) -> tuple[DataChannel, DataChannel]:
    channel = pair.client.open(label)
    assert pair.run(lambda: ChannelOpened(channel) in pair.client_events)
    return channel, next(one.channel for one in reversed(pair.server_events) if isinstance(one, ChannelOpened))


def test_what_was_not_acknowledged_is_left_in_order_of_each_channel_that_is_open(pair: Any) -> None:
    chat, theirs = open_both(pair, "chat")
    files, _ = open_both(pair, "files")
    chat.send_text("came")
    theirs.send_text("heard")
    assert pair.run(lambda: chat.traffic.messages_received == 1, seconds=2)
    pair.run(seconds=1)
    pair.client_host.drop = lambda packet: True
    for text in ("lost", ""):
        chat.send_text(text)
    for data in (b"\0\1", b""):
        files.send_bytes(data)
    pair.client.open("never")
    pair.run(seconds=0.1)
    assert left_over(pair.client, pair.now) == [
        LeftOver("chat", 1, ("lost", ""), 1),
        LeftOver("files", 0, (b"\0\1", b""), 0),
    ]
    assert left_over(pair.server, pair.now) == [LeftOver("chat", 1, (), 1), LeftOver("files", 0, (), 0)]
