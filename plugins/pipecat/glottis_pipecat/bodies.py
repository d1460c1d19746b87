"""What clients send by HTTP: a wish for a bot, an offer, candidates. All of it is JSON."""

from typing import Annotated, Any, Final, TypeVar

import msgspec
from glottis import Malformed

MAX_BYTES: Final = 48 * 1024
MAX_DATA_BYTES: Final = 16 * 1024
"""Of what a page says about the call beside the offer: agents get it whole."""
MAX_CANDIDATES: Final = 100
"""Of one request: more than a host has addresses."""

S = TypeVar("S", bound=msgspec.Struct)


class Offer(msgspec.Struct, frozen=True):
    """An offer; ``pc_id`` is empty for a new call."""

    sdp: str
    pc_id: str | None = None
    requestData: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815
    request_data: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def data(self) -> msgspec.Raw:
        """What the page says of the call; clients have two spellings of it."""
        return self.request_data if bytes(self.requestData) == b"null" else self.requestData


class Candidate(msgspec.Struct, frozen=True):
    """As RTCIceCandidateInit has it, by other names. None and an empty one are the end of them."""

    candidate: str | None = None
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class Candidates(msgspec.Struct, frozen=True):
    """Of the peer connection with this id."""

    candidates: Annotated[list[Candidate], msgspec.Meta(max_length=MAX_CANDIDATES)]
    pc_id: str | None = None


class _Start(msgspec.Struct, frozen=True):
    body: msgspec.Raw = msgspec.Raw(b"null")


_OFFER: Final = msgspec.json.Decoder(Offer)
_CANDIDATES: Final = msgspec.json.Decoder(Candidates)
_START: Final = msgspec.json.Decoder(_Start)


def parse_offer_untrusted(body: bytes) -> tuple[Offer, dict[str, Any]]:
    """An offer, and what is said beside it. Raises ``Malformed``."""
    offer = _decode_untrusted(_OFFER, body)
    return offer, _data_untrusted("requestData", offer.data)


def parse_candidates_untrusted(body: bytes) -> Candidates:
    """Raises ``Malformed``."""
    return _decode_untrusted(_CANDIDATES, body)


def parse_start_untrusted(body: bytes) -> dict[str, Any]:
    """What the page wants the bot to know, in ``body``; there may be nothing. Raises ``Malformed``."""
    if body.strip() in (b"", b"null"):
        return {}
    return _data_untrusted("body", _decode_untrusted(_START, body).body)


def _decode_untrusted(decoder: msgspec.json.Decoder[S], body: bytes) -> S:
    if len(body) > MAX_BYTES:
        raise Malformed(f"expected at most {MAX_BYTES} bytes")
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Malformed(str(error)) from None


def _data_untrusted(name: str, data: msgspec.Raw) -> dict[str, Any]:
    text = bytes(data)
    if len(text) > MAX_DATA_BYTES:
        raise Malformed(f"{name}: expected at most {MAX_DATA_BYTES} bytes")
    try:
        value = msgspec.json.decode(text, type=dict[str, Any] | None) or {}
        msgspec.json.encode(value)  # for it is to be said again
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Malformed(f"{name}: {error}") from None
    if not isinstance(value.get("campaignId", ""), str):
        raise Malformed(f"{name}.campaignId: expected a string")
    return value
