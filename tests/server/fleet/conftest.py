"""A worker's view of the others, with a parent whose words are a test's."""

import socket
from collections.abc import AsyncIterator

import pytest
import trio
from glottis.server.fleet.channel import Channel
from glottis.server.fleet.member import Member


@pytest.fixture
async def parent(nursery: trio.Nursery) -> AsyncIterator[tuple[Member, Channel]]:
    """A member, and its parent's end of their channel."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel, member = Channel(ours), Member(Channel(theirs))
    nursery.start_soon(member.run)
    yield member, channel
    nursery.cancel_scope.cancel()
    channel.close()
    theirs.close()
