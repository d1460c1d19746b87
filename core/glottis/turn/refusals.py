"""What a server's error means, by name: RFC 8489 §18.3, RFC 8656 §17 and §18."""

from typing import Final

TRY_ALTERNATE: Final = 300
ALLOCATION_MISMATCH: Final = 437
REASONS: Final = {
    400: "the server could not read the request",
    403: "the server's policy forbids it",
    405: "the server does not know the method",
    420: "the server does not know an attribute",
    437: "the server has no such allocation, or another one with the same addresses",
    440: "the server relays no addresses of this family",
    441: "the allocation belongs to other credentials",
    442: "the server does not relay UDP",
    443: "the peer's address is of another family",
    486: "the user has as many allocations as the server permits",
    500: "the server has failed",
    508: "the server has no address to lend",
}


def reason_of(code: int | None) -> str:
    """A phrase for the owner."""
    return REASONS.get(code or 0, "the server refused")
