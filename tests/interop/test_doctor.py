"""What ``glottis doctor`` tells of a real coturn: that it serves, refuses, or is not there; and of a firewall."""

import json
import os
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import trio
from glottis.doctor import Finding, Level
from glottis.doctor.servers import examine_servers
from glottis.media.gathering import LookUp, look_up_address
from glottis.wire.address import Address
from glottis.wire.stun import Attribute, MessageClass, build_stun, encode_xor_address, parse_stun_untrusted
from support.command import open_command
from support.coturn import PASSWORD, USERNAME, WITH_SECRET, Coturn, ephemeral, open_coturn
from support.gateway import CONFIG, resolve_test_config
from support.internet import PUBLIC, open_internet
from support.patience import PROCESS_PATIENCE
from support.ports import free_port

SECRET = "a shared secret"


async def examine(directory: Path, settings: str, look_up: LookUp = look_up_address) -> list[Finding]:
    return await examine_servers(resolve_test_config(directory, f"{CONFIG}\n{settings}"), look_up)


def static(coturn: Coturn, password: str, username: str = USERNAME) -> str:
    urls = [f"turn:127.0.0.1:{coturn.port}", f"turn:127.0.0.1:{coturn.port}?transport=tcp"]
    return (
        f'[[ice_servers.settings.static.servers]]\nurls = ["stun:127.0.0.1:{coturn.port}"]\n'
        f"[[ice_servers.settings.static.servers]]\nurls = {urls}\n"
        f'username = "{username}"\ncredential = "{password}"\n'
    )


async def test_servers_that_serve(tmp_path: Path) -> None:
    async with open_coturn(tmp_path) as coturn:
        findings = await examine(tmp_path, static(coturn, PASSWORD))
        assert [finding.level for finding in findings] == [Level.OK] * 3
        stun, *turns = map(str, findings)
        assert f"stun:127.0.0.1:{coturn.port} answers after " in stun
        assert all("accepts the credentials, and lends 127.0.0.1 after" in turn for turn in turns)


async def test_server_of_both_families_is_asked_by_each(tmp_path: Path) -> None:
    async def look_up(name: str, port: int) -> list[Address]:
        return [Address("127.0.0.1", port), Address("::1", port)]

    async with open_coturn(tmp_path) as coturn:
        settings = static(coturn, PASSWORD).replace("127.0.0.1", "relay.example")
        findings = await examine(tmp_path, f'[media]\naddresses = ["127.0.0.1", "::1"]\n{settings}', look_up)
    told = "\n".join(map(str, findings))
    for host in ("127.0.0.1", "::1"):
        assert f"stun:relay.example:{coturn.port} ({host}) answers after " in told
        assert f"({host}) accepts the credentials, and lends {host} after" in told
    assert len(findings) == 6


async def test_credentials_that_are_refused(tmp_path: Path) -> None:
    async with open_coturn(tmp_path) as coturn:
        stun, *turns = await examine(tmp_path, static(coturn, "wrong"))
        assert stun.level is Level.OK
        for turn in turns:
            assert turn.level is Level.FAIL
            assert "correct username and credential, or the shared secret and the clock" in turn.advice
            assert "aioice fails as well" in turn.advice


@pytest.mark.parametrize(("secret", "level"), [(SECRET, Level.OK), ("another secret", Level.FAIL)])
async def test_shared_secret(tmp_path: Path, secret: str, level: Level) -> None:
    users = ("--use-auth-secret", f"--static-auth-secret={SECRET}")
    async with open_coturn(tmp_path, users=users) as coturn:
        findings = await examine(
            tmp_path,
            '[ice_servers]\nproviders = ["turn-rest"]\n[ice_servers.settings.turn-rest]\n'
            f'urls = ["turn:127.0.0.1:{coturn.port}"]\nsecret = "{secret}"\n',
        )
        assert [finding.level for finding in findings] == [level]


async def test_credentials_that_have_expired(tmp_path: Path) -> None:
    username, password = ephemeral(-60)
    moment = datetime.fromtimestamp(int(username.partition(":")[0]), UTC)
    async with open_coturn(tmp_path, users=WITH_SECRET) as coturn:
        _, *turns = await examine(tmp_path, static(coturn, password, username))
    for turn in turns:
        assert turn.level is Level.FAIL
        assert f"lends nothing: the credentials have expired, at {moment:%Y-%m-%d %H:%M:%S} UTC" in turn.what
        assert "name new ones, or let a provider make them" in turn.advice


async def test_servers_that_are_not_there(tmp_path: Path) -> None:
    async with open_coturn(tmp_path) as coturn:
        settings = static(coturn, PASSWORD).replace(str(coturn.port), str(free_port()))
        findings = await examine(tmp_path, settings)
        assert [finding.level for finding in findings] == [Level.FAIL] * 3
        assert all("aioice fails as well, so it is the server or the way there" in one.advice for one in findings)


async def test_server_whose_certificate_is_of_no_authority(tmp_path: Path) -> None:
    async with open_coturn(tmp_path, name="localhost") as coturn:
        settings = static(coturn, PASSWORD).replace(f"turn:127.0.0.1:{coturn.port}?transport=tcp", coturn.url("tls"))
        findings = await examine(tmp_path, settings)
    assert [finding.level for finding in findings] == [Level.OK, Level.OK, Level.FAIL]
    assert "lends nothing: there is no connection: its certificate is not trusted (" in findings[-1].what
    assert "SSL_CERT_FILE" in findings[-1].advice


async def test_calls_by_relays_alone_without_a_relay(tmp_path: Path) -> None:
    campaign = '[campaigns.private]\nagent = "echo"\nice_policy = "relay"\n'
    stun = f'[[ice_servers.settings.static.servers]]\nurls = ["stun:127.0.0.1:{free_port()}"]\n'
    finding, *_ = await examine(tmp_path, f"{campaign}{stun}")
    assert finding.level is Level.FAIL
    assert finding.what.startswith("calls of private go by relays alone (ice_policy), and no TURN server is configured")


async def test_provider_that_names_no_server(tmp_path: Path) -> None:
    config = f'[ice_servers]\nproviders = ["http"]\nsettings.http.url = "http://127.0.0.1:{free_port()}"\n'
    (finding,) = await examine(tmp_path, config)
    assert (finding.level, finding.what) == (Level.WARN, "provider http names no server at present")


async def test_server_that_media_on_loopback_cannot_reach(tmp_path: Path) -> None:
    (finding,) = await examine(tmp_path, '[[ice_servers.settings.static.servers]]\nurls = ["stun:192.0.2.1"]\n')
    assert finding.level is Level.FAIL
    assert finding.advice == "media has loopback addresses only: name an address of this machine in media.addresses"


UNKNOWN = 0x7FFE
"""Of those that who does not know them must not pass over, RFC 8489 §14."""


async def answer_oddly(server: trio.socket.SocketType) -> None:
    """With an attribute that a client may not ignore."""
    while True:
        data, client = await server.recvfrom(2048)
        request = parse_stun_untrusted(data)
        seen = encode_xor_address(Address(*client), request.transaction_id)
        attributes = [(Attribute.XOR_MAPPED_ADDRESS, seen), (UNKNOWN, b"")]
        await server.sendto(build_stun(MessageClass.SUCCESS, request.transaction_id, attributes), client)


async def test_a_server_that_serves_aioice_and_not_glottis(tmp_path: Path, nursery: trio.Nursery) -> None:
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as server:
        await server.bind(("127.0.0.1", 0))
        nursery.start_soon(answer_oddly, server)
        url = f"stun:127.0.0.1:{server.getsockname()[1]}"
        (finding,) = await examine(tmp_path, f'[[ice_servers.settings.static.servers]]\nurls = ["{url}"]\n')
        nursery.cancel_scope.cancel()
    assert finding.level is Level.FAIL
    assert "aioice is served, so glottis may be at fault: it is seen as 127.0.0.1" in finding.advice


FIREWALL = """
table inet filter {
    chain input {
        type filter hook input priority 0
        udp dport 50001-50003 drop
        tcp dport { 50000, 8080 } drop
    }
}
"""
BEHIND_IT = f"""
[server]
host = "0.0.0.0"
port = 8080
workers = 2
[auth]
scheme = "api-keys"
settings.keys.web = "{sha256(b"of a website").hexdigest()}"
[media]
udp_port = 50000
tcp_port = 50000
[campaigns.echo]
agent = "echo"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
async def test_ports_that_a_firewall_shuts(tmp_path: Path) -> None:
    """Each is tried: those of workers, too."""
    path = tmp_path / "behind.toml"
    path.write_text(BEHIND_IT)
    with open_internet() as internet:
        internet.add_space("gateway")
        internet.connect("gateway", "eth0", PUBLIC, "203.0.113.2/24")
        internet.load("gateway", FIREWALL)
        async with open_command("doctor", "--config", path, "--json", prefix=internet.command("gateway")) as doctor:
            with trio.fail_after(PROCESS_PATIENCE):
                await doctor.wait()
    found = [(one["what"], one["advice"].split(",")[0]) for one in json.loads(doctor.output) if one["level"] == "fail"]
    assert found == [
        ("TCP 0.0.0.0:8080 is free, but 203.0.113.2 is not reached there", "let TCP port 8080 in"),
        ("UDP 203.0.113.2:50001 and 2 more are not reached from 203.0.113.2", "let UDP ports 50001 to 50003 in"),
        ("TCP 203.0.113.2:50000 is not reached from 203.0.113.2", "let TCP port 50000 in"),
    ]
