"""Asks the endpoint, and remembers: what it has said, and that it does not answer."""

import logging
import math
import ssl
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import trio
from glottis import CallInfo, IceServer

from glottis_ice_http.answers import read_ice_servers
from glottis_ice_http.settings import HttpConfig

if TYPE_CHECKING:
    import httpx2

logger = logging.getLogger(__name__)

MAX_ANSWER: Final = 65536
"""Bytes; answers have some hundred."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds in which an endpoint that has failed is not asked; they double with each failure."""


class HttpIceServers:
    """Never raises for what the endpoint does: a call then has the last answer, or none.

    ``transport`` stands in for the network in tests.
    """

    def __init__(self, config: HttpConfig, transport: "httpx2.AsyncBaseTransport | None" = None) -> None:
        import httpx2  # not before the provider is enabled: it takes 0.2 s

        self._httpx = httpx2
        self._config = config
        self._transport = transport
        self._ssl_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which trusts nobody
        if config.place.startswith("https:"):
            self._ssl_context = httpx2.create_ssl_context()  # once: it takes 0.2 s, too
        self._asking = trio.Lock()
        self._answer: list[IceServer] = []
        self._answered_at = -math.inf
        self._pause = 0.0
        self._next_at = -math.inf

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        """What the endpoint says, or has said lately."""
        if self._config.cache == 0:
            return await self._ask()
        if not self._is_fresh:
            async with self._asking:  # who comes meanwhile has the same answer
                if not self._is_fresh:
                    return await self._ask()
        return list(self._answer)

    @property
    def _is_fresh(self) -> bool:
        return trio.current_time() - self._answered_at < self._config.cache

    async def _ask(self) -> list[IceServer]:
        if trio.current_time() < self._next_at:
            return self._kept()
        try:
            with trio.fail_after(self._config.timeout):
                servers = read_ice_servers(await self._fetch())
        except trio.TooSlowError:
            return self._failed(f"no answer in {self._config.timeout:g} s")
        except (ValueError, self._httpx.HTTPError, OSError) as error:
            return self._failed(str(error) if isinstance(error, ValueError) else type(error).__name__)
        if self._pause:
            logger.info("ICE servers of %s: it answers again", self._config.place)
        self._pause = 0.0
        self._answer, self._answered_at = servers, trio.current_time()
        return list(servers)

    async def _fetch(self) -> bytes:
        config = self._config
        headers = {"Accept-Encoding": "identity"} | {name: value.reveal() for name, value in config.headers.items()}
        if config.body:
            headers = {"Content-Type": "application/json", **headers}
        client = self._httpx.AsyncClient(verify=self._ssl_context, transport=self._transport)
        async with (
            client,
            client.stream(config.method, config.url.reveal(), headers=headers, content=config.body or None) as response,
        ):
            if not response.is_success:
                raise ValueError(f"status {response.status_code}")
            if response.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
                raise ValueError("a packed answer, which was asked as it is")
            body = b""
            async with aclosing(response.aiter_bytes()) as parts:
                async for part in parts:
                    body += part
                    if len(body) > MAX_ANSWER:
                        raise ValueError(f"more than {MAX_ANSWER} bytes")
        return body

    def _failed(self, reason: str) -> list[IceServer]:
        if not self._pause:
            logger.warning("ICE servers of %s left out while it fails: %s", self._config.place, reason)
        self._pause = min(2 * self._pause, LONGEST_PAUSE) or FIRST_PAUSE
        self._next_at = trio.current_time() + self._pause
        return self._kept()

    def _kept(self) -> list[IceServer]:
        is_good = trio.current_time() - self._answered_at < self._config.cache + self._config.keep
        return list(self._answer) if is_good else []
