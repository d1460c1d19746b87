"""Sessions for the clients of an ASGI application, whose own they are to ask: ``SessionForwarder`` is mounted in it."""

from glottis.asgi.forwarder import Caller, SessionForwarder

__all__ = ["Caller", "SessionForwarder"]
