"""Closing a TCP connection so that the peer can read what was sent last."""

import trio


async def linger(stream: trio.abc.HalfCloseableStream) -> None:
    """Half-close, and discard what still comes until the peer closes too; to be called with a time limit.

    A socket closed with unread bytes resets its connection, and the reset overtakes the response (RFC 9112 §9.6).
    """
    try:
        await stream.send_eof()
        while await stream.receive_some():
            pass
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return
