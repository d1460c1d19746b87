"""Ids of sessions that name their worker, and the paths of requests that have one (CONTRACT §1-2)."""

import re
import secrets
from typing import Final

_SESSION_ID: Final = re.compile(r"(?:^|/)([1-9][0-9]{0,8})-[A-Za-z0-9_-]{22}(?=/|$)")


def new_session_id(worker: int) -> str:
    """One that nobody can guess."""
    return f"{worker}-{secrets.token_urlsafe(16)}"


def worker_in(path: str) -> int | None:
    """The number of the worker whose session the path is about; None if it is about none."""
    found = _SESSION_ID.search(path)
    return None if found is None else int(found[1])
