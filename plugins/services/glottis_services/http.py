"""Requests to one service, with limits: each answer is read as it comes, or is a ``ServiceFailed``."""

import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import trio

from glottis_services.clients import shared_client, trusted
from glottis_services.errors import ServiceFailed, refusal
from glottis_services.settings import ServiceConfig

if TYPE_CHECKING:
    import httpx2

MAX_ANSWER: Final = 64 << 20
"""Bytes: what is longer does not end by itself."""
MAX_REFUSAL: Final = 65536
"""Bytes of an error's reasons that are read."""
UNPACKED: Final = {"Accept-Encoding": "identity"}
"""A packed answer of a kilobyte can be a megabyte before anybody has counted."""
FIRST_PAUSE: Final = 0.25
"""Seconds before a request is sent again, as a mean; they double each time."""
LONGEST_PAUSE: Final = 2.0
"""A service that wants more time is given up at once: somebody waits at the telephone."""
PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Of these another attempt may bring something else; nothing of the answer was used by then."""


class HttpService:
    """``transport`` stands in for the network in tests."""

    def __init__(self, config: ServiceConfig, transport: "httpx2.AsyncBaseTransport | None" = None) -> None:
        import httpx2  # not before a service is used: it takes 0.2 s

        self._httpx = httpx2
        self._config = config
        self._client = httpx2.AsyncClient(transport=transport, timeout=None) if transport else None
        if not transport:
            trusted()  # here, too, and not while calls go on
        self.place = config.place

    @asynccontextmanager
    async def post(self, path: str, headers: Mapping[str, str], **content: Any) -> AsyncIterator["Answer"]:
        """The answer to a request whose ``content`` (``json``, ``files``, ``params``…) is named as in httpx2.

        Raises ``ServiceFailed`` where there is none, or one that refuses.
        """
        response = await self._response(path, headers, content)
        try:
            yield Answer(response, self._config, self._httpx.HTTPError)
        finally:
            await response.aclose()

    async def _response(self, path: str, headers: Mapping[str, str], content: Mapping[str, Any]) -> "httpx2.Response":
        client = self._client or shared_client("http")
        pause = FIRST_PAUSE
        for left in range(self._config.retries, -1, -1):
            response = await self._sent(client, self._request(client, path, headers, content), is_last=not left)
            if response is not None and response.is_success:
                return response
            wanted = _retry_after(response)
            if response is not None and (not left or response.status_code not in PASSING or wanted > LONGEST_PAUSE):
                raise await self._refused(response)
            if response is not None:
                await response.aclose()
            await trio.sleep(max(wanted, pause * random.uniform(0.5, 1.5)))  # noqa: S311
            pause *= 2
        raise AssertionError("the last attempt has returned or raised")

    def _request(
        self, client: "httpx2.AsyncClient", path: str, headers: Mapping[str, str], content: Mapping[str, Any]
    ) -> "httpx2.Request":
        others = {name: value.reveal().strip() for name, value in self._config.headers.items()}
        url = self._config.url.rstrip("/") + path
        try:
            return client.build_request("POST", url, headers={**UNPACKED, **headers, **others}, **content)
        except (ValueError, TypeError, self._httpx.InvalidURL) as error:  # which may quote the key
            reason = type(error).__name__
            raise ServiceFailed(f"{self.place} cannot be asked ({reason}): check url, api_key and headers") from None

    async def _sent(
        self, client: "httpx2.AsyncClient", request: "httpx2.Request", *, is_last: bool
    ) -> "httpx2.Response | None":
        """None where nothing came back, and another attempt is left."""
        try:
            with trio.fail_after(self._config.timeout):
                return await client.send(request, stream=True)
        except trio.TooSlowError:
            raise ServiceFailed(_too_slow(self._config)) from None
        except (self._httpx.HTTPError, OSError) as error:
            if is_last:
                reason = type(error).__name__
                raise ServiceFailed(f"{self.place} cannot be reached ({reason}): check url") from None
            return None

    async def _refused(self, response: "httpx2.Response") -> ServiceFailed:
        body = b""
        answer = Answer(response, self._config, self._httpx.HTTPError)
        try:
            body = await answer.whole(MAX_REFUSAL)
        except ServiceFailed:
            pass  # its status says enough
        finally:
            await response.aclose()
        return refusal(self.place, response.status_code, body)


class Answer:
    """One that does not refuse. Its parts are read once."""

    def __init__(self, response: "httpx2.Response", config: ServiceConfig, error: type[Exception]) -> None:
        self.media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        """Such as ``application/json``; empty where it is not told."""
        self._response = response
        self._config = config
        self._error = error

    async def parts(self, most: int = MAX_ANSWER) -> AsyncGenerator[bytes, None]:
        """As they come. Raises ``ServiceFailed`` for what is packed, stops, breaks off, or is over ``most``."""
        packed = self._response.headers.get("content-encoding", "").strip().lower()
        if packed not in ("", "identity"):
            raise ServiceFailed(f"{self._config.place} has packed its answer ({packed[:20]}), which was asked as it is")
        stream = self._response.aiter_bytes()
        total = 0
        try:
            while (part := await self._next(stream)) is not None:
                total += len(part)
                if total > most:
                    raise ServiceFailed(f"{self._config.place} has not ended its answer within {most} bytes")
                yield part
        finally:
            if (close := getattr(stream, "aclose", None)) is not None:
                await close()

    async def whole(self, most: int = MAX_ANSWER) -> bytes:
        """All of it."""
        return b"".join([part async for part in self.parts(most)])

    async def _next(self, stream: AsyncIterator[bytes]) -> bytes | None:
        try:
            with trio.fail_after(self._config.timeout):
                return await anext(stream)
        except StopAsyncIteration:
            return None
        except trio.TooSlowError:
            raise ServiceFailed(_too_slow(self._config)) from None
        except (self._error, OSError) as error:
            raise ServiceFailed(f"{self._config.place} has broken off ({type(error).__name__})") from None


def _too_slow(config: ServiceConfig) -> str:
    return f"{config.place} has said nothing for {config.timeout:g} s: check that it works, or raise timeout"


def _retry_after(response: "httpx2.Response | None") -> float:
    """Seconds that the service asks for; a date (RFC 9110 §10.2.3) is too far away anyway."""
    asked = "" if response is None else response.headers.get("retry-after", "")
    try:
        return max(0.0, float(asked)) if asked else 0.0
    except ValueError:
        return LONGEST_PAUSE + 1
