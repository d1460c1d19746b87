"""A sentence from a service, as frames as they come."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

from glottis import AudioFrame, Malformed

from glottis_services.errors import ServiceFailed
from glottis_services.http import HttpService
from glottis_services.pcm import PcmReader

MAX_SPEECH: Final = 16 << 20
"""Bytes of a sentence: three minutes at 48 kHz."""


async def spoken(
    service: HttpService, path: str, headers: Mapping[str, str], *, sample_rate: int, check: str, **content: Any
) -> AsyncGenerator[AudioFrame, None]:
    """The audio that a request brings, see ``HttpService.post``; ``check`` are the settings that may be wrong.

    Raises ``ServiceFailed``, also for none.
    """
    reader, is_empty = PcmReader(sample_rate), True
    try:
        async with (
            service.post(path, headers, **content) as answer,
            aclosing(answer.parts(MAX_SPEECH)) as parts,
        ):
            if answer.media_type in ("application/json", "text/html"):
                raise Malformed("it answers no audio")
            async for part in parts:
                if (frame := reader.feed_untrusted(part)) is not None:
                    is_empty = False
                    yield frame
    except Malformed as error:
        raise ServiceFailed(f"{service.place}: {error}: check {check}") from None
    if is_empty:
        raise ServiceFailed(f"{service.place} has spoken nothing: check {check}")
