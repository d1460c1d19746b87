"""A gateway whose callers have keys."""

from typing import Final

KEY: Final = "correct-horse-battery"
"""Of the shop's; the other one's is the same backwards."""
KEYS: Final = f"""
[auth]
scheme = "api-keys"

[auth.settings.plain_keys]
shop = "{KEY}"
other = "{KEY[::-1]}"
"""
