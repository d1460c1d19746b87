"""The extension ``recorder``: both directions of calls in one file of two channels."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from glottis import CallInfo, GatewayInfo, RoutesSpec, Tell, hookimpl

from glottis_recorder.desk import RecordingDesk, keep_recordings
from glottis_recorder.recording import Recording
from glottis_recorder.retrieval import RetrievalConfig, routes
from glottis_recorder.settings import RecorderConfig

__all__ = ["DESK", "RecorderConfig", "RetrievalConfig"]

DESK = RecordingDesk()
"""Of all gateways in the process: they share its disk."""


@hookimpl
def extension_settings() -> type[RecorderConfig]:
    """See ``RecorderConfig``."""
    return RecorderConfig


@hookimpl
def session_observers(call_info: CallInfo, tell: Tell, settings: RecorderConfig) -> Sequence[Recording]:
    """A recording, which begins when there is consent."""
    return [DESK.open(call_info, tell, settings)]


@hookimpl
def gateway_lifespan(gateway_info: GatewayInfo, settings: RecorderConfig) -> AbstractAsyncContextManager[None]:
    """The directory, what is too old in it, and at the end what is not written yet."""
    return keep_recordings(DESK, settings)


@hookimpl
def register_routes() -> Sequence[RoutesSpec]:
    """``recordings``, by which recordings are fetched."""
    return [RoutesSpec("recordings", partial(routes, DESK), RetrievalConfig)]
