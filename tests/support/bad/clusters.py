"""Hooks that join a cluster, made of a good one: it sends everybody away, if it can."""

from collections.abc import Callable, Mapping
from typing import Any

import trio
from glottis import RouteResponse, Seat, SessionWish, Whereabouts
from glottis.testing.rules.cluster import Join


class Sisters:
    def __init__(self, seat: Seat) -> None:
        self.seat = seat

    async def place(self, wish: SessionWish) -> Any:
        return RouteResponse.json({}) if self.seat.unavailability() else None

    async def seconds_to_wait(self, what: str, client: str, per_minute: int) -> Any:
        return 0.0

    async def find(self, session_id: str) -> Any:
        return Whereabouts(is_certain=False)


class Forgetful(Sisters):
    find = None  # type: ignore[assignment]


class Synchronous(Sisters):
    def find(self, session_id: str) -> Any:
        return Whereabouts()


class Reading(Sisters):
    """Believes that a variable is a text."""

    async def place(self, wish: SessionWish) -> Any:
        wish.dynamic_variables.get("region", "").lower()
        return None


class Redirecting(Sisters):
    async def place(self, wish: SessionWish) -> Any:
        return self.seat.url


class Endless(Sisters):
    async def seconds_to_wait(self, what: str, client: str, per_minute: int) -> Any:
        return float("inf")


class Naming(Sisters):
    async def find(self, session_id: str) -> Any:
        return self.seat.url


class Slow(Sisters):
    async def find(self, session_id: str) -> Any:
        await trio.sleep(30)
        return Whereabouts()


def joins(kind: Callable[[Seat], Any]) -> Join:
    return kind


GOOD: Join = Sisters
BAD: Mapping[str, list[Join]] = {
    "description": [joins(Forgetful), joins(Synchronous), joins(lambda seat: None)],
    "any-request": [joins(Reading), joins(Redirecting), joins(Endless), joins(Naming)],
    "patience": [joins(Slow)],
}
