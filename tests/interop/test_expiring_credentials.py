"""Calls by a real coturn whose credentials expire meanwhile, and which then forgets the calls."""

import time
from pathlib import Path
from typing import Literal

import pytest
import trio
from glottis import CallInfo, IceServer
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_client_call
from glottis.client.connection import CallFailed
from glottis.turn import LongTermCredentials
from support.coturn import PASSWORD, USERNAME, WITH_SECRET, Coturn, ephemeral, open_coturn
from support.gateway import open_test_gateway
from support.installed import installed_plugins
from support.patience import PROCESS_PATIENCE
from support.phone import eventually
from support.plugins import TestPlugin

OPUS = installed_plugins().codecs.find("opus").spec
LIFETIME = 6
BY_RELAYS = "renewal = 1\n[media]\nice_policy = 'relay'\n"


class Renewing:
    """Makes credentials that are good for a moment."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.made: list[LongTermCredentials] = []

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        self.made.append(LongTermCredentials(*ephemeral(LIFETIME)))
        return [IceServer((self.url,), self.made[-1].username, self.made[-1].password)]


async def hear_more(call: ClientCall) -> None:
    def heard() -> int:
        inbound = call.statistics().inbound_rtp
        return inbound.packets_received if inbound is not None else 0

    before = heard()
    await eventually(lambda: heard() > before + 10)


async def until_expired(credentials: LongTermCredentials) -> None:
    await eventually(lambda: time.time() > (credentials.expires_at or 0.0) + 1)


def forget(coturn: Coturn) -> None:
    """What it has lent."""
    coturn.kill()
    coturn.start()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_both_ends_go_on_with_renewed_credentials(tmp_path: Path, transport: Literal["udp", "tcp"]) -> None:
    """Over UDP they come from other ports then: coturn takes those before for somebody else's."""
    async with open_coturn(tmp_path, users=WITH_SECRET) as coturn:
        provider = Renewing(coturn.url(transport))
        plugin = TestPlugin(ice_servers=provider)
        with trio.fail_after(PROCESS_PATIENCE):
            async with (
                open_test_gateway(tmp_path, plugin.config() + BY_RELAYS, [plugin]) as gateway,
                open_client_call(CallRequest(gateway.url, (OPUS,), "talker", ice_policy="relay")) as call,
            ):
                await call.connected.wait()
                await hear_more(call)
                await until_expired(provider.made[1])
                forget(coturn)
                await hear_more(call)
                (session,) = gateway.sessions
                pair = session.leg.statistics(trio.current_time()).candidate_pair
    assert pair is not None
    assert (pair.local_candidate_type, pair.remote_candidate_type) == ("relay", "relay")


async def test_call_goes_on_by_another_relay_if_nobody_renews_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other").mkdir()
    async with (
        open_coturn(tmp_path, users=WITH_SECRET) as coturn,
        open_coturn(tmp_path / "other") as other,
        open_test_gateway(tmp_path) as gateway,
    ):
        other.kill()
        credentials = LongTermCredentials(*ephemeral(LIFETIME))
        servers = (
            IceServer((coturn.url("tcp"),), credentials.username, credentials.password),
            IceServer((other.url("tcp"),), USERNAME, PASSWORD),
        )
        request = CallRequest(gateway.url, (OPUS,), "talker", ice_policy="relay", ice_servers=servers)
        with trio.fail_after(PROCESS_PATIENCE):
            async with open_client_call(request) as call:
                await call.connected.wait()
                other.start()
                await eventually(lambda: "ALLOCATE processed, success" in other.log.read_text())
                await until_expired(credentials)
                forget(coturn)
                await eventually(lambda: "the credentials have expired, at 20" in caplog.text)
                await hear_more(call)


async def test_caller_is_told_that_they_had_expired_before(tmp_path: Path) -> None:
    async with open_coturn(tmp_path, users=WITH_SECRET) as coturn, open_test_gateway(tmp_path) as gateway:
        server = IceServer((coturn.url("udp"),), *ephemeral(-60))
        request = CallRequest(
            gateway.url, (OPUS,), "talker", ice_policy="relay", ice_servers=(server,), setup_timeout=3
        )
        with pytest.raises(CallFailed, match=r"no media connection within 3 s: TURN server .* have expired, at 20"):
            async with open_client_call(request):
                await trio.sleep_forever()
