"""The rules of who knows other gateways: the hook ``join_cluster``."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import trio

from glottis.contracts.cluster import Cluster, Seat, SessionWish
from glottis.contracts.info import Principal
from glottis.contracts.routes import RouteResponse
from glottis.plugins.cluster import METHODS, PATIENCE, checked_place, checked_seconds, checked_whereabouts
from glottis.testing.rules.rule import expect, rules_of
from glottis.testing.rules.trial import run_trial

Join = Callable[[Seat], Cluster]

_WISHES: Final = (
    SessionWish(b'{"campaignId": "campaign"}', "campaign", Principal("anonymous")),
    SessionWish(
        b'{"campaignId": "elsewhere", "dynamicVariables": {"region": 7, "agent": ["night"]}}',
        "elsewhere",
        Principal("somebody's name", {"team": "é\U0001f600"}, 3, 60.0),
        "2001:db8::1",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "request",
        {"region": 7, "agent": ["night"]},
        {"region": None},
    ),
    SessionWish(b'{"campaignId": "campaign", "x": "' + 1_000_000 * b"x" + b'"}', "campaign", Principal("anonymous")),
)
_SESSIONS: Final = ("Op9cgO1946kzWtrbzRXsUA", "1-Op9cgO1946kzWtrbzRXsUA", "x", "-_" * 32)


class LoneSeat:
    """Of a gateway that takes no session, so that a cluster that has others would have to use them."""

    def __init__(self, unavailable: str = "") -> None:
        self._unavailable = unavailable

    @property
    def url(self) -> str:
        """See ``Seat``."""
        return "https://a.example"

    @property
    def capacity(self) -> int:
        """See ``Seat``."""
        return 100

    @property
    def campaigns(self) -> Mapping[str, Sequence[str]]:
        """See ``Seat``."""
        return {"campaign": ("echo", "night")}

    def sessions(self) -> int:
        """See ``Seat``."""
        return 7

    def unavailability(self) -> str:
        """See ``Seat``."""
        return self._unavailable

    async def create(self, wish: SessionWish) -> RouteResponse:
        """See ``Seat``."""
        return RouteResponse.problem(503, self._unavailable or "FULL", "There is no room.")


def check_description(join: Join) -> None:
    """What the hook returns."""

    async def scenario() -> None:
        product = join(LoneSeat())
        kind = type(product).__name__
        missing = [name for name in METHODS if not callable(getattr(product, name, None))]
        expect(not missing, f"returns a {kind}, which has no {', '.join(missing)}")
        plain = [name for name in METHODS if not inspect.iscoroutinefunction(getattr(product, name))]
        expect(not plain, f"{', '.join(plain)} of {kind} is no async method")

    run_trial(scenario)


def check_any_request(join: Join) -> None:
    """Whoever asks for whatever, be there others or not, and be there room here or not."""

    async def scenario() -> None:
        for unavailable in ("", "FULL", "OVERLOADED", "DRAINING", "STARTING"):
            product = join(LoneSeat(unavailable))
            for wish in _WISHES:
                checked_place(await product.place(wish))
            for client in ("192.0.2.1", "2001:db8::/64", ""):
                checked_seconds(await product.seconds_to_wait("sessions", client, 60))
                checked_seconds(await product.seconds_to_wait("routes", client, 1_000_000))
            for session_id in _SESSIONS:
                checked_whereabouts(await product.find(session_id))

    run_trial(scenario)


def check_patience(join: Join) -> None:
    """Somebody waits for each answer."""

    async def scenario() -> None:
        product = join(LoneSeat())
        for ask in (
            lambda: product.place(_WISHES[0]),
            lambda: product.seconds_to_wait("sessions", "192.0.2.1", 60),
            lambda: product.find(_SESSIONS[0]),
        ):
            with trio.move_on_after(PATIENCE) as patience:
                await ask()
            expect(not patience.cancelled_caught, f"an answer takes longer than {PATIENCE:g} s")

    run_trial(scenario)


CLUSTER_RULES: Final = rules_of(
    "cluster",
    ("description", "the hook returns an object with the methods of Cluster", check_description),
    ("any-request", "whatever is asked, the answer is one, and nothing is raised", check_any_request),
    ("patience", "an answer comes within five seconds", check_patience),
)
