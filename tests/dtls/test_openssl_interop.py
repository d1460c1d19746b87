"""Handshakes with the openssl command, an implementation and version of its own, over loopback."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from glottis.dtls import Certificate, Connected, DtlsEvent, DtlsTransport, fingerprint_of
from glottis.wire.srtp_keys import SRTP_PROFILES, SrtpProfile

pytestmark = pytest.mark.interop

OPENSSL = shutil.which("openssl") or "openssl is not installed: run `make test`"
PATIENCE = 10.0


@pytest.fixture(scope="module", params=["ec", "rsa"])
def credentials(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a self-signed certificate, made by openssl."""
    file = tmp_path_factory.mktemp("openssl") / "credentials.pem"
    kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if request.param == "ec" else ["rsa:2048"]
    command = [
        OPENSSL,
        "req",
        "-x509",
        "-nodes",
        "-subj",
        "/CN=peer",
        "-newkey",
        *kind,
        "-keyout",
        str(file),
        "-out",
        str(file),
    ]
    subprocess.run([*command[:-1], f"{file}.crt"], check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def fingerprint(credentials: Path) -> tuple[str, str]:
    der = subprocess.run([OPENSSL, "x509", "-in", credentials, "-outform", "der"], check=True, capture_output=True)
    return fingerprint_of(der.stdout, "sha-256")


@contextmanager
def openssl(command: str, port: int, credentials: Path, profile: SrtpProfile) -> Iterator[subprocess.Popen[bytes]]:
    name, *options = command.split()
    place = (
        ["-connect", f"127.0.0.1:{port}"] if name == "s_client" else ["-accept", str(port), "-Verify", "1", *options]
    )
    length = 2 * (profile.key_length + profile.salt_length)
    arguments = [
        "-dtls1_2",
        "-cert",
        str(credentials),
        "-key",
        str(credentials),
        "-use_srtp",
        profile.openssl_name.decode(),
    ]
    export = ["-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", str(length)]
    process = subprocess.Popen(
        [OPENSSL, name, *place, *arguments, *export],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def exported_by(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if b"Keying material:" in line and b"EXTRACTOR" not in line:
            return line.split()[-1].decode()
    raise AssertionError("openssl exported no keys")


def drive(transport: DtlsTransport, link: socket.socket, peer: tuple[str, int] | None) -> DtlsEvent:
    """Carry datagrams until the first event."""
    link.settimeout(0.02)
    end = time.monotonic() + PATIENCE
    while (event := transport.next_event()) is None and time.monotonic() < end:
        for data in transport.datagrams_to_send():
            assert peer is not None
            link.sendto(data, peer)
        try:
            data, peer = link.recvfrom(2048)
            transport.handle_datagram(data, time.monotonic())
        except (TimeoutError, ConnectionRefusedError):
            transport.handle_timeout(time.monotonic())
    for data in transport.datagrams_to_send():
        assert peer is not None
        link.sendto(data, peer)
    assert event is not None
    return event


@pytest.mark.parametrize("profile", SRTP_PROFILES, ids=lambda profile: profile.name)
@pytest.mark.parametrize("command", ["s_client", "s_server", "s_server -listen"])  # -listen: HelloVerifyRequest
def test_keys_agree_with_openssl(command: str, profile: SrtpProfile, credentials: Path) -> None:
    client = command != "s_client"
    transport = DtlsTransport(certificate=Certificate.generate(), client=client)
    transport.set_remote_fingerprints([fingerprint(credentials)])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link, socket.socket(type=socket.SOCK_DGRAM) as place:
        link.bind(("127.0.0.1", 0))
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1] if client else link.getsockname()[1]
        place.close()
        with openssl(command, port, credentials, profile) as process:
            transport.start(time.monotonic())
            event = drive(transport, link, ("127.0.0.1", port) if client else None)
            assert isinstance(event, Connected)
            keys = event.keys
            assert keys is not None
            ours, theirs = (keys.local_key, keys.local_salt), (keys.remote_key, keys.remote_salt)
            (key, salt), (server_key, server_salt) = (ours, theirs) if client else (theirs, ours)
            assert exported_by(process) == (key + server_key + salt + server_salt).hex().upper()
