"""Twenty calls that notice everything: what one caller or plugin does is made beside them, on virtual time.

async with open_crowd(directory, config, plugins) as crowd:
    …
    assert await crowd.complaints() == []
"""

import math
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import trio
from glottis.contracts.audio import EncodedPacket
from glottis.contracts.codec import CodecSpec
from glottis.peer import ConnectionState
from glottis.wire.rtcp import is_rtcp

from support.memory import MemoryEndpoint, open_memory_exchange
from support.phone import Exchange, Phone, eventually, installed_codec

CALLS = 20
"""Five in each slot of the wheel."""
MAX_GAP = 0.06
"""Seconds that may pass between two packets of a call: twice as many as usual, and another packet's."""
SETTLING = 0.06
"""Seconds from a fault to the last of its effects on the packets of others, and on what is heard of them."""
RECOVERY = 0.5
"""Seconds from the end of a blockade to ordinary times, at most: the words below, and what waits before them."""
IN_A_ROW = 10
"""Words by which ordinary times are known: more than are left in a buffer from before."""
SAMPLES = 160
"""20 ms at the clock of PCMU."""
WORDS = tuple(bytes(random.Random(number).choices(range(64), k=SAMPLES)) for number in range(100))
"""Loud noise for each call, every bit of which comes back: neither silence nor anything that is concealed is like it.
The jitter buffer must be fixed for that: an adaptive one makes speech without pauses longer or shorter."""


class Talker(Phone):
    """A phone that says one word all the time, and listens whether it comes back, whole and in time."""

    def __init__(self, exchange: Exchange, number: int) -> None:
        super().__init__(exchange, (installed_codec("PCMU"),), ice_lite=False)
        self.name = f"call {number}"
        self._word = WORDS[number]
        self.packet = EncodedPacket(self._word, "PCMU", 8000, 0, SAMPLES)
        self._arrivals: list[tuple[float, int]] = []
        """When packets came, and their sequence numbers."""
        self._heard_right = self._heard_wrong = self._heard_others = 0
        self._right_in_a_row = 0
        assert isinstance(self.endpoint, MemoryEndpoint)
        self.endpoint.watch(self._note)

    def _note(self, data: bytes) -> None:
        if data[0] >= 128 and not is_rtcp(data):
            self._arrivals.append((trio.current_time(), int.from_bytes(data[2:4])))

    def _tick(self, now: float) -> None:
        packets = self.peer.voice.next_packets(now)
        is_right = packets and all(packet.payload == self._word for packet in packets)
        self._right_in_a_row = self._right_in_a_row + 1 if is_right else 0
        for packet in packets:
            if packet.payload == self._word:
                self._heard_right += 1
            elif packet.payload in WORDS:
                self._heard_others += 1
            else:
                self._heard_wrong += 1
        self.peer.voice.write_packet(self.packet)

    async def settle(self) -> None:
        """Wait until the word comes back."""
        await eventually(lambda: self._heard_right >= 3)

    def begin_recovery(self) -> None:
        """From now on words are awaited that show it."""
        self._right_in_a_row = 0

    @property
    def has_recovered(self) -> bool:
        """Whether ordinary times are back."""
        return self._right_in_a_row >= IN_A_ROW

    def begin(self) -> None:
        """From now on nothing may be amiss."""
        self._arrivals = self._arrivals[-1:]
        self._heard_right = self._heard_wrong = self._heard_others = 0

    def complaints(self, *, patient: bool) -> list[str]:
        """What was amiss since ``begin``. Who is ``patient`` bears gaps, and what is concealed after them."""
        found = [f"raised {error!r}" for error in self.errors]
        if self.socket.closed is not None or self.state is not ConnectionState.CONNECTED:
            found.append(f"ended: {self.socket.closed}")
        missing = [next_ - last - 1 for (_, last), (_, next_) in pairwise(self._arrivals) if (next_ - last - 1) % 65536]
        if missing:
            found.append(f"lost packets: {missing}")
        if not patient:
            found += self._delays()
        if patient and not self.has_recovered:
            found.append("does not hear its word as before")
        if self._heard_others:
            found.append(f"heard another call's word {self._heard_others} times")
        if not self._heard_right or (self._heard_wrong and not patient):
            found.append(f"heard its word {self._heard_right} times, and something else {self._heard_wrong} times")
        return [f"{self.name} {complaint}" for complaint in found]

    def _delays(self) -> list[str]:
        moments = [moment for moment, _ in self._arrivals] + [trio.current_time()]
        gap = max((later - earlier for earlier, later in pairwise(moments)), default=math.inf)
        return [f"had a gap of {gap * 1000:.0f} ms"] if gap > MAX_GAP else []


class Crowd:
    """Made by ``open_crowd``."""

    def __init__(self, exchange: Exchange, talkers: Sequence[Talker]) -> None:
        self.exchange = exchange
        self.talkers = talkers
        self._entries = self._tables()

    def begin(self) -> None:
        """From now on nothing may be amiss."""
        for talker in self.talkers:
            talker.begin()

    async def complaints(self, *, patient: bool = False) -> list[str]:
        """What was amiss since ``begin``, a little later; and what has stayed of calls that have ended."""
        if patient:
            await self._recovery()
        else:
            await trio.sleep(SETTLING)
        found = [complaint for talker in self.talkers for complaint in talker.complaints(patient=patient)]
        if self._tables() != self._entries:
            found.append(f"left behind: {self._tables()} sessions, and their entries, instead of {self._entries}")
        return found

    async def _recovery(self) -> None:
        for talker in self.talkers:
            talker.begin_recovery()
        with trio.move_on_after(RECOVERY):
            while not all(talker.has_recovered for talker in self.talkers):  # noqa: ASYNC110
                await trio.sleep(0.02)

    def _tables(self) -> tuple[int, ...]:
        gateway = self.exchange.gateway
        return len(gateway.sessions), gateway.endpoint.sessions, len(gateway.scheduler)

    def end_others(self) -> None:
        """End all sessions but those of the talkers."""
        kept = {talker.session_id for talker in self.talkers}
        for session in self.exchange.gateway.sessions:
            if session.info.session_id not in kept:
                session.end("the test is over")

    def end(self, phone: Phone) -> None:
        """End the session of a phone, which would wait for it."""
        session = self.exchange.gateway.sessions.find(phone.session_id)
        if session is not None:
            session.end("the test is over")
        phone.hang_down()

    def phone(self, *codecs: CodecSpec) -> Phone:
        """A phone for one more caller."""
        return self.exchange.phone(*codecs)


@asynccontextmanager
async def open_crowd(
    directory: Path, config: str, plugins: Iterable[object] = (), calls: int = CALLS, **parts: Any
) -> AsyncIterator[Crowd]:
    """A gateway in memory with so many talking calls of its campaign ``talk``; see ``open_memory_exchange``."""
    async with open_memory_exchange(directory, config, plugins, **parts) as exchange:
        talkers = [Talker(exchange, number) for number in range(1, calls + 1)]
        async with trio.open_nursery() as nursery:
            for talker in talkers:
                exchange.nursery.start_soon(talker.run)
                nursery.start_soon(talker.connect, "talk")
        for talker in talkers:
            await talker.settle()
        crowd = Crowd(exchange, talkers)
        crowd.begin()
        yield crowd
