"""Where a JWK set comes from: a file, or an endpoint of the operator's."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import trio

if TYPE_CHECKING:
    import httpx2

HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}
"""A packed document of a kilobyte can be a megabyte before anybody has counted."""
MAX_DOCUMENT: Final = 256 * 1024
"""Bytes; sets have some thousand."""

Source = Callable[[], Awaitable[bytes]]
"""Gets the document. Raises ``ValueError`` with a reason that holds no secret."""


def file_source(path: str) -> Source:
    """The file, read in a thread."""

    async def load() -> bytes:
        return await trio.to_thread.run_sync(read_file, path)

    return load


def read_file(path: str) -> bytes:
    """Its content; raises ``ValueError``."""
    try:
        with Path(path).open("rb") as file:
            return _bounded(file.read(MAX_DOCUMENT + 1))
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None


def url_source(url: str, transport: "httpx2.AsyncBaseTransport | None" = None) -> Source:
    """The endpoint. Redirects are not followed. ``transport`` stands in for the network in tests."""
    import httpx2  # not before it is needed: it takes 0.2 s

    verify = httpx2.create_ssl_context()  # once: it takes 0.2 s, too

    async def load() -> bytes:
        body = b""
        try:
            async with (
                httpx2.AsyncClient(verify=verify, transport=transport) as client,
                client.stream("GET", url, headers=HEADERS) as response,
            ):
                if response.status_code != httpx2.codes.OK:
                    raise ValueError(f"status {response.status_code}")
                if response.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
                    raise ValueError("a packed document, which was asked as it is")
                async with aclosing(response.aiter_bytes()) as parts:
                    async for part in parts:
                        body = _bounded(body + part)
        except (httpx2.HTTPError, OSError) as error:
            raise ValueError(type(error).__name__) from None
        return body

    return load


def place_of(url: str) -> str:
    """The endpoint as the log may have it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"


def _bounded(document: bytes) -> bytes:
    if len(document) > MAX_DOCUMENT:
        raise ValueError(f"more than {MAX_DOCUMENT} bytes")
    return document
