"""What a request belongs to, as its sender says it: the header ``traceparent`` of W3C Trace Context.

Who sends none, or one that breaks the rules, begins a trace (§4.3).
"""

import re
from collections.abc import Mapping
from typing import Final

HEADER: Final = "traceparent"
_VERSION_00: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
"""§3.2.2. Later versions need not be understood."""


def traceparent(headers: Mapping[str, str]) -> str:
    """Of the request with these headers; empty if there is none."""
    sent = headers.get(HEADER, "")
    ids = _VERSION_00.fullmatch(sent)
    return sent if ids is not None and all(one.strip("0") for one in ids.groups()) else ""  # zeros are no id
