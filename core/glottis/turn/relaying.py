"""Datagrams to and from peers: permissions and channels are asked for as they are needed (RFC 8656 §9–§12)."""

import random
from typing import Final

from glottis.contracts.short_queue import ShortQueue
from glottis.turn.events import Received
from glottis.turn.peers import CHANNEL_AFTER, Channel, ChannelState, Peers, Permission, PermissionState
from glottis.turn.requests import Outcome, Purpose, Requests
from glottis.turn.timing import TurnTiming
from glottis.wire.address import Address, ip_of
from glottis.wire.channel_data import build_channel_data, parse_channel_data_untrusted
from glottis.wire.stun import (
    TRANSACTION_ID_LENGTH,
    Attribute,
    MessageClass,
    StunMessage,
    build_stun,
    encode_xor_address,
)

SEND: Final = 0x006
DATA: Final = 0x007
CREATE_PERMISSION: Final = 0x008
CHANNEL_BIND: Final = 0x009
"""Methods, RFC 8656 §17."""


class Relaying:
    """What an allocation is for, while it stands."""

    def __init__(self, requests: Requests, *, family: int, rng: random.Random, timing: TurnTiming) -> None:
        self.dropped = 0
        """Datagrams to peers that the server did not permit, or not in time."""
        self.to_send: list[bytes] = []
        """For the owner to take."""
        self.received: ShortQueue[Received] = ShortQueue()
        """Each datagram can add one, which the owner takes at once."""
        self._requests = requests
        self._family = family
        self._rng = rng
        self._timing = timing
        self._peers = Peers(timing)

    def send(self, data: bytes, peer: Address, now: float, owner: object) -> None:
        """See ``Allocation.send``."""
        permission = self._permission_for(peer, now, owner)
        if permission is None or permission.state is PermissionState.REFUSED:
            self.dropped += 1
        elif permission.state is PermissionState.GRANTED:
            permission.is_used = True
            self._relay(data, peer, permission, now)
        elif not self._peers.hold(permission, data, peer):
            self.dropped += 1

    def next_moment(self) -> float:
        """When there is something to renew; infinity if never."""
        return self._peers.next_moment()

    def handle_timeout(self, now: float, most: int) -> None:
        """Renew what is due, or let it lapse, up to so many."""
        for _ in range(most):
            due = self._peers.pop_due(now)
            if due is None:
                break
            self._renew(due, now)

    def stop(self) -> None:
        """The allocation has ended, and with it all permissions and channels."""
        self._peers = Peers(self._timing)
        self.to_send.clear()

    # What comes from the server

    def accept_data(self, message: StunMessage) -> bool:
        """A Data indication; says whether it was of any use."""
        peer, data = message.xor_peer_address, message.attributes.get(Attribute.DATA)
        if peer is None or data is None or message.unknown_attributes:
            return False
        return self._receive(data, peer)

    def accept_channel_data_untrusted(self, message: bytes) -> bool:
        """The same of the short form; raises ``Malformed``."""
        number, data = parse_channel_data_untrusted(message)
        channel = self._peers.channel_of(number)
        return channel is not None and self._receive(data, channel.peer)

    def _receive(self, data: bytes, peer: Address) -> bool:
        """Only whom we have permitted has anything to say, whatever the server lets pass."""
        permission = self._peers.permission(peer.host)
        if permission is None or permission.state is not PermissionState.GRANTED:
            return False
        self.received.append(Received(data, peer))
        return True

    # How requests end

    def conclude_permit(self, outcome: Outcome, now: float) -> None:
        """How the request for a permission has ended."""
        permission = outcome.request.subject
        assert isinstance(permission, Permission)
        if outcome.has_succeeded:
            for data, peer in self._peers.grant(permission, now):
                permission.is_used = True
                self._relay(data, peer, permission, now)
        else:
            self.dropped += self._peers.refuse(permission, now)

    def conclude_bind(self, outcome: Outcome, now: float) -> None:
        """How the request for a channel has ended."""
        channel = outcome.request.subject
        assert isinstance(channel, Channel)
        if outcome.has_succeeded:
            self._peers.bind(channel, now)
        else:  # indications do, too
            self._peers.rest(channel, now)

    # What is asked, and what goes to peers

    def _permit(self, permission: Permission, now: float) -> None:
        peer = Address(permission.host, 0)  # RFC 8656 §9.1: the port is ignored
        self._requests.ask(
            Purpose.PERMIT,
            CREATE_PERMISSION,
            lambda transaction_id: [(Attribute.XOR_PEER_ADDRESS, encode_xor_address(peer, transaction_id))],
            now,
            subject=permission,
        )

    def _bind(self, channel: Channel, now: float) -> None:
        channel.state = ChannelState.BINDING
        number = (Attribute.CHANNEL_NUMBER.value, channel.number.to_bytes(2) + bytes(2))
        self._requests.ask(
            Purpose.BIND,
            CHANNEL_BIND,
            lambda transaction_id: [
                number,
                (Attribute.XOR_PEER_ADDRESS, encode_xor_address(channel.peer, transaction_id)),
            ],
            now,
            subject=channel,
        )

    def _renew(self, due: Permission | Channel, now: float) -> None:
        """What is in use is refreshed; what is not, or cannot be, lapses."""
        if isinstance(due, Permission):
            if due.is_used and not self._requests.are_full:
                self._permit(due, now)
            else:
                self._peers.remove_permission(due)
        elif due.state is ChannelState.RESTING:
            self._peers.remove_channel(due)
        elif due.is_used and not self._requests.are_full:
            self._bind(due, now)
        else:
            self._peers.rest(due, now)

    def _permission_for(self, peer: Address, now: float, owner: object) -> Permission | None:
        permission = self._peers.permission(peer.host)
        if permission is None and self._can_be_permitted(peer):
            permission = self._peers.add_permission(peer.host, owner)
            if permission is not None:
                self._permit(permission, now)
        return permission

    def _can_be_permitted(self, peer: Address) -> bool:
        ip = ip_of(peer.host)
        return ip is not None and ip.version == self._family and not self._requests.are_full

    def _relay(self, data: bytes, peer: Address, permission: Permission, now: float) -> None:
        """In the short form, if there is a channel; else as an indication (RFC 8656 §11.1)."""
        channel = self._peers.channel(peer)
        if channel is not None and channel.state is ChannelState.BOUND:
            channel.is_used = True
            self.to_send.append(build_channel_data(channel.number, data))
            return
        transaction_id = self._rng.randbytes(TRANSACTION_ID_LENGTH)
        attributes = [(Attribute.XOR_PEER_ADDRESS, encode_xor_address(peer, transaction_id)), (Attribute.DATA, data)]
        self.to_send.append(build_stun(MessageClass.INDICATION, transaction_id, attributes, method=SEND))
        permission.indications += 1
        if permission.indications >= CHANNEL_AFTER and not self._requests.are_full:
            self._shorten(channel, peer, permission, now)

    def _shorten(self, channel: Channel | None, peer: Address, permission: Permission, now: float) -> None:
        """There is much to relay: a channel saves 32 bytes of each datagram and half of the work."""
        permission.indications = 0
        if channel is None:
            channel = self._peers.add_channel(peer)
        elif channel.state is ChannelState.BINDING:
            return
        if channel is not None:
            self._bind(channel, now)
