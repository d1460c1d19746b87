"""The id of a request, by which its line in the log, and those of the session that it creates, are found.

Who sends one in ``X-Request-Id``, as proxies do, gets it back, if it is short and harmless; else one is made.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Final

HEADER: Final = "x-request-id"
_SANE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")


def request_id(headers: Mapping[str, str]) -> str:
    """Of the request with these headers."""
    sent = headers.get(HEADER, "")
    return sent if _SANE.fullmatch(sent) else secrets.token_hex(8)
