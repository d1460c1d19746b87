"""The cluster, as the gateway of one of its nodes asks it."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal

import msgspec
import trio
from glottis import RouteResponse, Seat, SessionWish, Whereabouts

from glottis_cluster.history import CURRENT_WISH, Notebook
from glottis_cluster.letters import MAX_BODY, Answer, Wish, answer_letter, wish_letter
from glottis_cluster.membership import Membership
from glottis_cluster.post_office import PostOffice
from glottis_cluster.settings import ClusterConfig
from glottis_cluster.store import Store, Unreachable

ATTEMPTS: Final = 3
"""Members that are asked for one session."""
VOID: Final = 1.0
"""Seconds after which a wish is nobody's any more."""
TAKEN: Final = 1.5
"""For a member to say that it works at one: it may have taken it at the last moment. One that does not may be dead."""
LONGEST: Final = 4.5
"""For the whole: the gateway waits for five."""
LOOKS: Final = (0.0, 0.1, 0.3)
"""Seconds before each look for a session: who has just created it may be about to write it down."""
MAX_VARIABLE: Final = 64
"""Characters of the name of a region, or of an agent."""
_RETRY_AFTER: Final = (("retry-after", "5"),)


class NodesCluster:
    """See ``Cluster``."""

    def __init__(self, config: ClusterConfig, store: Store, membership: Membership, notebook: Notebook) -> None:
        self.post_office = PostOffice(store, membership, self._serve, _refusal)
        self._config = config
        self._store = store
        self._membership = membership
        self._notebook = notebook

    def join(self, seat: Seat) -> None:
        """From now on the others may want sessions of it."""
        self._membership.sit_down(seat)

    def counts(self) -> dict[str, int]:
        """Of what went wrong, for operators."""
        office = self.post_office
        return {
            "letters_left_out": office.malformed,
            "wishes_too_late": office.late,
            "wishes_refused": office.refused,
            "ends_forgotten": self._notebook.forgotten,
        }

    # For the gateway

    async def place(self, wish: SessionWish) -> RouteResponse | None:
        """See ``Cluster``."""
        if len(wish.body) > MAX_BODY:
            return None
        try:
            if not self._membership.is_in:
                raise Unreachable("this node is on its own")
            with trio.move_on_after(LONGEST):
                return await self._place(wish)
        except Unreachable:
            if self._config.degraded == "refuse":
                return _problem("CLUSTER_UNREACHABLE", "The gateway's nodes do not find each other, try again later.")
        return None

    async def seconds_to_wait(self, what: Literal["sessions", "routes"], client: str, per_minute: int) -> float | None:
        """See ``Cluster``."""
        try:
            return float(await self._store.call("rate", self._store.key("rate", what, client), per_minute)) / 1000
        except Unreachable:
            return None

    async def find(self, session_id: str) -> Whereabouts:
        """See ``Cluster``."""
        try:
            fields = await self._fields(session_id)
        except Unreachable:
            return Whereabouts(is_certain=False)
        if fields.get("state") == "ended":
            return Whereabouts(reason=fields.get("reason", "it was ended"))
        if fields.get("member") == self._membership.member:
            return Whereabouts()
        return Whereabouts(url=fields.get("url", ""))

    async def _fields(self, session_id: str) -> Mapping[str, str]:
        fields: Mapping[str, str] = {}
        for pause in LOOKS:
            await trio.sleep(pause)
            if fields := await self._store.fields(self._store.key("session", session_id)):
                break
        return fields

    async def _place(self, wish: SessionWish) -> RouteResponse | None:
        seat = self._membership.seat
        refused = [self._membership.member] if seat is not None and seat.unavailability() else []
        for _ in range(ATTEMPTS):
            wish_id = secrets.token_hex(12)
            self.post_office.expect(wish_id)
            try:
                member = await self._choose(wish_id, wish, refused)
                if member is None:
                    return self._nowhere(wish)
                if member == self._membership.member:
                    CURRENT_WISH.set(wish_id)
                    return None
                answer = await self._answer(wish_id)
            finally:
                self.post_office.forget(wish_id)
            if answer is not None and answer.status != 503:
                return answer.response()
            if not self._store.is_up:
                raise Unreachable("Redis is away")
            refused.append(member)
        return None

    async def _choose(self, wish_id: str, wish: SessionWish, refused: list[str]) -> str | None:
        """The member that has the wish now; None if none fits."""
        asker, config = self._membership.member, self._config
        letter = msgspec.json.encode(wish_letter(wish_id, asker, wish))
        agent = _named(wish.dynamic_variables, config.agent_variable)
        about = wish_id, wish.campaign_id, agent, self._region(wish), int(config.strict_regions), round(VOID * 1000)
        member = await self._store.call("place", self._store.prefix, asker, *about, letter, *refused)
        return member.decode() if member is not None else None

    async def _answer(self, wish_id: str) -> Answer | None:
        if not await self.post_office.taken(wish_id, TAKEN):
            return None
        return await self.post_office.answer(wish_id, LONGEST)

    def _region(self, wish: SessionWish) -> str:
        return _named(wish.dynamic_variables, self._config.region_variable) or self._config.region

    def _nowhere(self, wish: SessionWish) -> RouteResponse | None:
        """This node says itself why it cannot; unless it could, and must not."""
        if self._config.strict_regions and self._region(wish) != self._config.region:
            return _problem("FULL", "No node of the region takes another call, try again later.")
        return None

    # For the others

    async def _serve(self, wish: Wish) -> Answer:
        seat = self._membership.seat
        try:
            wanted = wish.session_wish()
        except ValueError:
            return answer_letter(wish.id, _problem("FULL", "Nobody can have asked for this."))
        if seat is None:
            return _refusal(wish.id)
        CURRENT_WISH.set(wish.id)
        response = await seat.create(wanted)
        await self._notebook.write()
        return answer_letter(wish.id, response)


def _refusal(wish_id: str) -> Answer:
    return answer_letter(wish_id, _problem("OVERLOADED", "The node has too much to do, try again later."))


def _problem(code: str, detail: str) -> RouteResponse:
    response = RouteResponse.problem(503, code, detail)
    return replace(response, headers=_RETRY_AFTER)


def _named(variables: Mapping[str, Any], name: str) -> str:
    value = variables.get(name) if name else None
    return value if isinstance(value, str) and len(value) <= MAX_VARIABLE and "\n" not in value else ""
