"""What is wrong with a deployment, as ``glottis doctor`` tells it: on loopback, with limits and ports taken away."""

import json
import socket
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
import trio
from glottis.cli import main
from glottis.config import ResolvedConfig
from glottis.doctor import Finding, Level
from glottis.doctor.certificates import examine_certificate
from glottis.doctor.machine import examine_buffers, examine_clock, examine_descriptors
from glottis.doctor.ports import examine_http, examine_media
from glottis.doctor.proxies import examine_proxies
from msgspec import structs
from msgspec.structs import replace
from support.gateway import CONFIG, open_test_gateway, resolve_test_config
from support.ports import free_port
from support.tls import make_certificate

KEY = sha256(b"of a website that is in none of the lists").hexdigest()


def config_of(directory: Path, *, server: str = "", media: str = "") -> ResolvedConfig:
    config = CONFIG.replace("[server]\nport = 0\n", f"[server]\nport = {free_port()}\n{server}\n")
    config = config.replace('"anonymous"', f'"api-keys"\nsettings.keys.web = "{KEY}"')
    return resolve_test_config(directory, f"{config}\n[media]\n{media}\n")


def the(subject: str, findings: list[Finding], level: Level = Level.FAIL) -> str:
    (line,) = [str(one) for one in findings if one.subject == subject and one.level is level]
    return line


def test_deployment_without_faults_exits_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "glottis.toml"
    path.write_text(
        f'[server]\nport = {free_port()}\n[media]\nudp_port = {free_port()}\n[campaigns.echo]\nagent = "echo"\n'
    )
    assert main(["doctor", "--config", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "ok    codecs     opus, G722, PCMU, PCMA" in lines
    assert any(line.startswith("ok    media      UDP 127.0.0.1:") for line in lines)
    assert not any(line.startswith("fail") for line in lines)


def test_fault_exits_with_1_and_is_told_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        path = tmp_path / "glottis.toml"
        path.write_text(
            f'[server]\nport = {free_port()}\n[media]\nudp_port = {port}\n[campaigns.echo]\nagent = "echo"\n'
        )
        assert main(["doctor", "--config", str(path), "--json"]) == 1
    (fault,) = [one for one in json.loads(capsys.readouterr().out) if one["level"] == "fail"]
    assert fault == {
        "level": "fail",
        "subject": "media",
        "what": f"media.addresses: cannot bind UDP 127.0.0.1 port {port}: Address already in use",
        "advice": "end what has it, or change media.addresses or media.udp_port",
    }


async def test_port_for_media_by_tcp_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        findings = [one async for one in examine_media(config_of(tmp_path, media=f"tcp_port = {port}"))]
        assert f"media.tcp_port: cannot listen on 127.0.0.1 port {port}: Address already in use" in the(
            "media", findings
        )
    findings = [one async for one in examine_media(config_of(tmp_path, media=f"tcp_port = {port}"))]
    assert f"ok    media      TCP 127.0.0.1:{port} can be had, and is reached from this machine" in map(str, findings)


async def test_port_for_media_by_tcp_that_is_that_of_http(tmp_path: Path) -> None:
    port = config_of(tmp_path).config.server.port
    config = config_of(tmp_path, media=f"tcp_port = {port}")
    same = replace(
        config, config=structs.replace(config.config, server=structs.replace(config.config.server, port=port))
    )
    findings = [one async for one in examine_media(same)]
    assert f"TCP 127.0.0.1:{port} is the port of HTTP, too" in the("media", findings)


async def test_each_worker_has_ports(tmp_path: Path) -> None:
    """One of its own, and one for a reload."""
    first = free_port()
    config = config_of(tmp_path, server="workers = 2", media=f"udp_port = {first}\ntcp_port = {first}")
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", first + 3))
        findings = [one async for one in examine_media(config)]
    assert f"cannot bind UDP 127.0.0.1 port {first + 3}: Address already in use" in the("media", findings)
    assert f"TCP 127.0.0.1:{first} to {first + 3} can be had" in the("media", findings, Level.OK)


def test_wrong_configuration_is_told_as_by_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "glottis.toml"
    path.write_text('[campaigns.echo]\nagent = "nobody"\n')
    assert main(["doctor", "--config", str(path)]) == 2
    assert "campaigns.echo.agent" in capsys.readouterr().err


def test_few_descriptors(tmp_path: Path) -> None:
    finding = examine_descriptors(config_of(tmp_path), 120)
    assert str(finding) == (
        "fail  files      120 descriptors, enough for 56 connections of server.max_connections, 2000 — "
        "raise the limit to 2064 (LimitNOFILE= of systemd, ulimit -Hn), or lower server.max_connections"
    )
    fewer = config_of(tmp_path, server="max_connections = 50\nmax_connections_per_client = 50")
    assert examine_descriptors(fewer, 120).level is Level.OK


def test_certificate_of_another_key_and_one_out_of_date(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate, key = make_certificate(tmp_path)
    other = make_certificate(tmp_path / "other")[1]
    now = datetime.now(UTC)

    def found(key: Path, at: datetime) -> list[Finding]:
        config = config_of(tmp_path, server=f'certificate = "{certificate}"\nprivate_key = "{key}"')
        return list(examine_certificate(config, at))

    assert [one.level for one in found(key, now)] == [Level.OK]
    assert "is not the key of" in the("https", found(other, now))
    assert "has expired" in the("https", found(key, now + timedelta(days=9)), Level.WARN)
    assert not list(examine_certificate(config_of(tmp_path), now))


def test_buffers_and_clock_are_told_whatever_they_are() -> None:
    assert [finding.subject for finding in examine_buffers()] == ["buffers", "buffers"]
    assert examine_clock().level is not Level.FAIL


async def test_media_on_loopback_of_a_gateway_for_others(tmp_path: Path) -> None:
    config = config_of(tmp_path, server='public_url = "https://voice.example.org"')
    findings = [one async for one in examine_media(config)]
    assert "clients are told 127.0.0.1 only, while server.public_url invites others" in the("media", findings)


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
async def test_ports_of_a_gateway_that_runs_are_no_fault(tmp_path: Path, encrypted: bool) -> None:
    """Its certificate is for its public name, and perhaps of an authority that this machine does not know."""
    server = 'certificate = "{}"\nprivate_key = "{}"'.format(*make_certificate(tmp_path)) if encrypted else ""
    config = config_of(tmp_path, server=server, media=f"udp_port = {free_port()}")
    async with open_test_gateway(tmp_path, (tmp_path / "gateway.toml").read_text()):
        assert (await examine_http(config)).level is Level.OK
        findings = [one async for one in examine_media(config)]
    assert "is taken, as a gateway serves already" in the("media", findings, Level.OK)


async def test_proxies_that_are_everybody(tmp_path: Path) -> None:
    findings = [one async for one in examine_proxies(config_of(tmp_path, server='trusted_proxies = ["0.0.0.0/0"]'))]
    assert "which is everybody" in the("proxy", findings)


async def test_gateway_is_reached_by_its_public_url(tmp_path: Path) -> None:
    port = free_port()
    config = CONFIG.replace("port = 0\n", f'port = {port}\npublic_url = "http://127.0.0.1:{port}"\n')
    async with open_test_gateway(tmp_path, config):
        findings = [one async for one in examine_proxies(resolve_test_config(tmp_path, config))]
    assert "passes requests and WebSockets on" in the("proxy", findings, Level.OK)
    assert "no proxy is trusted" in the("proxy", findings, Level.WARN)


async def test_public_url_whose_certificate_is_of_no_authority(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    port = free_port()
    config = CONFIG.replace("port = 0\n", f'port = {port}\npublic_url = "https://localhost:{port}"\n')
    config = config.replace("[server]\n", f'[server]\ncertificate = "{certificate}"\nprivate_key = "{key}"\n')
    async with open_test_gateway(tmp_path, config):
        findings = [one async for one in examine_proxies(resolve_test_config(tmp_path, config))]
    assert "its certificate is not trusted: " in the("proxy", findings)
    assert "SSL_CERT_FILE" in the("proxy", findings)


async def test_proxy_that_makes_plain_requests_of_websockets(tmp_path: Path, nursery: trio.Nursery) -> None:
    replies = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 426 Upgrade\r\nContent-Length: 0\r\n\r\n"]

    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(replies.pop(0))

    listeners = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
    url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
    findings = [one async for one in examine_proxies(config_of(tmp_path, server=f'public_url = "{url}"'))]
    assert "makes plain requests of WebSockets" in the("proxy", findings)
    nursery.cancel_scope.cancel()
