"""``glottis explain``: print why a session of a gateway fares as it does."""

import sys
from http import HTTPStatus
from typing import Final

import trio

from glottis.client.connection import CallFailed, split_gateway_url
from glottis.client.grant import parse_problem_untrusted
from glottis.client.requests import ask_gateway, why_odd
from glottis.contracts.errors import LocalError, Malformed, RemoteError
from glottis.contracts.secret import Secret

EXIT_FAILED: Final = 1


def run(url: str, session_id: str, api_key: Secret | None) -> int:
    """Print the trace of a session; returns the exit code: 1 if the gateway does not give it."""
    try:
        text = trio.run(fetch_trace, url, session_id, api_key)
    except RemoteError as error:
        sys.stderr.write(f"glottis: {_printable(str(error))}\n")
        return EXIT_FAILED
    sys.stdout.write(_printable(text))
    return 0


async def fetch_trace(gateway_url: str, session_id: str, api_key: Secret | None = None) -> str:
    """The page of text that the gateway has. Raises ``CallFailed``, and ``LocalError`` for what cannot be asked."""
    if not (session_id.isascii() and session_id.replace("-", "").replace("_", "").isalnum()):
        raise LocalError("the session: expected its id, as in the gateway's log")
    url, path = split_gateway_url(gateway_url), f"/api/sessions/{session_id}/trace"
    response, content = await ask_gateway(url, path, api_key)
    if response.status_code == HTTPStatus.OK:
        return content.decode(errors="replace")
    try:
        raise CallFailed(f"the gateway has no trace for you: {parse_problem_untrusted(content)}")
    except Malformed as error:
        raise CallFailed(why_odd(url, path, response, error)) from error


def _printable(text: str) -> str:
    """The gateway's words without what could command a terminal."""
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)
