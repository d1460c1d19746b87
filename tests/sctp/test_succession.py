"""Another association follows on one, for the same channels: nothing that was sent is lost, and nothing hangs."""

from collections.abc import Callable
from typing import Any

import pytest
from glottis.contracts.errors import LocalError
from glottis.sctp import (
    AssociationFailed,
    ChannelClosed,
    ChannelOpened,
    ChannelState,
    DataChannel,
    DataChannels,
    TextReceived,
)
from glottis.testing.impairments import Impairments
from glottis.wire.sctp import ChunkType, parse_data_untrusted, parse_packet_untrusted, parse_parameters_untrusted
from glottis.wire.sctp_chunks import ParameterType
from sctp.conftest import CLIENT, SctpHost, channels

IDLE = 2.0
"""Seconds after which all is acknowledged."""


class Successive:
    """The server is the gateway; the client leaves, as browsers do that make another transport."""

    def __init__(self, pair: Any) -> None:
        self.pair = pair
        self.gateway: DataChannels = pair.server
        self.chat: DataChannel = pair.client.open("chat")
        assert pair.run(lambda: self.chat.state is ChannelState.OPEN)
        (self.theirs,) = (one.channel for one in pair.server_events if isinstance(one, ChannelOpened))
        pair.run(seconds=IDLE)
        self.before = pair.client_events
        self.after: list[Any] = []

    def run(self, seconds: float = IDLE) -> None:
        self.pair.run(seconds=seconds)

    def abort(self) -> None:
        self.pair.client.abort("the transport goes")
        self.run(0.1)

    def follow(self, *more: tuple[str, int]) -> DataChannel:
        """Another transport with another association, in which the channel is open, and ``more`` are."""
        self.run(0.0)
        self.pair.client_events, self.pair.server_host.drop = self.after, lambda packet: False
        client = channels(dtls_client=True, seed=99)
        chat = client.open("chat", negotiated_id=self.chat.id)
        for label, stream_id in more:
            client.open(label, negotiated_id=stream_id)
        self.pair.client, self.pair.client_host = client, SctpHost(client, self.pair.client_host.path)
        self.pair.network.attach(self.pair.client_host, CLIENT)
        self.gateway.succession.begin(self.pair.now)
        client.connect(self.pair.now)
        self.run()
        return chat

    def texts(self) -> tuple[list[str], list[str]]:
        """By the association before, and by the one that has followed."""
        before, after = ([one.text for one in events if isinstance(one, TextReceived)] for events in self.events())
        return before, after

    def events(self) -> tuple[list[Any], list[Any]]:
        return self.before, self.after

    def closed(self) -> list[str]:
        """The channels of which the gateway was told that they are."""
        return [one.channel.label for one in self.pair.server_events if isinstance(one, ChannelClosed)]


@pytest.fixture
def successive(pair: Any) -> Successive:
    return Successive(pair)


def holds(chunk_type: ChunkType) -> Callable[[bytes], bool]:
    return lambda packet: any(
        span[0] == chunk_type for span in parse_packet_untrusted(packet, zero_checksum_accepted=True)[1]
    )


def is_reset(*kinds: ParameterType) -> Callable[[bytes], bool]:
    def found(packet: bytes) -> bool:
        _, spans = parse_packet_untrusted(packet, zero_checksum_accepted=True)
        resets = [packet[start:end] for chunk_type, _, start, end in spans if chunk_type == ChunkType.RE_CONFIG]
        return any(parameter.type in kinds for reset in resets for parameter in parse_parameters_untrusted(reset))

    return found


def carries(text: str) -> Callable[[bytes], bool]:
    def found(packet: bytes) -> bool:
        _, spans = parse_packet_untrusted(packet, zero_checksum_accepted=True)
        data = [parse_data_untrusted(packet, start, end) for kind, _, start, end in spans if kind == ChunkType.DATA]
        return any(payload == text.encode() for _, payload in data)

    return found


@pytest.mark.parametrize("says_so", [True, False])
@pytest.mark.parametrize("leaves_after", [0.02, 0.045, 0.3])
def test_what_is_sent_around_the_end_arrives(successive: Successive, leaves_after: float, *, says_so: bool) -> None:
    """To a peer that drops what comes since it has made its offer, as Chromium does, and acknowledges it."""
    sent = [f"{number}" for number in range(60)]
    for number, text in enumerate(sent):
        if number == 20:
            heard = successive.texts()[0]
            successive.pair.client_events = []
        if number == 27:  # its offer comes
            successive.gateway.succession.expect()
        successive.theirs.send_text(text)
        successive.run(0.003)
    successive.run(leaves_after)
    if says_so:
        successive.abort()
    successive.theirs.send_text("after the end")
    successive.follow()
    _, after = successive.texts()
    assert heard == sent[: len(heard)]
    assert len(heard) > 10
    assert after == [*sent, "after the end"][len(sent) + 1 - len(after) :]
    assert 0 <= len(heard) + len(after) - len(sent) - 1 <= 8  # what comes twice: nobody knows when the offer was made
    assert successive.closed() == []


def test_a_message_that_had_arrived_before_the_offer_is_not_sent_again(successive: Successive) -> None:
    """The peer holds its acknowledgement back, which dies with the association unless it is asked for."""
    successive.theirs.send_text("a while ago")
    successive.run(0.1)
    successive.gateway.succession.expect()
    successive.run(0.045)
    successive.abort()
    successive.follow()
    assert successive.texts() == (["a while ago"], [])


def test_what_is_sent_meanwhile_waits_for_a_peer_that_stays_for_no_longer_than_it_takes_to_leave(
    successive: Successive,
) -> None:
    successive.gateway.succession.expect()
    successive.run(0.1)
    successive.theirs.send_text("meanwhile")
    successive.run(1.5)
    assert successive.texts() == ([], [])
    successive.run(1)
    assert successive.texts() == (["meanwhile"], [])


def test_a_message_that_is_lost_when_the_association_ends_arrives_by_the_next_one(successive: Successive) -> None:
    """It looks like one that has arrived, and whose acknowledgement is lost with the association."""
    successive.pair.server_host.drop = carries("lost")
    successive.theirs.send_text("lost")
    successive.run(0.01)
    successive.gateway.succession.expect()
    successive.run(0.045)
    successive.abort()
    successive.follow()
    assert successive.texts() == ([], ["lost"])


def test_what_waits_with_the_peer_behind_a_lost_message_is_sent_again_with_it(successive: Successive) -> None:
    """It is acknowledged, by a gap block, but the peer forgets it with the association."""
    unordered = successive.gateway.open("unordered", ordered=False)
    successive.run()
    successive.pair.server_host.drop = carries("lost")
    for channel, text in ((successive.theirs, "lost"), (successive.theirs, "waits"), (unordered, "waits for none")):
        channel.send_text(text)
        successive.run(0.05)
    successive.gateway.succession.expect()
    successive.run(0.045)
    successive.abort()
    successive.follow(("unordered", unordered.id))
    assert successive.texts() == (["waits for none"], ["lost", "waits"])


def test_what_may_not_be_sent_again_is_not(successive: Successive) -> None:
    channel = successive.gateway.open("lossy", max_retransmits=0)
    successive.run()
    successive.pair.server_host.drop = carries("lost")
    channel.send_text("lost")
    successive.theirs.send_text("arrives")
    successive.run(0.1)
    successive.gateway.succession.expect()
    successive.run(0.045)
    assert sum(map(carries("lost"), successive.pair.server_host.sent)) == 1
    successive.abort()
    successive.follow(("lossy", channel.id))
    assert successive.texts() == (["arrives"], [])


@pytest.mark.parametrize("seed", range(4))
def test_under_loss_nothing_is_lost_and_the_order_is_kept(make_pair: Callable[..., Any], seed: int) -> None:
    """Whoever has lost an acknowledgement, too, may hear twice what it was for; a reliable channel loses nothing."""
    pair = make_pair(seed=seed, impairments=Impairments(delay=0.02, loss=0.2, jitter=0.01, duplication=0.1))
    pair.connect()
    successive = Successive(pair)
    sent = [f"{number}" for number in range(60)]
    for number, text in enumerate(sent):
        if number == 30:
            successive.gateway.succession.expect()
        successive.theirs.send_text(text)
        successive.run(0.005)
    successive.abort()
    successive.follow()
    successive.run(10)
    before, after = successive.texts()
    assert before == sent[: len(before)]
    assert after == sent[len(sent) - len(after) :]
    assert len(before) + len(after) >= len(sent)


@pytest.mark.parametrize("first", ["the abort", "the transport"])
def test_an_abort_begins_another_association_whenever_it_comes(successive: Successive, first: str) -> None:
    successive.gateway.succession.expect()
    old = successive.pair.client
    old.abort("the transport goes")
    (abort,) = old.datagrams_to_send()
    now = successive.pair.now
    if first == "the transport":
        successive.gateway.succession.begin(now)
        successive.gateway.handle_datagram(abort[:8], now)  # of which nobody knows whose it is
    successive.gateway.handle_datagram(abort, now)
    chat = successive.follow()
    assert chat.state is ChannelState.OPEN
    successive.theirs.send_text("still here")
    successive.run()
    assert successive.texts() == ([], ["still here"])


def test_an_association_that_goes_on_holds_nothing_against_the_next_end(successive: Successive) -> None:
    successive.gateway.succession.expect()
    successive.gateway.succession.begin(successive.pair.now)
    successive.chat.send_text("by another transport")
    successive.run()
    successive.abort()
    assert successive.closed() == ["chat"]


@pytest.mark.parametrize("is_lost", [True, False], ids=["the OPEN is lost", "its answer is lost"])
def test_a_channel_that_is_being_opened_opens(successive: Successive, is_lost: bool) -> None:
    host = successive.pair.server_host if is_lost else successive.pair.client_host
    host.drop = holds(ChunkType.DATA)
    asked = successive.gateway.open("asked")
    successive.run(0.3)
    assert asked.state is ChannelState.CONNECTING
    host.drop = lambda packet: False
    successive.gateway.succession.expect()
    successive.pair.client_host.drop = holds(ChunkType.DATA)
    successive.run(0.1)
    successive.abort()
    if is_lost:
        successive.follow()
        assert any(isinstance(one, ChannelOpened) and one.channel.label == "asked" for one in successive.after)
    else:
        successive.follow(("asked", asked.id))
    assert asked.state is ChannelState.OPEN
    asked.send_text("hello")
    successive.run()
    assert successive.texts() == ([], ["hello"])


@pytest.mark.parametrize(
    "lost",
    [
        (ParameterType.RE_CONFIGURATION_RESPONSE, ParameterType.OUTGOING_SSN_RESET),
        (ParameterType.OUTGOING_SSN_RESET,),
    ],
    ids=["unanswered", "answered"],
)
def test_a_channel_that_is_being_closed_closes(successive: Successive, lost: tuple[ParameterType, ...]) -> None:
    successive.pair.client_host.drop = is_reset(*lost)
    successive.theirs.close()
    successive.run(0.3)
    assert successive.closed() == []
    successive.gateway.succession.expect()
    successive.abort()
    successive.follow()
    assert successive.closed() == ["chat"]


@pytest.mark.parametrize("is_expected", [True, False])
def test_channels_that_were_given_up_leave_nothing_to_those_that_come_after(
    successive: Successive, is_expected: bool
) -> None:
    successive.pair.server_host.drop = holds(ChunkType.DATA)
    successive.theirs.send_text("of the channel before")
    successive.run(0.1)
    if is_expected:
        successive.gateway.succession.expect()
        successive.abort()
    successive.gateway.succession.give_up()
    successive.gateway.abort("there are no data channels any more")
    successive.run(0.1)
    assert successive.closed() == ["chat"]
    with pytest.raises(LocalError):
        successive.gateway.open("none")
    successive.gateway.succession.restart()
    successive.pair.server_host.drop = lambda packet: False
    assert successive.follow().state is ChannelState.OPEN
    other = successive.gateway.open("other")
    successive.run()
    other.send_text("of the one after")
    successive.run()
    assert successive.texts() == ([], ["of the one after"])
    assert sum(isinstance(one, AssociationFailed) for one in successive.pair.server_events) == 1


def test_an_end_that_was_not_told_yet_closes_its_channels_even_if_others_follow(successive: Successive) -> None:
    """Messages that nobody has taken are before it."""
    for number in range(100):
        successive.chat.send_text(f"{number}")
    network = successive.pair.network
    network.run(seconds=1)
    successive.gateway.abort("there are no data channels any more")
    network.run(seconds=0.1)
    successive.gateway.succession.restart()
    successive.follow()
    assert sum(isinstance(one, TextReceived) for one in successive.pair.server_events) == 100
    assert successive.closed() == ["chat"]
