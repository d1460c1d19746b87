"""What an allocation tells its owner."""

import msgspec

from glottis.wire.address import Address


class Allocated(msgspec.Struct, frozen=True):
    """The server lends an address; ``lifetime`` is in seconds, and renewed without further events."""

    relayed: Address
    """Where peers send to."""
    mapped: Address | None
    """Where the server sees its client, which is a server-reflexive candidate too (RFC 8445 §5.1.1.2)."""
    lifetime: int


class Received(msgspec.Struct, frozen=True):
    """A datagram that a permitted peer has sent to the relayed address."""

    data: bytes
    peer: Address


class Alternate(msgspec.Struct, frozen=True):
    """Another server is to be asked; the allocation has ended, and ``Allocation.redirected`` makes the next one."""

    server: Address


class Failed(msgspec.Struct, frozen=True):
    """There is no allocation, or none any more. ``reason`` is a phrase without secrets."""

    reason: str
    code: int | None = None
    """The server's, where it said one (RFC 8656 §18.13)."""


class Closed(msgspec.Struct, frozen=True):
    """The owner has closed, and the server has released the allocation or did not answer in time."""


TurnEvent = Allocated | Received | Alternate | Failed | Closed
