"""What libopus reports, in words."""

from glottis import LocalError

from .library import ffi, lib


def reason(code: int) -> str:
    """The text of a negative libopus result."""
    text = ffi.string(lib.opus_strerror(code))
    assert isinstance(text, bytes)
    return text.decode()


def raise_unless_ok(code: int, what: str) -> None:
    """Raise ``LocalError`` for any result of a set-up call but ``OPUS_OK``."""
    if code != lib.OPUS_OK:
        raise LocalError(f"libopus: {what}: {reason(code)}")
