"""The extension ``call-capture``: what comes in of calls, in files that ``glottis lab replay`` runs again."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from glottis import CallInfo, GatewayInfo, Tell, hookimpl

from glottis_recorder.capture.capture import Capture
from glottis_recorder.capture.desk import CaptureDesk, keep_captures
from glottis_recorder.capture.settings import CaptureConfig

__all__ = ["DESK", "CaptureConfig"]

DESK = CaptureDesk()
"""Of all gateways in the process: they share its disk."""


@hookimpl
def extension_settings() -> type[CaptureConfig]:
    """See ``CaptureConfig``."""
    return CaptureConfig


@hookimpl
def session_observers(call_info: CallInfo, tell: Tell, settings: CaptureConfig) -> Sequence[Capture]:
    """One, which writes from when there is consent; none for a call by WebSocket, which has no packets."""
    return [DESK.open(call_info, tell, settings)] if call_info.transport == "WebRTC" else []


@hookimpl
def gateway_lifespan(gateway_info: GatewayInfo, settings: CaptureConfig) -> AbstractAsyncContextManager[None]:
    """The directory, what is too old in it, and at the end what is not written yet."""
    return keep_captures(DESK, gateway_info.version, settings)
