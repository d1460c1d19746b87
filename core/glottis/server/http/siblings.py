"""Other processes that accept from the same listening sockets: a connection goes to the one that its request is for.

What moves is the connection's descriptor, and with it what was read of the request; nothing is passed on afterwards.
"""

import socket
from typing import Protocol

import msgspec

from glottis.server.http.entry import Entry
from glottis.server.http.message import Request


class Adopted(msgspec.Struct, frozen=True, eq=False):
    """A connection that another process has accepted, and what it has read of it since its last response."""

    socket: socket.socket
    received: bytes
    entry: Entry | None = None
    """What is known of the request already."""
    peer_host: str = ""
    """Of one whose TLS ends in that process: the socket leads there."""


class Siblings(Protocol):
    """The other processes, as a server of one of them sees them."""

    def is_theirs(self, request: Request) -> bool:
        """Whether another process may have to answer the request, whose body was not read yet."""

    def hand_over(self, request: Request, descriptor: int, received: bytes, peer_host: str) -> bool:
        """Give the connection away, which stays the caller's to close; False if nobody can take it now.

        With an ``entry`` the request was for this process, which has no room for it. ``peer_host`` is as
        ``Adopted`` has it.
        """

    async def next_adopted(self) -> Adopted:
        """Wait for a connection that is for this process. Its first request is, whatever ``is_theirs`` says of it."""
