"""The endpoint: calls, their ends, and keys for those who are to make them."""

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any, Final

import msgspec
from glottis import ConfigurationError, Door, DoorCall, DoorRefused, Malformed, RouteRequest, RouteResponse, Secret
from glottis.contracts.clock import wall_clock
from glottis.contracts.wishes import WISHES

from glottis_openai_calls.bodies import (
    SecretWish,
    Wish,
    parse_preview_wish_untrusted,
    parse_secret_wish_untrusted,
    parse_wish_untrusted,
)
from glottis_openai_calls.client_secrets import PREFIX, ClientSecret, ClientSecrets, shown_by
from glottis_openai_calls.dialect import Realtime
from glottis_openai_calls.errors import response_of
from glottis_openai_calls.sessions import described, merged, modern
from glottis_openai_calls.wishes import wished

FOLDER: Final = "/v1"
SDP: Final = "application/sdp"
PURPOSE: Final = "openai-calls client secrets 1"
MIN_SECRET_LENGTH: Final = 32


class OpenAiCallsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the routes ``openai-calls``."""

    campaign: str = ""
    models: dict[str, str] = {}
    longest_secret: Annotated[int, msgspec.Meta(ge=10, le=7200)] = 7200
    """Seconds that a client secret may be good for."""
    secret_key: Secret | None = None
    """Seals client secrets, for all nodes of a cluster that have the same. Absent: another at each start."""
    gathering_timeout: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.3
    """Seconds that an answer waits for candidates of STUN and TURN servers: the client is told none later."""

    def __post_init__(self) -> None:
        if self.secret_key is not None and len(self.secret_key.reveal()) < MIN_SECRET_LENGTH:
            raise ConfigurationError(f"secret_key: expected at least {MIN_SECRET_LENGTH} characters")


class Endpoint:
    """Of all campaigns."""

    def __init__(self, config: OpenAiCallsConfig) -> None:
        self._config = config
        self._secrets = ClientSecrets()

    async def post(self, request: RouteRequest) -> RouteResponse:
        """An offer, and the answer to it."""
        try:
            wish = _wish_in(request)
            secret = self._secret_of(request)
            lent = modern(msgspec.json.decode(secret.session)) if secret is not None else {}
            session = merged(modern(wish.session), lent)
            model = session.get("model") or request.query.get("model", "")
            campaign = self._campaign_of(model)
            door = _door_of(request, secret)
            return await self._call(door, campaign, described(session, model or campaign), wish.sdp)
        except DoorRefused as refused:
            return response_of(refused)

    async def _call(self, door: Door, campaign: str, session: dict[str, Any], sdp: str) -> RouteResponse:
        wanted = {"campaignId": campaign, "metadata": {"realtime": session, WISHES: wished(session)}}
        call = await door.call(wanted, dialect=Realtime(session))
        try:
            answer = await call.answer(sdp, gathering=self._config.gathering_timeout)
        except DoorRefused as refused:
            call.end(f"its offer was refused: {refused.code}")
            raise
        location = [("location", f"{FOLDER}/realtime/calls/{call.session_id}")]
        return RouteResponse(201, answer.encode(), SDP, location)

    async def post_secret(self, request: RouteRequest) -> RouteResponse:
        """A key for a page."""
        try:
            key = await self._key_for(request, parse_secret_wish_untrusted)
        except DoorRefused as refused:
            return response_of(refused)
        return RouteResponse.json(key)

    async def post_session(self, request: RouteRequest) -> RouteResponse:
        """The same for pages of the API's preview."""
        try:
            key = await self._key_for(request, parse_preview_wish_untrusted)
        except DoorRefused as refused:
            return response_of(refused)
        secret = {"value": key["value"], "expires_at": key["expires_at"]}
        return RouteResponse.json({**key["session"], "client_secret": secret})

    async def _key_for(self, request: RouteRequest, parse: Callable[[bytes, int], SecretWish]) -> dict[str, Any]:
        """Raises ``DoorRefused``."""
        door = _door_of(request, None)
        owner = (await door.principal()).name
        try:
            wish = parse(request.body, self._config.longest_secret)
        except Malformed as error:
            raise DoorRefused(400, "INVALID_REQUEST", f"Correct the request: {error}.") from None
        now = wall_clock.now()
        session = msgspec.json.encode(wish.session)
        secret = ClientSecret(shown_by(request.headers), owner, session, now + wish.seconds)
        value = self._secrets.add(secret, self._seal(door), now)
        model = wish.session.get("model", "")
        told = {
            "id": f"sess_{value[-12:].translate(_PLAIN)}",
            "object": "realtime.session",
            **described(modern(wish.session), model or self._config.campaign),
        }
        return {"value": value, "expires_at": int(now) + wish.seconds, "session": told}

    async def hang_up(self, request: RouteRequest) -> RouteResponse:
        """The client hangs up, or its server."""
        try:
            call = await self._call_of(request)
        except DoorRefused as refused:
            return response_of(refused)
        call.end()
        return RouteResponse(200)

    async def _call_of(self, request: RouteRequest) -> DoorCall:
        door = _door_of(request, self._secret_of(request))
        principal = await door.principal()
        call = door.find(request.parameters["session_id"])
        if call is None or call.principal.name != principal.name:
            raise DoorRefused(404, "CALL_NOT_FOUND", "The call has ended, or is somebody else's.")
        return call

    def _seal(self, door: Door) -> bytes:
        """For keys: all processes have the same that are to know each other's."""
        secret = self._config.secret_key
        return door.key(PURPOSE) if secret is None else hmac.digest(secret.reveal().encode(), PURPOSE.encode(), sha256)

    def _campaign_of(self, model: str) -> str:
        campaign = self._config.models.get(model) or self._config.campaign or model
        if not campaign:
            raise DoorRefused(400, "MISSING_MODEL", "Say by session.model, or ?model=, which campaign to call.")
        return campaign

    def _secret_of(self, request: RouteRequest) -> ClientSecret | None:
        """None for who has none; raises ``DoorRefused`` for one that is not good."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        value = value.strip()
        if scheme.lower() != "bearer" or not value.startswith(PREFIX):
            return None
        assert request.door is not None, "the gateway's requests have one"
        secret = self._secrets.find(value, self._seal(request.door), wall_clock.now())
        if secret is None:
            raise DoorRefused(401, "INVALID_API_KEY", "The client secret has expired, or there was none; get another.")
        return secret


_PLAIN: Final = str.maketrans("-_", "00")


def _door_of(request: RouteRequest, secret: ClientSecret | None) -> Door:
    assert request.door is not None, "the gateway's requests have one"
    return request.door if secret is None else request.door.on_behalf_of(secret.shown)


def _wish_in(request: RouteRequest) -> Wish:
    media_type = request.headers.get("content-type", "")
    if media_type.partition(";")[0].strip().lower() not in (SDP, "multipart/form-data"):
        raise DoorRefused(415, "UNSUPPORTED_MEDIA_TYPE", f"Send {SDP} or multipart/form-data.")
    try:
        return parse_wish_untrusted(media_type, request.body)
    except Malformed as error:
        raise DoorRefused(400, "INVALID_REQUEST", f"Correct the request: {error}.") from None
