"""What operators may know of the nodes, and who has created a session of that one."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from glottis import Route, RouteRequest, RouteResponse

from glottis_cluster.store import Store, Unreachable

MOST_NODES: Final = 1000
_TOLD: Final = ("node", "url", "region", "unavailable", "sessions", "capacity")
_COUNTS: Final = ("letters_left_out", "wishes_too_late", "wishes_refused", "ends_forgotten")
_MOMENTS: Final = ("created_at", "ended_at")

Find = Callable[[], Store | None]


def routes(find: Find) -> Sequence[Route]:
    """``find`` returns the way to Redis, if this process has one now."""

    async def nodes(request: RouteRequest) -> RouteResponse:
        if (store := find()) is None:
            return _unreachable()
        try:
            return RouteResponse.json({"nodes": [await _member(store, name) for name in await _members(store)]})
        except Unreachable:
            return _unreachable()

    async def session(request: RouteRequest) -> RouteResponse:
        return await _session(find(), request.parameters["session_id"], None)

    async def own_session(request: RouteRequest) -> RouteResponse:
        assert request.principal is not None
        return await _session(find(), request.parameters["session_id"], request.principal.name)

    return [
        Route("GET", "/nodes", "operator", nodes),
        Route("GET", "/sessions/{session_id}", "operator", session),
        Route("GET", "/history/{session_id}", "principal", own_session),
    ]


async def _members(store: Store) -> list[str]:
    return (await store.members())[:MOST_NODES]


async def _member(store: Store, name: str) -> dict[str, Any]:
    record = await store.fields(store.key("member", name))
    told: dict[str, Any] = {"name": name, **{key: record[key] for key in _TOLD if key in record}}
    told |= {"capacity": _number(record, "capacity"), "sessions": await store.count(store.key("sessions", name))}
    prefix = "campaign:"
    told |= {_camel(key): _number(record, key) for key in _COUNTS}
    return told | {"campaigns": sorted(key.removeprefix(prefix) for key in record if key.startswith(prefix))}


async def _session(store: Store | None, session_id: str, principal: str | None) -> RouteResponse:
    if store is None:
        return _unreachable()
    try:
        fields = await store.fields(store.key("session", session_id))
    except Unreachable:
        return _unreachable()
    if not fields or principal not in (None, fields.get("principal")):
        return RouteResponse.problem(404, "SESSION_NOT_FOUND", "Ask for a session that has not ended long ago.")
    return RouteResponse.json({"sessionId": session_id, **_told(fields)})


def _number(record: Mapping[str, str], key: str) -> int:
    text = record.get(key, "")
    return int(text) if text.isdecimal() and len(text) < 16 else 0


def _told(fields: Mapping[str, str]) -> dict[str, str]:
    told = {key: value for key, value in fields.items() if key not in _MOMENTS}
    return told | {_camel(key): _moment(fields[key]) for key in _MOMENTS if key in fields}


def _camel(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(word.capitalize() for word in others)


def _moment(milliseconds: str) -> str:
    if not milliseconds.isdecimal() or len(milliseconds) > 14:
        return ""
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC).isoformat(timespec="milliseconds")


def _unreachable() -> RouteResponse:
    return RouteResponse.problem(503, "CLUSTER_UNREACHABLE", "Redis is away; try again later.")
