"""What can go wrong, and who is to blame: ``LocalError`` is ours to fix, ``RemoteError`` the peer's."""


class GlottisError(Exception):
    """Base of every error that glottis raises on purpose."""


class LocalError(GlottisError):
    """The configuration, a plugin or the caller of an API is at fault."""


class RemoteError(GlottisError):
    """The other end of a connection is at fault. ``code`` is a stable name of what is wrong, for its program."""

    code = "MALFORMED"

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        """Without ``code`` it is that of the class."""
        super().__init__(message)
        if code is not None:
            self.code = code


class Malformed(RemoteError):
    """Network input that cannot be parsed: the only exception of a function named ``*_untrusted``.

    The message says what was expected where. It never quotes the input, which may hold secrets.
    """


class MessageTooLong(LocalError):
    """The far end does not take messages of this length. The message says how much it takes: send less, or in parts."""


class ConfigurationError(LocalError):
    """A configuration value that cannot be used; the message starts with the path of its key."""


class PluginError(LocalError):
    """A plugin broke its contract; the message names the plugin, its distribution and the hook."""


class NotInstalled(PluginError):
    """A library is not there that a plugin does without until it is asked for what needs it.

    The message names the library, and says how it is installed.
    """


class ProcessLost(PluginError):
    """The process of an agent has ended, or had to be ended, and with it the calls in it.

    The message says whose process it was, ``reason`` only how it ended: that is for callers, too.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class WebSocketClosed(GlottisError):
    """The WebSocket is closed, by either side, with this code and reason (RFC 6455 §7.4)."""

    def __init__(self, code: int, reason: str = "") -> None:
        # The reason may be the peer's own words: quoted, they cannot forge a line of a log.
        super().__init__(f"WebSocket closed with {code}: {reason!r}" if reason else f"WebSocket closed with {code}")
        self.code = code
        self.reason = reason

    def again(self) -> "WebSocketClosed":
        """To be raised, while this one is kept: the frames of a traceback would hold who keeps it, in a circle."""
        return WebSocketClosed(self.code, self.reason)


class AuthenticationFailed(RemoteError):
    """The presented credentials or token are not accepted.

    ``code`` is one of CONTRACT's stable codes, for example ``TOKEN_EXPIRED``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, code=code)


class Forbidden(RemoteError):
    """The principal is known but may not do this (HTTP 403). The message tells the client what to change."""

    code = "FORBIDDEN"
