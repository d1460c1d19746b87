"""Says that this process lives, and what it has; hears of those that do not."""

import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio
from glottis import Seat

from glottis_cluster.losses import Losses
from glottis_cluster.settings import MAX_NAME, ClusterConfig
from glottis_cluster.store import SCHEMA, Store, Unreachable, WrongCredentials

BEATS: Final = 3
"""In the time of a lease: two may be lost."""
LAST_WORDS: Final = 1.0
"""Seconds for the others to be told that this node leaves."""
AT_A_TIME: Final = 500
"""Campaigns that are told in one request."""
MOST_LOOKED_AT: Final = 100
"""Members."""
MOST_TOLD: Final = 3
"""Versions that the log names."""

logger = logging.getLogger(__name__)


class Membership:
    """``member`` is the name of this process: that of the node, and its number where it is one of several workers.

    ``began`` is called whenever Redis knows nothing of this process, before it takes sessions of others: at first,
    after it was taken for lost, and after Redis has lost all.
    """

    def __init__(self, config: ClusterConfig, store: Store, url: str, number: int, owner: str = "") -> None:
        self.node = config.node
        self.member = f"{self.node}~{number}" if number else self.node
        self.seat: Seat | None = None
        self._seated = trio.Event()
        self._is_described = False
        """Whether Redis knows the campaigns."""
        self.began: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
        self.counts: Callable[[], Mapping[str, int]] = dict
        """Of what went wrong in this process, for operators."""
        self.is_in = False
        """Whether the others can know of it."""
        self._config = config
        self._store = store
        self.url = url
        """Where clients reach this node."""
        self._number = number
        self._instance = secrets.token_hex(8)
        self._owner = owner or _owner(number)
        self._usurper = ""
        """Where the other node of this name is."""
        self._has_looked_around = False
        self._losses = Losses()
        self._speaking = trio.Lock()
        """So that nothing is said after the last words."""
        self._has_left = False
        self._clock = 0.0
        """What is to be added to trio's time to have that of Redis."""

    @property
    def is_reachable(self) -> bool:
        """Whether a client can make something of ``url``: all addresses of a machine are none."""
        try:
            return not ip_address(urlsplit(self.url).hostname or "").is_unspecified
        except ValueError:
            return True

    def redis_time(self) -> float:
        """Seconds since 1970, as Redis has them: those of machines may differ by minutes."""
        return trio.current_time() + self._clock

    async def enter(self) -> str:
        """Where another node is that has this name, and does not give it up within a lease; empty if there is none.

        A process that has died a moment ago has it still. Where Redis is away it is found out later; raises
        ``WrongCredentials``.
        """
        patience = trio.current_time() + self._config.lease * 1.5
        while await self._has_no_name():
            if trio.current_time() < patience:
                await trio.sleep(self._config.lease / BEATS)
                continue
            return self._usurper
        return ""

    async def _has_no_name(self) -> bool:
        """Whether another node has it."""
        try:
            await self.beat()
        except WrongCredentials:
            raise
        except Unreachable:
            return False
        return bool(self._usurper)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.beat()
                await self._look_around()
            except Unreachable:
                self.is_in = self.is_in and self._store.is_up
            with trio.move_on_after(self._config.lease / BEATS):
                await self._seated.wait()
                self._seated = trio.Event()

    def sit_down(self, seat: Seat) -> None:
        """From now on the others may want sessions of it, which they are told at once."""
        self.seat = seat
        self._is_described = False
        self._seated.set()

    async def beat(self) -> None:
        """Once, unless it has left. Raises ``Unreachable``."""
        async with self._speaking:
            if not self._has_left:
                await self._beat()

    async def _beat(self) -> None:
        lease, history = round(self._config.lease * 1000), round(self._config.history_hours * 3_600_000)
        who = self.member, self.node, self._instance, self._owner, self.url
        began = trio.current_time()
        answer = await self._store.call("beat", self._store.prefix, *who, lease, history, *self._record(), probe=True)
        told = answer[0].decode()
        if told == "taken":
            self._note_usurper(answer[1].decode(errors="replace"))
            return
        self._usurper = ""
        self._clock = answer[1] / 1000 - (began + trio.current_time()) / 2
        if told == "new" or not self.is_in:
            self.is_in, self._is_described = True, False
            await self.began()
        if self.seat is not None and not self._is_described:
            await self._describe(self.seat)
        for lost, sessions in zip(answer[2::2], answer[3::2], strict=True):
            self._losses.note(lost.decode(errors="replace"), sessions)

    async def leave(self) -> None:
        """The calls have ended. Who cannot say it is missed soon."""
        who = self.member, self.node, self._instance, self._owner
        history = round(self._config.history_hours * 3_600_000)
        with trio.move_on_after(LAST_WORDS, shield=True):
            try:
                async with self._speaking:
                    self._has_left = True
                    await self._store.call("leave", self._store.prefix, *who, int(self._number == 0), history)
            except Unreachable:
                logger.debug("nobody is told that this node leaves")

    def _record(self) -> list[str]:
        """What may change."""
        fields: dict[str, object] = {"region": self._config.region, **self.counts()}
        if (seat := self.seat) is not None and self._is_described:
            fields |= {"unavailable": seat.unavailability(), "capacity": seat.capacity}
        else:
            fields |= {"unavailable": "STARTING", "capacity": 0}
        return [str(part) for pair in fields.items() for part in pair]

    async def _describe(self, seat: Seat) -> None:
        """What does not: it may be long. Nothing is placed here before that is known; then the others hear of it."""
        fields = iter([(f"campaign:{name}", _listed(agents)) for name, agents in seat.campaigns.items()])
        while some := dict(islice(fields, AT_A_TIME)):
            await self._store.set_fields(self._store.key("member", self.member), some)
        self._is_described = True
        self._seated.set()

    async def _look_around(self) -> None:
        """Once: what is wrong with this node beside others, none of which it keeps from working."""
        if self._has_looked_around or not self.is_in:
            return
        await self._look_for_versions()
        await self._look_for_namesakes()
        self._has_looked_around = True

    async def _look_for_namesakes(self) -> None:
        """Other nodes with the same URL: that of what is before them all, as a rule."""
        for member in islice(await self._store.members(), MOST_LOOKED_AT):
            record = await self._store.fields(self._store.key("member", member))
            if record.get("url") == self.url and record.get("node", self.node) != self.node:
                told = (
                    "server.public_url: node %s has the same, %s: callers will miss their sessions; give each its own"
                )
                logger.error(told, member, self.url)
                return

    async def _look_for_versions(self) -> None:
        """Nodes that have other keys can be seen by this alone."""
        key = f"{self._config.prefix}:versions"
        await self._store.set_fields(key, {SCHEMA: self.node})
        others = {version: node for version, node in (await self._store.fields(key)).items() if version != SCHEMA}
        if others:
            named = ", ".join(
                f"{version[:8]} ({node[:MAX_NAME]})" for version, node in islice(others.items(), MOST_TOLD)
            )
            told = "nodes of other versions share this Redis, and are left alone: %s; this one has version %s"
            logger.warning(told, named, SCHEMA)

    def _note_usurper(self, url: str) -> None:
        self.is_in = False
        if not self._usurper:
            where = url or "somewhere"
            logger.error("another node is called %s, too, at %s: this one is on its own", self.node, where)
        self._usurper = url or "somewhere"


def _listed(names: Iterable[str]) -> str:
    return "".join(f"\n{name}" for name in names) + "\n"


def _owner(number: int) -> str:
    """The same for all workers of a gateway, and for nobody else: their parent, as its kernel knows it."""
    if not number:
        return secrets.token_hex(8)
    parent = os.getppid()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        began = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[19]
        namespace = os.readlink(f"/proc/{parent}/ns/pid")
    except (OSError, IndexError):
        return f"parent-{parent}"
    return f"{boot}-{namespace}-{parent}-{began}"
