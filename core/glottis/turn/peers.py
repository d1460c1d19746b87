"""Whom an allocation talks with: permissions by IP address, channels by transport address (RFC 8656 §9, §12)."""

import weakref
from collections import Counter
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

import msgspec

from glottis.contracts.timeouts import Timeouts
from glottis.turn.timing import TurnTiming
from glottis.wire.address import Address
from glottis.wire.channel_data import CHANNEL_NUMBERS

MAX_PERMISSIONS: Final = 4096
"""IP addresses of one allocation; datagrams to further ones are dropped. A permission that is not used goes within
four minutes, so this is a thousand calls of sixteen candidates each that begin within a minute."""
MAX_SHARE: Final = 32
"""IP addresses that one call adds: the sixteen candidates that it keeps, and as many again after a restart."""
MAX_CHANNELS: Final = 2048
"""Half of the numbers there are; further peers get the longer indications."""
MAX_HELD: Final = 8
"""Datagrams to one IP address that wait for its permission; ICE sends two or three within a round trip."""
MAX_HELD_BYTES: Final = 1 << 18
"""Of all those that wait, of one allocation."""
CHANNEL_AFTER: Final = 10
"""Indications to an IP address, and the next peer there gets a channel: a candidate that never answers gets seven."""


class PermissionState(Enum):
    """Of an IP address, as the server sees it."""

    PENDING = auto()
    GRANTED = auto()
    REFUSED = auto()


class Permission(msgspec.Struct, eq=False):
    """One IP address that datagrams may come from."""

    host: str
    share: object = None
    """Whose it counts as."""
    state: PermissionState = PermissionState.PENDING
    is_used: bool = False
    """Since it was last granted."""
    indications: int = 0
    """Sent there, since a channel was last bound."""
    held: list[tuple[bytes, Address]] = msgspec.field(default_factory=list)
    """What waits while it is pending."""


class ChannelState(Enum):
    """Of a number that stands for a peer."""

    BINDING = auto()
    BOUND = auto()
    RESTING = auto()
    """The binding may have lapsed, and the number must not mean anybody else yet."""


class Channel(msgspec.Struct, eq=False):
    """One peer that datagrams are exchanged with in the short form."""

    number: int
    peer: Address
    state: ChannelState = ChannelState.BINDING
    is_used: bool = False
    """Since it was last bound."""


class Peers:
    """The permissions and channels of one allocation, and when each is to be looked at again."""

    def __init__(self, timing: TurnTiming) -> None:
        self._timing = timing
        self._permissions: dict[str, Permission] = {}
        self._shares: Counter[object] = Counter()
        self._channels: dict[Address, Channel] = {}
        self._by_number: dict[int, Channel] = {}
        self._held_bytes = 0
        self._unused_numbers: Iterator[int] = iter(CHANNEL_NUMBERS[:MAX_CHANNELS])
        self._used_numbers: list[int] = []
        self._timeouts: Timeouts[Permission | Channel] = Timeouts()

    # Permissions

    def permission(self, host: str) -> Permission | None:
        """What is known of an IP address."""
        return self._permissions.get(host)

    def add_permission(self, host: str, owner: object = None) -> Permission | None:
        """One that the caller asks the server for now; None if there are too many, or too many of this owner."""
        share = None if owner is None else weakref.ref(owner)  # whose end is not to wait for permissions to lapse
        if len(self._permissions) >= MAX_PERMISSIONS or (share is not None and self._shares[share] >= MAX_SHARE):
            return None
        self._shares[share] += 1
        permission = self._permissions[host] = Permission(host, share)
        return permission

    def hold(self, permission: Permission, data: bytes, peer: Address) -> bool:
        """Keep a datagram until the permission is granted; says whether there is room."""
        if len(permission.held) >= MAX_HELD or self._held_bytes + len(data) > MAX_HELD_BYTES:
            return False
        permission.held.append((data, peer))
        self._held_bytes += len(data)
        return True

    def grant(self, permission: Permission, now: float) -> list[tuple[bytes, Address]]:
        """The server permits the address for a while; returns what has waited for it."""
        permission.state = PermissionState.GRANTED
        permission.is_used = False
        self._timeouts.set(permission, now + self._timing.permission - self._timing.margin)
        return self._take_held(permission)

    def refuse(self, permission: Permission, now: float) -> int:
        """The server does not permit it, and is not asked again for a while; returns how many datagrams are lost."""
        permission.state = PermissionState.REFUSED
        permission.is_used = False
        self._timeouts.set(permission, now + self._timing.refusal)
        return len(self._take_held(permission))

    def remove_permission(self, permission: Permission) -> None:
        """Nobody has used it."""
        del self._permissions[permission.host]
        self._shares[permission.share] -= 1
        if not self._shares[permission.share]:
            del self._shares[permission.share]

    def _take_held(self, permission: Permission) -> list[tuple[bytes, Address]]:
        held, permission.held = permission.held, []
        self._held_bytes -= sum(len(data) for data, _ in held)
        return held

    # Channels

    def channel(self, peer: Address) -> Channel | None:
        """That of a peer."""
        return self._channels.get(peer)

    def channel_of(self, number: int) -> Channel | None:
        """What a number means, as far as the server may still know it."""
        return self._by_number.get(number)

    def add_channel(self, peer: Address) -> Channel | None:
        """One that the caller asks the server for now; None if there are too many."""
        number = next(self._unused_numbers, None)
        if number is None and self._used_numbers:
            number = self._used_numbers.pop()
        if number is None:
            return None
        channel = self._channels[peer] = self._by_number[number] = Channel(number, peer)
        return channel

    def bind(self, channel: Channel, now: float) -> None:
        """The server has bound the number, for a while."""
        channel.state = ChannelState.BOUND
        channel.is_used = False
        self._timeouts.set(channel, now + self._timing.channel - self._timing.margin)

    def rest(self, channel: Channel, now: float) -> None:
        """The binding is not renewed, or could not be made: it lapses, and then its number rests (RFC 8656 §12)."""
        channel.state = ChannelState.RESTING
        self._timeouts.set(channel, now + self._timing.channel + self._timing.rest)

    def remove_channel(self, channel: Channel) -> None:
        """The number has rested, and may mean another peer."""
        del self._channels[channel.peer], self._by_number[channel.number]
        self._used_numbers.append(channel.number)

    # Time

    def pop_due(self, now: float) -> Permission | Channel | None:
        """What is to be looked at: refreshed if it was used, else left to lapse."""
        return self._timeouts.pop_due(now)

    def next_moment(self) -> float:
        """When there is such a thing; infinity if never."""
        return self._timeouts.next_moment()
