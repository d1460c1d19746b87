"""What members write to each other, by way of Redis: a wish for a session, that it is taken, and the answer to it.

Who may write to Redis may create sessions. But what comes from there may be of a program that is newer, or wrong.
"""

from typing import Annotated, Final

import msgspec
from glottis import Malformed, Principal, RouteResponse, SessionWish
from msgspec import Meta

MAX_BODY: Final = 256 * 1024
"""Bytes of a request: what is longer is created where it is asked for."""
MAX_LETTER: Final = 512 * 1024
"""Bytes: base64 makes a body longer by a third."""
MAX_HEADERS: Final = 32

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Short = Annotated[str, Meta(max_length=1024)]


class _Letter(msgspec.Struct, frozen=True, tag_field="kind"):
    pass


class Wish(_Letter, frozen=True, tag="wish"):
    """Create a session, and write back."""

    id: Id
    asker: Annotated[str, Meta(min_length=1, max_length=128)]
    """The member that is to be answered."""
    body: bytes
    campaign_id: Short
    principal: Short
    attributes: dict[str, str] = {}
    max_sessions: int | None = None
    max_call_time: float | None = None
    client_host: Short = ""
    traceparent: Short = ""
    request_id: Short = ""

    def session_wish(self) -> SessionWish:
        """As the gateway takes it. Raises ``ValueError`` for who cannot be a principal."""
        principal = Principal(self.principal, self.attributes, self.max_sessions, self.max_call_time)
        about = self.client_host, self.traceparent, self.request_id
        return SessionWish(self.body, self.campaign_id, principal, *about)


class Taken(_Letter, frozen=True, tag="taken"):
    """Somebody works at the wish."""

    id: Id


class Answer(_Letter, frozen=True, tag="answer"):
    """What is to be answered to who has the wish."""

    id: Id
    status: Annotated[int, Meta(ge=200, le=599)]
    body: bytes
    media_type: Short
    headers: Annotated[list[tuple[Short, Short]], Meta(max_length=MAX_HEADERS)] = []

    def response(self) -> RouteResponse:
        """As the gateway sends it."""
        return RouteResponse(self.status, self.body, self.media_type, self.headers)


Letter = Wish | Taken | Answer
_DECODER: Final = msgspec.json.Decoder(Letter)


def wish_letter(wish_id: str, asker: str, wish: SessionWish) -> Wish:
    """For another member."""
    principal = wish.principal
    return Wish(
        wish_id,
        asker,
        wish.body,
        wish.campaign_id,
        principal.name,
        dict(principal.attributes),
        principal.max_sessions,
        principal.max_call_time,
        wish.client_host,
        wish.traceparent,
        wish.request_id,
    )


def answer_letter(wish_id: str, response: RouteResponse) -> Answer:
    """To who has asked."""
    assert isinstance(response.body, bytes)
    return Answer(wish_id, response.status, response.body, response.media_type, list(response.headers))


def parse_letter_untrusted(data: bytes) -> tuple[float, Letter]:
    """When it becomes void, in seconds by the clock of Redis, and the letter. Raises ``Malformed``."""
    if len(data) > MAX_LETTER:
        raise Malformed(f"letter: expected at most {MAX_LETTER} bytes")
    moment = data[:32].partition(b" ")[0]
    if not moment.isdigit() or len(moment) > 16:
        raise Malformed("letter: expected milliseconds and a blank before it")
    try:
        letter = _DECODER.decode(memoryview(data)[len(moment) + 1 :])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Malformed("letter: expected one of a wish, taken, or an answer") from None
    return int(moment) / 1000, letter
