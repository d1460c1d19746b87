"""Who asks for a stream: Twilio signs its requests with the account's auth token, those for WebSockets too.

The signature is HMAC-SHA1 of the URL as the TwiML has it (Twilio, "Validating requests"). It has no time in it: whoever
has seen one can use it for this URL, so it must travel by TLS, as Twilio's does.
"""

import base64
import binascii
import hmac
from collections.abc import Iterator
from typing import Final

HEADER: Final = "x-twilio-signature"
_PORT: Final = ":443"
"""Which the URL may have or not: its port is the scheme's."""


def signature_of(url: str, auth_token: str) -> bytes:
    """The digest, without its base64."""
    return hmac.digest(auth_token.encode(), url.encode(errors="replace"), "sha1")


def is_signed(signature: str, base_url: str, path: str, auth_token: str) -> bool:
    """Whether the header's value is that of the URL of this path, which ``base_url`` begins."""
    try:
        given = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return any(
        hmac.compare_digest(given, signature_of(f"{base}{path}", auth_token))
        for base in _spellings(base_url.rstrip("/"))
    )


def _spellings(base_url: str) -> Iterator[str]:
    yield base_url
    yield base_url.removesuffix(_PORT) if base_url.endswith(_PORT) else f"{base_url}{_PORT}"
