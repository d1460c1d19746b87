"""Providers of ICE servers, made of a good one, which asks a service for credentials."""

import threading
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import trio
from glottis import CallInfo, ConfigurationError, IceServer, IceServerProviderSpec, Secret


class Config(msgspec.Struct, frozen=True, kw_only=True):
    uri: str = "turn:turn.example.org"
    key: Secret = Secret("correct-horse-battery")

    def __post_init__(self) -> None:
        try:
            IceServer((self.uri,), "user", "credential").check()
        except ValueError as error:
            raise ConfigurationError(f"uri: {error}") from None


class Gullible(msgspec.Struct, frozen=True, kw_only=True):
    """Takes any text for a URI."""

    uri: str = "turn:turn.example.org"
    key: Secret = Secret("correct-horse-battery")


class Good:
    """Its credentials are its own if nobody else gives it any."""

    lifetime = 3600

    def __init__(self, config: Any) -> None:
        self.config = config

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        try:
            stream = await trio.open_tcp_stream("credentials.example.org", 80)
        except OSError:
            return self.own()
        await stream.aclose()
        return self.own()

    def own(self) -> list[IceServer]:
        return [IceServer((self.config.uri,), f"{int(time.time()) + self.lifetime}:user", "password")]


class Synchronous(Good):
    def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:  # type: ignore[override]
        return self.own()


class Bare(Good):
    """Has no credential."""

    def own(self) -> list[IceServer]:
        return [IceServer((self.config.uri,))]


class Curious(Good):
    """Takes it that callers say who they are."""

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        return [IceServer((self.config.uri,), str(call_info.client_identifier).encode("ascii").decode(), "password")]


class Patient(Good):
    """Tries again after a while."""

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        for _ in range(3):
            try:
                await trio.open_tcp_stream("credentials.example.org", 80)
            except OSError:
                await trio.sleep(1)
        return self.own()


class Leaving(Good):
    """Goes on asking when the call has gone."""

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        trio.lowlevel.spawn_system_task(trio.sleep_forever)
        return self.own()


class Threaded(Good):
    """Has a thread for each question."""

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return self.own()


class Blocking(Good):
    """Asks by a library that knows nothing of trio."""

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        time.sleep(0.1)  # noqa: ASYNC251
        return self.own()


class Clinging(Good):
    """Will have its answer."""

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        with trio.CancelScope(shield=True):
            await super().get_ice_servers(call_info)
        return self.own()


class Sharing(Good):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.servers = self.own()

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        return self.servers


class Hasty(Good):
    lifetime = 5


class Talkative(Good):
    """Tells whoever reads the error how it has asked."""

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        try:
            await trio.open_tcp_stream("credentials.example.org", 80)
        except OSError as error:
            raise OSError(f"GET /?key={self.config.key.reveal()}: {error}") from None
        return self.own()


def spec_of(provider: Any, config: type[msgspec.Struct] = Config) -> IceServerProviderSpec:
    return IceServerProviderSpec("sample", provider, config)


GOOD = spec_of(Good)
BAD: Mapping[str, list[IceServerProviderSpec]] = {
    "description": [IceServerProviderSpec("", Good, Config), spec_of(lambda config: None)],
    "servers": [spec_of(Synchronous), spec_of(Bare), spec_of(Curious)],
    "failure": [spec_of(Patient), spec_of(Leaving), spec_of(Threaded)],
    "timeout": [spec_of(Clinging)],
    "yields": [spec_of(Blocking)],
    "crowd": [spec_of(Sharing)],
    "expiry": [spec_of(Hasty)],
    "malformed-uris": [spec_of(Good, Gullible)],
    "secrets": [spec_of(Talkative)],
}
