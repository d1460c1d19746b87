"""Problem documents (RFC 9457): what was wrong, with a stable code and a sentence that says what to change."""

from typing import Final

from msgspec.structs import replace

from glottis.contracts.errors import RemoteError
from glottis.contracts.routes import problem_document
from glottis.server.http.message import Response, json_response

MEDIA_TYPE: Final = "application/problem+json"


class Problem(RemoteError):
    """A request that is answered with a problem document. ``headers`` go with the response.

    ``logged`` is for the gateway's owner: what the log says beside the code. ``is_of_process``: see ``Response``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: tuple[tuple[str, str], ...] = (),
        *,
        logged: str = "",
        is_of_process: bool = False,
    ) -> None:
        super().__init__(detail, code=code)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.logged = logged
        self.is_of_process = is_of_process

    def response(self) -> Response:
        """The document, and the headers with it."""
        document = problem_document(self.status, self.code, self.detail)
        response = json_response(self.status, document, MEDIA_TYPE).with_headers(*self.headers)
        return replace(response, code=self.code, logged=self.logged, is_of_process=self.is_of_process)
