"""Plugins made for one test, and what a gateway leaves behind."""

import gc
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import trio
import trio.testing
from glottis import (
    Agent,
    AgentSpec,
    AuthScheme,
    AuthSchemeSpec,
    CodecSpec,
    IceServerProvider,
    IceServerProviderSpec,
    hookimpl,
)
from glottis.server.gateway import Gateway

from support.gateway import CONFIG, open_test_gateway
from support.patience import PATIENCE
from support.phone import Exchange, installed_codec, open_exchange


class TestPlugin:
    """Registers what it is given; agents by keyword, each with a campaign of the same name in ``config``."""

    __test__ = False

    def __init__(
        self,
        *,
        codecs: Sequence[CodecSpec] = (),
        auth_scheme: AuthScheme | None = None,
        ice_servers: IceServerProvider | None = None,
        **agents: Agent,
    ) -> None:
        self._codecs = codecs
        self._auth_scheme = auth_scheme
        self._ice_servers = ice_servers
        self._agents = agents

    def config(self, server: str = "") -> str:
        """The configuration that enables all of it, with more lines for the section ``[server]``."""
        config = CONFIG.replace("[server]\n", f"[server]\n{server}\n")
        if self._auth_scheme is not None:
            config = config.replace('scheme = "anonymous"', 'scheme = "test"')
        if self._ice_servers is not None:
            config += '\n[ice_servers]\nproviders = ["test"]\n'
        if self._codecs:
            config += f"\n[media]\ncodecs = {[codec.encoding_name for codec in self._codecs] + ['PCMU']}\n"
        return config + "".join(f'\n[campaigns.{name}]\nagent = "{name}"\n' for name in self._agents)

    @hookimpl
    def register_agents(self) -> Sequence[AgentSpec]:
        """By keyword."""
        return [AgentSpec(name, _always(agent)) for name, agent in self._agents.items()]

    @hookimpl
    def register_codecs(self) -> Sequence[CodecSpec]:
        """As given."""
        return self._codecs

    @hookimpl
    def register_auth_schemes(self) -> Sequence[AuthSchemeSpec]:
        """The scheme ``test``."""
        return [AuthSchemeSpec("test", _always(self._auth_scheme))] if self._auth_scheme is not None else []

    @hookimpl
    def register_ice_server_providers(self) -> Sequence[IceServerProviderSpec]:
        """The provider ``test``."""
        return [IceServerProviderSpec("test", _always(self._ice_servers))] if self._ice_servers is not None else []


@asynccontextmanager
async def open_exchange_with(
    directory: Path, plugin: TestPlugin, server: str = "", **parts: Any
) -> AsyncIterator[Exchange]:
    """A gateway that has the plugin enabled, and phones for it; ``parts`` are ``open_gateway``'s."""
    async with (
        open_test_gateway(directory, plugin.config(server), [plugin], **parts) as gateway,
        open_exchange(gateway) as exchange,
    ):
        yield exchange


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda settings: value


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a call costs as long as it lasts, and nothing of which may stay."""

    tasks: int
    file_descriptors: int
    sessions: int
    demultiplexer_entries: int
    wheel_entries: int

    @classmethod
    def of(cls, gateway: Gateway) -> "Footprint":
        """Of this process and gateway, now."""
        return cls(
            trio.lowlevel.current_statistics().tasks_living,
            len(os.listdir("/proc/self/fd")),
            len(gateway.sessions),
            gateway.endpoint.sessions,
            len(gateway.scheduler),
        )

    @classmethod
    async def at_rest(cls, gateway: Gateway) -> "Footprint":
        """The same, once all tasks that are starting have started; to be called before the first call.

        What tests before have left is none of a call's.
        """
        gc.collect()
        with trio.fail_after(PATIENCE):
            await trio.testing.wait_all_tasks_blocked(0.01)
        return cls.of(gateway)


class Broken:
    """An encoder and decoder, one method of which fails."""

    def __init__(self, method: str, make: Callable[[], BaseException]) -> None:
        self._method = method
        self._make = make

    def __getattr__(self, name: str) -> Callable[..., bytes]:
        return self._fail if name == self._method else lambda *_: bytes(640)

    def _fail(self, *_: object) -> NoReturn:
        raise self._make()


def broken_codec(method: str, make: Callable[[], BaseException]) -> CodecSpec:
    """PCMU under the name X-BROKEN, of which a method, or ``create``, raises what is made."""

    def create(settings: object) -> Any:
        if method == "create":
            raise make()
        return Broken(method, make)

    return replace(
        installed_codec("PCMU"),
        encoding_name="X-BROKEN",
        static_payload_type=None,
        create_encoder=create,
        create_decoder=create,
    )
