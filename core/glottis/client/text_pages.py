"""Pages of text that a gateway has for people who may read them."""

import sys
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import trio

from glottis.client.connection import CallFailed, split_gateway_url
from glottis.client.grant import parse_problem_untrusted
from glottis.client.requests import ask_gateway, why_odd
from glottis.contracts.errors import Malformed, RemoteError
from glottis.contracts.secret import Secret

EXIT_FAILED: Final = 1


def print_page(fetch: Callable[[], Awaitable[str]]) -> int:
    """Print what is fetched; returns the exit code: 1 if the gateway does not give it."""
    try:
        text = trio.run(fetch)
    except RemoteError as error:
        sys.stderr.write(f"glottis: {_printable(str(error))}\n")
        return EXIT_FAILED
    sys.stdout.write(_printable(text))
    return 0


async def fetch_page(gateway_url: str, path: str, what: str, api_key: Secret | None = None) -> str:
    """The page at ``path``, called ``what``. Raises ``CallFailed``, and ``LocalError`` for a useless URL or key."""
    url = split_gateway_url(gateway_url)
    response, content = await ask_gateway(url, path, api_key)
    if response.status_code == HTTPStatus.OK:
        return content.decode(errors="replace")
    try:
        raise CallFailed(f"the gateway has no {what} for you: {parse_problem_untrusted(content)}")
    except Malformed as error:
        raise CallFailed(why_odd(url, path, response, error)) from error


def _printable(text: str) -> str:
    """The gateway's words without what could command a terminal."""
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)
