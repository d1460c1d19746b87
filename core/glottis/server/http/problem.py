"""Problem documents (RFC 9457): what was wrong, with a stable code and a sentence that says what to change."""

from dataclasses import replace
from typing import Final

from glottis.contracts.errors import RemoteError
from glottis.server.http.message import Response, json_response, reason_phrase

MEDIA_TYPE: Final = "application/problem+json"


class Problem(RemoteError):
    """A request that is answered with a problem document. ``headers`` go with the response.

    ``logged`` is for the gateway's owner: what the log says beside the code.
    """

    def __init__(
        self, status: int, code: str, detail: str, headers: tuple[tuple[str, str], ...] = (), *, logged: str = ""
    ) -> None:
        super().__init__(detail, code=code)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.logged = logged

    def response(self) -> Response:
        """The document; its type is ``about:blank``, so its title is the status code's phrase (RFC 9457 §4.2.1)."""
        document = {
            "type": "about:blank",
            "title": reason_phrase(self.status),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        response = json_response(self.status, document, MEDIA_TYPE).with_headers(*self.headers)
        return replace(response, code=self.code, logged=self.logged)
