"""Why a description that can be parsed cannot be used: the peer is told by a stable code and a sentence."""

from collections.abc import Sequence
from typing import Final

from glottis.contracts.errors import RemoteError

MAX_NAMED_CODECS: Final = 16
MAX_CODEC_NAME: Final = 40
"""Characters. More of either does not help who reads the message, and a log line has to hold it."""


class DescriptionRefused(RemoteError):
    """A description asks for something that cannot be had.

    ``code`` is one of ``NO_USABLE_SECTION``, ``NO_COMMON_CODEC``, ``ICE_REQUIRED``, ``FINGERPRINT_REQUIRED``,
    ``SETUP_UNSUPPORTED``, ``RTCP_MUX_REQUIRED``, ``ANSWER_MISMATCH``, ``AUDIO_REJECTED``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, code=code)


class OfferRefused(DescriptionRefused):
    """An offer that no answer of ours could make work."""


class AnswerRefused(DescriptionRefused):
    """An answer that does not fit our offer, or that rejects what the call needs."""


class NoCommonCodec(OfferRefused):
    """None of the offered codecs is one of ours; ``offered`` and ``available`` name both, as in ``opus/48000/1``."""

    def __init__(self, offered: Sequence[str], available: Sequence[str]) -> None:
        self.offered = tuple(name[:MAX_CODEC_NAME] for name in offered[:MAX_NAMED_CODECS])
        self.available = tuple(available)
        codecs = f"{', '.join(self.offered) or 'none'}; offer one of {', '.join(self.available) or 'none'}"
        super().__init__("NO_COMMON_CODEC", f"none of the offered codecs can be used: {codecs}")
