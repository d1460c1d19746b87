"""A plugin as it was written for version 2 of the hooks, with all of them. It must go on working."""

# mypy: ignore-errors

import secrets
from typing import Protocol

import msgspec
from glottis import (
    Agent,
    AgentSpec,
    AuthRequest,
    AuthSchemeSpec,
    Call,
    CallInfo,
    CampaignInfo,
    CodecSpec,
    Component,
    ComponentSpec,
    ConfigurationError,
    EncoderSettings,
    HmacTokens,
    IceServer,
    IceServerProviderSpec,
    Malformed,
    Page,
    PagesSpec,
    Principal,
    Secret,
    TokenClaims,
    hookimpl,
)

from . import names as names


class Greeting(Protocol):
    def text(self, name: str) -> str: ...


class Polite:
    def text(self, name: str) -> str:
        return f"Good day, {name}."


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True):
    greeting: Component[Greeting] = Component("polite")


def create_agent(config: AgentConfig, campaign: CampaignInfo) -> Agent:
    async def greet(call: Call) -> None:
        await call.send_text(config.greeting.make().text(campaign.id))
        async for frame in call.audio:
            await call.say(frame)

    return greet


class Password(msgspec.Struct, frozen=True, kw_only=True):
    password: Secret

    def __post_init__(self) -> None:
        if not self.password.reveal():
            raise ConfigurationError("password: expected one")


class Scheme:
    def __init__(self, config: Password) -> None:
        self._password = config.password.reveal()
        self._tokens = HmacTokens(secrets.token_bytes(32))

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        return Principal("relic") if secrets.compare_digest(shown.encode(), self._password.encode()) else None

    def issue(self, claims: TokenClaims) -> str:
        return self._tokens.issue(claims)

    def verify(self, token: str, now: float) -> TokenClaims:
        return self._tokens.verify(token, now)


class Servers:
    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        return [IceServer(("stun:192.0.2.1",))]


def duration(payload: bytes) -> int:
    if not payload or len(payload) % 2:
        raise Malformed("expected samples")
    return len(payload) // 2


class Coder:
    def __init__(self, settings: EncoderSettings | int) -> None: ...

    def encode(self, pcm: bytes) -> bytes:
        return pcm

    def set_expected_loss(self, fraction: float) -> None: ...

    def set_bitrate(self, bits_per_second: int) -> None: ...

    def decode(self, payload: bytes) -> bytes:
        duration(payload)
        return payload

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        return bytes(2 * sample_count)

    def conceal(self, sample_count: int) -> bytes:
        return bytes(2 * sample_count)


@hookimpl
def register_agents() -> list[AgentSpec]:
    return [AgentSpec("relic", create_agent, AgentConfig)]


@hookimpl
def register_codecs() -> list[CodecSpec]:
    return [CodecSpec("RELIC", 16000, Coder, Coder, duration, sample_rates=(16000,), frame_durations_ms=(20,))]


@hookimpl
def register_auth_schemes() -> list[AuthSchemeSpec]:
    return [AuthSchemeSpec("relic", Scheme, Password)]


@hookimpl
def register_ice_server_providers() -> list[IceServerProviderSpec]:
    return [IceServerProviderSpec("relic", lambda settings: Servers())]


@hookimpl
def register_pages() -> list[PagesSpec]:
    return [PagesSpec("relic", {"/relic": Page(b"old", "text/plain")})]


@hookimpl
def register_components() -> list[ComponentSpec[Greeting]]:
    return [ComponentSpec(Greeting, "polite", lambda settings: Polite())]
