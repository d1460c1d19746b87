"""Bundles chunks into as few packets as they fit (RFC 9260 §6.10)."""

from collections.abc import Callable

from glottis.sctp.tcb import Tcb


class Packer:
    """Collects chunks, and seals a packet whenever the next one does not fit."""

    def __init__(self, tcb: Tcb) -> None:
        self._tcb = tcb
        self.capacity = tcb.limits.packet_capacity
        """Bytes of chunks that a packet holds; no single chunk is larger."""
        self._room = self.capacity
        self._chunks: list[bytes] = []
        self._lead: Callable[[], bytes] | None = None

    def lead_with(self, make_chunk: Callable[[], bytes]) -> None:
        """Put this chunk before the next one, if there is one: it rides along, but is no reason for a packet."""
        self._lead = make_chunk

    def add(self, chunk: bytes) -> None:
        """Bundle an encoded chunk."""
        if self._lead is not None:
            lead, self._lead = self._lead(), None
            self.add(lead)
        size = len(chunk)
        if size > self._room:
            self.seal()
        self._chunks.append(chunk)
        self._room -= size

    def seal(self) -> None:
        """Finish the packet, if there is one."""
        if self._chunks:
            self._tcb.seal(self._chunks)
            self._chunks = []
            self._room = self.capacity
