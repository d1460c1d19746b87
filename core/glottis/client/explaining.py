"""``glottis explain``: print why a session of a gateway fares as it does."""

from functools import partial

from glottis.client.text_pages import fetch_page, print_page
from glottis.contracts.errors import LocalError
from glottis.contracts.secret import Secret


def run(url: str, session_id: str, api_key: Secret | None) -> int:
    """Print the trace of a session; returns the exit code: 1 if the gateway does not give it."""
    return print_page(partial(fetch_trace, url, session_id, api_key))


async def fetch_trace(gateway_url: str, session_id: str, api_key: Secret | None = None) -> str:
    """The page of text that the gateway has. Raises ``CallFailed``, and ``LocalError`` for what cannot be asked."""
    if not (session_id.isascii() and session_id.replace("-", "").replace("_", "").isalnum()):
        raise LocalError("the session: expected its id, as in the gateway's log")
    return await fetch_page(gateway_url, f"/api/sessions/{session_id}/trace", "trace", api_key)
