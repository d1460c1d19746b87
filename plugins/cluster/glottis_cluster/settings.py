"""Settings of the extension ``cluster``."""

import re
import socket
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from glottis import ConfigurationError, Secret
from msgspec import Meta

MAX_NAME: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
Name = Annotated[str, Meta(max_length=MAX_NAME)]


class ClusterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """``[extensions.settings.cluster]``."""

    redis: Secret
    """Its URL, in which the password is: ``redis://``, ``rediss://`` (by TLS) or ``unix://``."""
    name: Name = ""
    """Of this node, which no other has; empty: the name of the machine."""
    region: Name = ""
    """Of this node. Sessions stay in their region, if there is room in it."""
    strict_regions: bool = False
    """Whether they stay in it at all events."""
    degraded: Literal["local", "refuse"] = "local"
    """What becomes of a request for a session while Redis is away: it is created here, or refused."""
    prefix: Name = "glottis"
    """Of all keys: clusters that share a Redis have one each."""
    lease: Annotated[float, Meta(ge=0.3, le=60)] = 1.4
    """Seconds without a word of a node after which it is lost; it says one three times in that time."""
    history_hours: Annotated[float, Meta(gt=0, le=8760)] = 24.0
    """How long it is known how a session has ended."""
    region_variable: str = "region"
    agent_variable: str = "agent"
    """Members of the request's ``dynamicVariables`` that name a region, and an agent of the campaign."""

    def __post_init__(self) -> None:
        for key, value in (("name", self.name), ("region", self.region), ("prefix", self.prefix)):
            if value and not _NAME.fullmatch(value):
                raise ConfigurationError(f"{key}: expected letters, digits and characters of -._, got {value!r}")
        if not self.prefix:
            raise ConfigurationError("prefix: expected a name")
        if not _is_redis(self.redis.reveal()):
            raise ConfigurationError("redis: expected a URL such as redis://:PASSWORD@redis.example.org:6379/0")

    @property
    def node(self) -> str:
        """Its name."""
        return self.name or re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:MAX_NAME] or "node"

    @property
    def place(self) -> str:
        """Where Redis is, as the log may have it."""
        parts = urlsplit(self.redis.reveal())
        return parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"


def _is_redis(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # for a host or a port that cannot be one
        return False
    if parts.query or parts.fragment or port == 0:
        return False
    if parts.scheme == "unix":
        return parts.path.startswith("/")
    return (
        parts.scheme in ("redis", "rediss")
        and bool(parts.hostname)
        and re.fullmatch(r"(/[0-9]{0,4})?", parts.path) is not None
    )
