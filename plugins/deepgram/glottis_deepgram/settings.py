"""The settings of the parts called ``deepgram``."""

from typing import Literal

import msgspec
from glottis_services import ServiceConfig

URL = "https://api.deepgram.com"


class DeepgramConfig(ServiceConfig, frozen=True, kw_only=True):
    """Settings of the ``SpeechToText``."""

    model: str = "nova-3"
    """As the service calls it."""
    url: str = URL
    language: str = "en"
    """Such as ``de`` or ``multi``."""
    keyterms: tuple[str, ...] = ()
    """Words that are to be expected."""
    extra: dict[str, str] = msgspec.field(default_factory=dict)
    """Added to each request: ``numerals``, ``profanity_filter``, ``mip_opt_out``…"""


class AuraConfig(ServiceConfig, frozen=True, kw_only=True):
    """Settings of the ``TextToSpeech``."""

    model: str = "aura-2-thalia-en"
    """The voice, as the service calls it."""
    url: str = URL
    sample_rate: Literal[8000, 16000, 24000, 48000] = 24000
    """In hertz; that of the call saves a resampler."""


def authorization(config: ServiceConfig) -> dict[str, str]:
    """The headers that show the key."""
    key = config.api_key.reveal().strip() if config.api_key is not None else ""
    return {"Authorization": f"Token {key}"} if key else {}
