"""Posts events, each until it is taken or given up: with pauses that grow, and one line in the log for an outage."""

import logging
import random
from enum import Enum, auto
from importlib import import_module
from typing import TYPE_CHECKING, Final

import trio
from glottis.contracts.clock import WallClock, wall_clock

from glottis_webhooks.outbox import Entry, Outbox
from glottis_webhooks.settings import WebhooksConfig
from glottis_webhooks.signing import key_of, signed_headers

if TYPE_CHECKING:
    import httpx2

SIDE_BY_SIDE: Final = 8
"""Events that are posted at a time; while the endpoint fails, it is one."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
"""Seconds; they double, and each is between half of it and all."""
MAX_REFUSALS: Final = 5
"""Times that an event may be refused by itself, which an endpoint does that works; then it is given up."""
PASSING: Final = frozenset({408, 409, 425, 429})
"""Of the 4xx, those that say nothing of the event."""

logger = logging.getLogger(__name__)


class Outcome(Enum):
    """Of an attempt."""

    DELIVERED = auto()
    REFUSED = auto()
    """The event: others may be taken."""
    FAILED = auto()
    """The endpoint."""


class Delivery:
    """``run`` until cancelled. ``transport`` stands in for the network in tests; ``clock`` the time of day."""

    def __init__(
        self,
        settings: WebhooksConfig,
        outbox: Outbox,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        clock: WallClock = wall_clock,
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._outbox = outbox
        self._key = key_of(settings.secret.reveal())
        self._clock = clock
        self._errors: tuple[type[Exception], ...] = ()
        """What an attempt may raise."""
        self._failures = 0
        """In a row."""
        self._failing_since: float | None = None
        self._resume_at = 0.0
        self._works = trio.Event()
        self.given_up = 0

    async def run(self) -> None:
        """Take events and post them."""
        # Not before it is used, and by a thread: it takes 0.2 s, in which calls may have begun.
        await trio.to_thread.run_sync(import_module, "httpx2", abandon_on_cancel=True)
        import httpx2

        self._errors = (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError)
        # Whose certificates are trusted is read by a thread, for it takes a tenth of a second.
        trusted = await trio.to_thread.run_sync(httpx2.create_ssl_context, abandon_on_cancel=True)
        client = httpx2.AsyncClient(transport=self._transport, verify=trusted, timeout=None, follow_redirects=False)
        self._works.set()
        async with client, trio.open_nursery() as nursery:
            for number in range(SIDE_BY_SIDE):
                nursery.start_soon(self._post_all, client, number == 0)

    async def _post_all(self, client: "httpx2.AsyncClient", is_first: bool) -> None:
        while True:
            if not is_first:
                await self._works.wait()
            await trio.sleep_until(self._resume_at)
            entry = await self._outbox.take()
            try:
                if trio.current_time() >= self._resume_at and (is_first or self._works.is_set()):
                    await self._try(client, entry)
            finally:
                self._outbox.put_back(entry)

    async def _try(self, client: "httpx2.AsyncClient", entry: Entry) -> None:
        """One attempt."""
        body = await self._outbox.body_of(entry)
        if body is None:
            await self._outbox.remove(entry)
            return
        if self._clock.now() - self._clock.restated(entry.created_at) > self._settings.max_hours * 3600:
            await self._give_up(entry, f"it is older than {self._settings.max_hours:g} h")
            return
        outcome, reason, wanted = await self._post(client, entry, body)
        if outcome is Outcome.DELIVERED:
            self._note_success()
            await self._outbox.remove(entry)
            return
        self._note_failure(reason, wanted)
        if outcome is Outcome.REFUSED and self._clock.is_set():  # else its signature was of a time that cannot be
            entry.refusals += 1
            if entry.refusals >= MAX_REFUSALS:
                await self._give_up(entry, reason)

    async def _post(self, client: "httpx2.AsyncClient", entry: Entry, body: bytes) -> tuple[Outcome, str, float]:
        """What has come of it, why, and after how many seconds the endpoint wants to be asked again."""
        headers = signed_headers(self._key, entry.message_id, int(self._clock.now()), body)
        headers |= {"content-type": "application/json", "user-agent": "glottis-webhooks"}
        url = self._settings.url.reveal()
        try:
            with trio.fail_after(self._settings.timeout):
                async with client.stream("POST", url, content=body, headers=headers) as response:
                    return _judged(response)  # whose body is not read: nothing in it matters
        except trio.TooSlowError:
            return Outcome.FAILED, f"it does not answer within {self._settings.timeout:g} s", 0.0
        except self._errors as error:
            return Outcome.FAILED, f"it cannot be reached ({type(error).__name__})", 0.0

    def _note_success(self) -> None:
        self._failures = 0
        if self._failing_since is not None:
            lasted, self._failing_since = trio.current_time() - self._failing_since, None
            logger.info("webhooks to %s work again after %.0f s", self._settings.place, lasted)
        self._works.set()

    def _note_failure(self, reason: str, wanted: float) -> None:
        """Wait, for as many seconds as are ``wanted`` at least. The log is told once per outage."""
        if trio.current_time() < self._resume_at:
            return  # others were posted beside it, and have failed as well
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = trio.current_time()
            self._works = trio.Event()
            waiting = len(self._outbox)
            logger.warning(
                "webhooks to %s fail: %s; %d wait, and are tried again", self._settings.place, reason, waiting
            )
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures - 1, 20))
        pause = max(min(wanted, LONGEST_PAUSE), pause * random.uniform(0.5, 1.0))  # noqa: S311
        self._resume_at = trio.current_time() + pause

    async def _give_up(self, entry: Entry, reason: str) -> None:
        self.given_up += 1
        if self.given_up == 1 or self._failing_since is None:
            logger.error("a webhook to %s is given up: %s", self._settings.place, reason)
        await self._outbox.remove(entry)


def _judged(response: "httpx2.Response") -> tuple[Outcome, str, float]:
    status = response.status_code
    if 200 <= status < 300:
        return Outcome.DELIVERED, "", 0.0
    if 300 <= status < 400:
        return Outcome.FAILED, f"it redirects ({status}), which is not followed: set url to where it leads", 0.0
    reason = f"it answers {status}"
    if 400 <= status < 500 and status not in PASSING:
        return Outcome.REFUSED, reason, 0.0
    try:
        return Outcome.FAILED, reason, max(0.0, float(response.headers.get("retry-after", "0")))
    except ValueError:  # a date, which is too far away anyway
        return Outcome.FAILED, reason, 0.0
