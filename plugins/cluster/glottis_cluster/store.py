"""The way to Redis: whoever asks is answered soon, be it that Redis is away; the log hears of that once."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from glottis_cluster.scripts import script
from glottis_cluster.settings import ClusterConfig

if TYPE_CHECKING:
    from coredis import Redis

SCHEMA: Final = "1"
"""The version of keys and what is in them; nodes of another one are another cluster."""
PATIENCE: Final = 1.0
"""Seconds for an answer: Redis takes a millisecond, and a burst of requests in this process some hundred."""
LOOKS: Final = 5
BY_THE_CLOCK: Final = 2 * PATIENCE
"""Seconds for a connection, where our patience does not end it before. They go on while this process stands still."""
MAX_CONNECTIONS: Final = 32
LISTENING: Final = 1.0
"""Seconds for which a connection waits for letters at a time."""
_CREDENTIALS: Final = ("WRONGPASS", "NOAUTH", "NOPERM")

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Unreachable(Exception):
    """Redis is away, or does not do what it was asked for. The message says why; no password is in it."""


class WrongCredentials(Unreachable):
    """Redis is there, and lets nobody in with these."""


class Store:
    """``run`` keeps it connected until cancelled. Without that, and while Redis is away, all else is ``Unreachable``.

    Whether Redis is away is found out by ``probe``; what else fails because of the way to it says so, too.
    """

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        self._client: Redis[bytes] | None = None
        self._opened = trio.Event()
        self._away_since: float | None = None
        self._told: set[str] = set()
        self.lost = trio.Event()
        """Set, and replaced by another, when Redis is found to be away."""

    @property
    def is_up(self) -> bool:
        """Whether Redis has answered last."""
        return self._client is not None and self._away_since is None

    def key(self, *parts: str) -> str:
        """Of what is shared by this version's nodes."""
        return self.prefix + ":".join(parts)

    @property
    def prefix(self) -> str:
        """Of all keys of this version."""
        return f"{self._config.prefix}:{SCHEMA}:"

    async def run(self) -> None:
        """Until cancelled. A client that cannot begin is made anew; one that has begun connects by itself."""
        await trio.to_thread.run_sync(import_module, "coredis", abandon_on_cancel=True)  # it takes a third of a second
        logging.getLogger("coredis").setLevel(logging.CRITICAL)  # it tells each attempt; an outage is told once, by us
        while True:
            try:
                async with self._new_client() as client:
                    self._client = client
                    self._opened.set()
                    await trio.sleep_forever()
            except* Exception as errors:  # whatever the library makes of a broken connection
                self._away(_problem_of(_first(errors)))
                self._opened.set()
            finally:
                self._client = None
            await trio.sleep(self._config.lease / 3)

    async def opened(self) -> None:
        """Wait until Redis can be asked, or is known to be away."""
        await self._opened.wait()

    async def call(self, name: str, *arguments: str | bytes | int, probe: bool = False) -> Any:
        """What a script returns. ``probe`` asks also while Redis is away. Raises ``Unreachable``."""
        wanted = script(name)

        async def ask(client: "Redis[bytes]") -> Any:
            from coredis.exceptions import NoScriptError

            try:
                return await client.evalsha(wanted.digest, args=list(arguments))
            except NoScriptError:
                return await client.eval(wanted.text, args=list(arguments))

        return await self._ask(name, ask, probe)

    async def fields(self, key: str) -> dict[str, str]:
        """Of a hash. Raises ``Unreachable``."""
        found = await self._ask("a look", lambda client: client.hgetall(key), False)
        return {_text(name): _text(value) for name, value in found.items()}

    async def set_fields(self, key: str, fields: Mapping[str, str]) -> None:
        """Of a hash, some at least. Raises ``Unreachable``."""
        await self._ask("a note", lambda client: client.hset(key, dict(fields)), False)

    async def members(self) -> list[str]:
        """Those that live, and those that are not missed yet. Raises ``Unreachable``."""
        found = await self._ask("a look", lambda client: client.zrange(self.key("members"), 0, -1), False)
        return sorted(_text(member) for member in found)

    async def count(self, key: str) -> int:
        """Of what is in a set. Raises ``Unreachable``."""
        return await self._ask("a look", lambda client: client.scard(key), False)

    async def next_letter(self, member: str) -> bytes | None:
        """Wait for one, but not for long. Raises ``Unreachable``."""
        key = self.key("inbox", member)
        patience = LISTENING + PATIENCE
        found = await self._ask("the inbox", lambda client: client.blpop([key], timeout=LISTENING), False, patience)
        return found[1] if found else None

    async def _ask(
        self, what: str, ask: "Callable[[Redis[bytes]], Awaitable[T]]", probe: bool, patience: float = PATIENCE
    ) -> T:
        client = self._client
        if client is None or not (probe or self.is_up):
            raise Unreachable("Redis is away")
        try:
            answer = await _within(patience, lambda: ask(client))
        except trio.TooSlowError:
            raise self._away(Unreachable(f"it does not answer within {patience:g} s")) from None
        except Exception as error:
            raise self._judge(what, _first(error), probe) from None
        if probe:
            self._note_success()
        return answer

    def _judge(self, what: str, error: BaseException, probe: bool) -> Unreachable:
        """A way that is broken is told from a request that Redis refuses, which says nothing of others."""
        from coredis.exceptions import AuthenticationError, ResponseError

        problem = _problem_of(error)
        if probe or not isinstance(error, ResponseError) or isinstance(error, AuthenticationError):
            return self._away(problem)
        if what not in self._told:
            self._told.add(what)
            logger.error("Redis at %s refuses %s: %s; it is done without", self._config.place, what, problem)
        return problem

    def _away(self, problem: Unreachable) -> Unreachable:
        if self._away_since is None:
            self._away_since = trio.current_time()
            told = "sessions are created here meanwhile" if self._config.degraded == "local" else "sessions are refused"
            logger.warning("Redis at %s is away: %s; calls go on, %s", self._config.place, problem, told)
            self.lost.set()
            self.lost = trio.Event()
        elif isinstance(problem, WrongCredentials) and "credentials" not in self._told:
            logger.error("Redis at %s answers again, but %s", self._config.place, problem)
        if isinstance(problem, WrongCredentials):
            self._told.add("credentials")
        return problem

    def _note_success(self) -> None:
        if self._away_since is not None:
            lasted, self._away_since = trio.current_time() - self._away_since, None
            self._told.clear()
            logger.info("Redis at %s is there again after %.1f s", self._config.place, lasted)

    def _new_client(self) -> "Redis[bytes]":
        from coredis import Redis
        from coredis.retry import NoRetryPolicy

        return Redis.from_url(
            self._config.redis.reveal(),
            decode_components=True,
            retry_policy=NoRetryPolicy(),
            connect_timeout=BY_THE_CLOCK,
            pool_timeout=BY_THE_CLOCK,
            max_connections=MAX_CONNECTIONS,
        )


async def _within(patience: float, ask: Callable[[], Awaitable[T]]) -> T:
    """So many seconds, in looks: while this process stood still, Redis is not to blame. Raises ``TooSlowError``."""
    outcome: list[T] = []
    errors: list[Exception] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_wear_out, nursery.cancel_scope, patience)
        try:
            outcome.append(await ask())
        except Exception as error:
            errors.append(error)
        nursery.cancel_scope.cancel()
    if errors:
        raise errors[0]
    if not outcome:
        raise trio.TooSlowError
    return outcome[0]


async def _wear_out(scope: trio.CancelScope, patience: float) -> None:
    for _ in range(LOOKS):
        await trio.sleep(patience / LOOKS)
    scope.cancel()


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _problem_of(error: BaseException) -> Unreachable:
    from coredis.exceptions import AuthenticationError, AuthorizationError

    if isinstance(error, AuthenticationError):
        return WrongCredentials("it lets nobody in with this user name and password")
    if isinstance(error, AuthorizationError):
        return WrongCredentials(f"its user may not do what is needed: {error}")
    if isinstance(error, TimeoutError):
        return Unreachable(f"it takes no connection within {BY_THE_CLOCK:g} s")
    cause = f" ({error.__cause__})" if isinstance(error.__cause__, OSError) else ""
    return Unreachable(f"{str(error) or type(error).__name__}{cause}")
