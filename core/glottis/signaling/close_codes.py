"""The codes with which a session's WebSocket is closed (CONTRACT §2, RFC 6455 §7.4)."""

from typing import Final

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
POLICY_VIOLATION: Final = 1008
TOO_LARGE: Final = 1009
INTERNAL_ERROR: Final = 1011
SERVICE_RESTART: Final = 1012
TRY_AGAIN_LATER: Final = 1013
NO_STATUS: Final = 1005
"""The peer's close frame has no code; never on the wire, like the next one (RFC 6455 §7.4.1)."""
ABNORMAL: Final = 1006
"""The peer went without a word."""

HANG_UPS: Final = (NORMAL, GOING_AWAY, NO_STATUS)
"""The codes with which clients close the WebSocket to hang up: ``close()``, and a page that is closed or left
(RFC 6455 §7.4.1). Any other end of it is a loss (CONTRACT §3), our own closing among them: while a client sends
nonsense or does not read, its call goes on."""
LETS_GO: Final = range(3000, 5000)
"""Those by which clients let go of it and keep the call (RFC 6455 §7.4.2), as a page that is loaded anew."""
