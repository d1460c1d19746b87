"""``[log]``, which a gateway and a device have alike."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from glottis.contracts.notes import Topic


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """``[log]``: what is logged to standard error, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    json: bool = False
    """One JSON object per line."""
    verbose: tuple[Topic, ...] = ()
    """Topics of the traces of sessions that are logged as they are written, whatever the level."""
    file: str = ""
    """Where the log goes as well: a ring of two files."""
    file_megabytes: Annotated[int, Meta(ge=1, le=1024)] = 8
    """Of both together."""
