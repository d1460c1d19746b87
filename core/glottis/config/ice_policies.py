"""Whether who is to use relays alone can have some."""

from collections.abc import Mapping
from typing import Literal

from glottis.contracts.errors import ConfigurationError

IcePolicy = Literal["all", "relay"]


def check_relays(policies: Mapping[str, IcePolicy | None], lite: bool, for_gateway: bool) -> None:
    """By the table that has the key ``ice_policy``. Raises ``ConfigurationError``."""
    for table in (table for table, policy in policies.items() if policy == "relay"):
        if lite:
            raise ConfigurationError(f"{table}.ice_policy: a lite agent has no relayed candidates (RFC 8445 §5.2)")
        if not for_gateway:
            never = "by relays alone there is no call where ice_servers.for_gateway is false"
            raise ConfigurationError(f"{table}.ice_policy: {never}")
