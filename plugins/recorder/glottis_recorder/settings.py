"""The settings of the extension ``recorder``."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class RecorderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the recorder."""

    directory: Annotated[str, Meta(min_length=1)]
    """Made when the gateway starts, if it is not there."""
    format: Literal["wav", "ogg"] = "wav"
    sample_rate: Literal[8000, 16000, 24000, 48000] = 16000
    """Of WAV files, in hertz."""
    consent: Literal["required", "given"] = "required"
    """Whether a session must say so itself, or whoever runs the campaign has seen to it."""
    consent_key: Annotated[str, Meta(min_length=1)] = "recordingConsent"
    """Of the session's metadata: what is ``true`` there is consent."""
    keep_days: Annotated[float, Meta(gt=0, le=36_500)] | None = None
    """After which a recording is deleted; absent: it is kept."""
