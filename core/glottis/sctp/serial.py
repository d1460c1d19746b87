"""Serial numbers (RFC 1982): TSNs and sequence numbers live unwrapped in memory and wrap only on the wire."""

from typing import Final

TSN_MASK: Final = 0xFFFFFFFF
SSN_MASK: Final = 0xFFFF


def unwrap_tsn(tsn: int, near: int) -> int:
    """The 32-bit ``tsn`` as the number nearest to ``near`` that it can stand for."""
    return near + ((tsn - near + 0x80000000) & TSN_MASK) - 0x80000000


def unwrap_ssn(ssn: int, near: int) -> int:
    """The 16-bit ``ssn`` as the number nearest to ``near`` that it can stand for."""
    return near + ((ssn - near + 0x8000) & SSN_MASK) - 0x8000
