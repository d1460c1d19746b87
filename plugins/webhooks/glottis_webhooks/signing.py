"""Signatures as Standard Webhooks has them (https://www.standardwebhooks.com, version 1.0): HMAC-SHA256, ``v1``."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

PREFIX: Final = "whsec_"
"""Of a secret, before its bytes in base64."""
LEAST_KEY: Final = 24
MOST_KEY: Final = 64
"""Bytes."""


def key_of(secret: str) -> bytes:
    """The bytes that sign. Raises ``ValueError`` for what is no secret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if not secret.startswith(PREFIX) or not LEAST_KEY <= len(key) <= MOST_KEY:
        raise ValueError("too short or too long, or of another kind")
    return key


def signed_headers(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """What goes with a body; ``timestamp`` is in seconds since 1970, of this attempt."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}
