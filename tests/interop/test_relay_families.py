"""Addresses of both families of one real coturn, which is found by its name; and from one address after another."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from glottis import IceServer
from glottis.media.endpoint import UdpEndpoint
from glottis.media.relays import Relays
from glottis.wire.address import Address
from support.coturn import PASSWORD, USERNAME, Coturn, open_coturn
from support.phone import eventually
from trio import open_nursery

BOTH = ("127.0.0.1", "::1")


@asynccontextmanager
async def open_relays(
    coturn: Coturn, named: Sequence[str], bound: Sequence[str], host: str, transport: str = "tcp"
) -> AsyncIterator[tuple[Relays, UdpEndpoint]]:
    """Once all is settled. ``named`` are the addresses that ``host`` has, ``bound`` those of our sockets."""

    async def look_up(name: str, port: int) -> list[Address]:
        return [Address(address, port) for address in named]

    with UdpEndpoint.bind(bound, 0) as endpoint:
        relays = Relays(
            endpoint,
            endpoint.addresses,
            rng=random.SystemRandom(),
            look_up=look_up,
            found=lambda relayed: None,
            lost=lambda relayed: None,
            settled=lambda: None,
            failed=lambda server, reason: None,
        )
        relays.use(IceServer((f"turn:{host}:{coturn.port}?transport={transport}",), USERNAME, PASSWORD))
        async with open_nursery() as nursery:
            nursery.start_soon(relays.run)
            nursery.start_soon(endpoint.run)
            await eventually(lambda: relays.is_settled)
            yield relays, endpoint
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("host", "named", "bound", "lent"),
    [
        ("relay.example", BOTH, BOTH, BOTH),
        ("relay.example", BOTH, ("127.0.0.1",), ("127.0.0.1",)),
        ("relay.example", BOTH, ("::1",), ("::1",)),
        ("relay.example", ("127.0.0.1",), BOTH, ("127.0.0.1",)),
        ("relay.example", ("::1",), BOTH, ("::1",)),
        ("127.0.0.1", ("127.0.0.1",), BOTH, ("127.0.0.1",)),
        ("[::1]", ("::1",), BOTH, ("::1",)),
    ],
)
async def test_server_lends_an_address_of_each_family_that_both_have(
    host: str, named: Sequence[str], bound: Sequence[str], lent: Sequence[str], tmp_path: Path
) -> None:
    async with open_coturn(tmp_path) as coturn, open_relays(coturn, named, bound, host) as (relays, _):
        assert sorted(relayed.address.host for relayed in relays.addresses) == sorted(lent)
        assert relays.failures == {}


@pytest.mark.parametrize(
    ("named", "bound", "told"),
    [
        (["127.0.0.1", "::2"], BOTH, {"TURN server relay.example by IPv6": "there is no connection: "}),
        (["::1"], ["127.0.0.1"], {"TURN server relay.example": "it has IPv6 alone, and this machine has not"}),
        ([], BOTH, {"TURN server relay.example": "its name cannot be looked up"}),
    ],
)
async def test_family_that_lends_nothing_is_told(
    named: Sequence[str], bound: Sequence[str], told: dict[str, str], tmp_path: Path
) -> None:
    async with open_coturn(tmp_path) as coturn, open_relays(coturn, named, bound, "relay.example") as (relays, _):
        assert set(relays.failures) == set(told)
        for server, reason in told.items():
            assert f"lends no address over tcp: {reason}" in relays.failures[server]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_who_comes_to_another_network_has_another_address_lent(tmp_path: Path, transport: str) -> None:
    """Over UDP from its address there."""
    async with (
        open_coturn(tmp_path) as coturn,
        open_relays(coturn, ["127.0.0.1"], ["127.0.0.1"], "127.0.0.1", transport) as (relays, endpoint),
    ):
        (before,) = relays.addresses
        relays.move_to([endpoint.bind_another("127.0.0.2")])
        await eventually(lambda: [one for one in relays.addresses if one != before])
        (after,) = relays.addresses
        assert after.mapped is not None
        assert transport == "tcp" or after.mapped.host == "127.0.0.2"
        assert relays.failures == {}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(("before", "after"), [BOTH, BOTH[::-1]])
async def test_who_comes_to_a_network_of_the_other_family_has_addresses_of_both_lent(
    tmp_path: Path, before: str, after: str, transport: str
) -> None:
    """The far end may have only what there was before."""
    async with (
        open_coturn(tmp_path) as coturn,
        open_relays(coturn, BOTH, [before], "relay.example", transport) as (relays, endpoint),
    ):
        assert [one.address.host for one in relays.addresses] == [before]
        relays.move_to([endpoint.bind_another(after)])
        await eventually(lambda: {one.address.host for one in relays.addresses} == set(BOTH))
        assert {one.mapped.host for one in relays.addresses if one.mapped} == {after}


async def test_who_comes_to_a_network_by_which_no_server_can_be_reached_is_told_so(tmp_path: Path) -> None:
    async with (
        open_coturn(tmp_path) as coturn,
        open_relays(coturn, ["127.0.0.1"], ["127.0.0.1"], "relay.example") as (relays, endpoint),
    ):
        relays.move_to([endpoint.bind_another("::1")])
        await eventually(lambda: bool(relays.failures))
        assert "it has IPv4 alone, and this machine has not" in relays.why_none()
