"""The settings of the extension ``call-capture``."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class CaptureConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the capture of calls."""

    directory: Annotated[str, Meta(min_length=1)]
    """Made when the gateway starts, if it is not there."""
    consent: Literal["required", "given"] = "required"
    """Whether a session must say so itself, or whoever runs the campaign has seen to it."""
    consent_key: Annotated[str, Meta(min_length=1)] = "captureConsent"
    """Of the session's metadata: what is ``true`` there is consent."""
    messages: bool = True
    """Whether texts, bytes and events are kept, beside the audio."""
    max_minutes: Annotated[float, Meta(gt=0, le=1440)] = 60
    """Of a call; what comes later is not kept."""
    max_megabytes: Annotated[float, Meta(gt=0, le=256)] = 64
    """Of a file, the same."""
    keep_days: Annotated[float, Meta(gt=0, le=36_500)] = 30
    """After which a file is deleted: a support case is over by then."""
