"""How plugins word what the gateway refuses below their folders, for clients who know no problem documents."""

import logging
from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from glottis.contracts.doors import DoorRefused
from glottis.contracts.errors import PluginError
from glottis.contracts.routes import RouteResponse
from glottis.plugins.blame import culprit
from glottis.plugins.failures import log_failure
from glottis.server.http.message import Request, Response

logger = logging.getLogger(__name__)


class Wordings:
    """By their folders, of which one may be below another."""

    def __init__(self, by_folder: Mapping[str, Callable[[DoorRefused], RouteResponse]]) -> None:
        self._by_folder = sorted(by_folder.items(), key=lambda item: -len(item[0]))

    def word(self, request: Request, problem: Response) -> Response:
        """The same refusal in the form of the request's folder; the problem document, where that has none, or fails."""
        for folder, word in self._by_folder:
            if request.path.startswith(f"{folder}/"):
                try:
                    worded = word(DoorRefused(problem.status, problem.code, _detail_of(problem)))
                except PluginError as error:
                    log_failure(logger, error, "%s failed in %s", request, culprit(error))
                    return problem
                headers = (header for header in problem.headers if header[0] != "content-type")
                body = worded.body if isinstance(worded.body, bytes) else b""
                return replace(
                    problem, status=worded.status, headers=(("content-type", worded.media_type), *headers), body=body
                )
        return problem


def _detail_of(problem: Response) -> str:
    return str(msgspec.json.decode(problem.body)["detail"])
