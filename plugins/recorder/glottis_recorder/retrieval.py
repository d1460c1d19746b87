"""Recordings by HTTP: for operators, and for whoever has created the session as long as the gateway knows it."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Final

import msgspec
import trio
from glottis import Route, RouteRequest, RouteResponse

from glottis_recorder.desk import RecordingDesk

MEDIA_TYPES: Final = {".wav": "audio/wav", ".ogg": "audio/ogg"}
"""By the endings of files."""
PIECE: Final = 64 * 1024
"""Bytes that are read and sent at a time."""


class RetrievalConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the set of routes ``recordings``."""

    directory: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    """Absent: where the recorder puts them."""


def routes(desk: RecordingDesk, config: RetrievalConfig) -> Sequence[Route]:
    """The same for either."""
    retrieve = partial(_retrieve, desk, config.directory)
    return [
        Route("GET", "/calls/{session_id}", "operator", retrieve),
        Route("GET", "/own/{session_id}", "session", retrieve),
    ]


async def _retrieve(desk: RecordingDesk, directory: str | None, request: RouteRequest) -> RouteResponse:
    """The recording; of a call that goes on, what is written of it."""
    session_id = request.parameters["session_id"]  # which has no slash in it, and is no "..": see RouteRequest
    places = desk.directories if directory is None else [Path(directory)]
    for place, (ending, media_type) in product(places, MEDIA_TYPES.items()):
        path = trio.Path(place / f"{session_id}{ending}")
        if await path.is_file():
            disposition = ("content-disposition", f'attachment; filename="{path.name}"')
            return RouteResponse(body=_pieces(path), media_type=media_type, headers=[disposition])
    return RouteResponse.problem(404, "NO_RECORDING", "There is no recording of this session, or none any more.")


async def _pieces(path: trio.Path) -> AsyncIterator[bytes]:
    async with await path.open("rb") as file:
        while piece := await file.read(PIECE):
            yield piece
