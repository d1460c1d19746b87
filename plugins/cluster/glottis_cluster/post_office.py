"""Letters to and from other members."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import trio
from glottis import Malformed

from glottis_cluster.letters import Answer, Letter, Taken, Wish, parse_letter_untrusted
from glottis_cluster.membership import Membership
from glottis_cluster.store import Store, Unreachable

MOST_WISHES: Final = 64
"""That are worked at a time; others are refused, so that their askers go elsewhere."""
ANSWERED: Final = 3.0
"""Seconds for which an answer is good."""
PAUSE: Final = 0.1
LOOKS: Final = 5

Serve = Callable[[Wish], Awaitable[Answer]]

logger = logging.getLogger(__name__)


class _Awaited:
    """What is to come of a wish."""

    def __init__(self) -> None:
        self.is_taken = trio.Event()
        self.is_over = trio.Event()
        self.answer: Answer | None = None


class PostOffice:
    """``run`` reads what comes until cancelled; ``serve`` does what is wished."""

    def __init__(self, store: Store, membership: Membership, serve: Serve, refuse: Callable[[str], Answer]) -> None:
        self.malformed = 0
        """Letters that cannot be read."""
        self.late = 0
        """Wishes that nobody waits for any more."""
        self.refused = 0
        """Wishes beyond those that are worked at."""
        self._store = store
        self._membership = membership
        self._serve = serve
        self._refuse = refuse
        self._awaited: dict[str, _Awaited] = {}
        self._served = 0

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._give_up_when_lost)
            while True:
                try:
                    data = await self._next()
                except Unreachable:
                    await trio.sleep(PAUSE)
                    continue
                if data is not None:
                    self._take(data, nursery)

    async def _next(self) -> bytes | None:
        """A letter. Where another node has the name, they are its letters."""
        if not self._membership.is_in:
            raise Unreachable("this node is on its own")
        return await self._store.next_letter(self._membership.member)

    def expect(self, wish_id: str) -> None:
        """There will be an answer to this wish, or not; ``forget`` it in the end."""
        self._awaited[wish_id] = _Awaited()

    def forget(self, wish_id: str) -> None:
        """Nobody waits for it any more."""
        self._awaited.pop(wish_id, None)

    async def taken(self, wish_id: str, patience: float) -> bool:
        """Whether somebody works at it within so many seconds, in looks: while this process stands still, what has come
        is not read.
        """
        is_taken = self._awaited[wish_id].is_taken
        for _ in range(LOOKS):
            with trio.move_on_after(patience / LOOKS):
                await is_taken.wait()
        return is_taken.is_set()

    async def answer(self, wish_id: str, patience: float) -> Answer | None:
        """What has come of it within so many seconds."""
        with trio.move_on_after(patience):
            await self._awaited[wish_id].is_over.wait()
        return self._awaited[wish_id].answer

    def _take(self, data: bytes, nursery: trio.Nursery) -> None:
        try:
            void_at, letter = parse_letter_untrusted(data)
        except Malformed as error:
            self.malformed += 1
            if self.malformed == 1:
                logger.error("a letter of another node is left out, and so are further ones: %s", error)
            return
        if isinstance(letter, Wish):
            if void_at < self._membership.redis_time():
                self.late += 1
                return
            nursery.start_soon(self._do, letter)
        elif (awaited := self._awaited.get(letter.id)) is not None:
            awaited.is_taken.set()
            if isinstance(letter, Answer):
                awaited.answer = letter
                awaited.is_over.set()

    async def _do(self, wish: Wish) -> None:
        if self._served >= MOST_WISHES:
            self.refused += 1
            await self._send(wish.asker, self._refuse(wish.id))
            return
        self._served += 1
        try:
            await self._send(wish.asker, Taken(wish.id))
            await self._send(wish.asker, await self._serve(wish))
        finally:
            self._served -= 1

    async def _send(self, member: str, letter: Letter) -> None:
        try:
            data = msgspec.json.encode(letter)
            await self._store.call("post", self._store.prefix, member, round(ANSWERED * 1000), data)
        except Unreachable:
            logger.debug("%s is not answered: Redis is away", member)

    async def _give_up_when_lost(self) -> None:
        """Who waits goes on without an answer."""
        while True:
            await self._store.lost.wait()
            for awaited in self._awaited.values():
                awaited.is_taken.set()
                awaited.is_over.set()
