"""``glottis cert``: a certificate for HTTPS on a local network, and the authority that browsers are to trust."""

import argparse
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from glottis.cli.parts import Commands, Parts
from glottis.contracts.errors import ConfigurationError, LocalError

_MODES: Final = {"authority-key.pem": 0o600, "authority.pem": 0o644, "key.pem": 0o600, "certificate.pem": 0o644}


class CertError(LocalError):
    """Why there is no certificate."""


def add(commands: Commands) -> None:
    """Add the command."""
    cert = commands.add_parser("cert", help="make a certificate for HTTPS on a local network, or renew it")
    cert.add_argument("names", nargs="*", metavar="NAME", help="names and addresses beside those of this machine")
    cert.add_argument(
        "--into", type=Path, default=Path("certificates"), metavar="FOLDER", help="where the files are (%(default)s)"
    )
    cert.set_defaults(run=_cert)


def _cert(options: argparse.Namespace, parts: Parts) -> int:
    names = list(dict.fromkeys((*options.names, *own_names())))
    folder = options.into.absolute()
    try:
        make_files(folder, names, datetime.now(UTC))
    except (OSError, ValueError) as error:
        raise CertError(f"{folder}: {error}") from None
    sys.stdout.write(
        f"The certificate is for {', '.join(names)}. Put into the configuration:\n\n"
        f'[server]\ncertificate = "{folder / "certificate.pem"}"\nprivate_key = "{folder / "key.pem"}"\n\n'
        f"Browsers trust it where {folder / 'authority.pem'} is installed as an authority:\n{_INSTALL}"
        f"Whoever has {folder / 'authority-key.pem'} can pretend to be any site there: let nobody copy it.\n"
    )
    return 0


_INSTALL: Final = """\
  Android   Settings, Security, Encryption and credentials, Install a certificate, CA certificate
  iOS       open the file, install the profile in Settings; then General, About, Certificate Trust Settings
  Chrome    chrome://certificate-manager, Local certificates, Installed by you, Trusted certificates: Import
  Firefox   Settings, Privacy and Security, View Certificates, Authorities, Import: trust it for websites
  Debian    copy it to /usr/local/share/ca-certificates/glottis.crt, and run update-ca-certificates
"""


def own_names() -> list[str]:
    """By which this machine is reached on its networks, and from itself."""
    from glottis.media.interfaces import media_addresses  # late, so that other commands need not wait for it

    host = socket.gethostname().partition(".")[0]
    try:
        addresses = media_addresses((), "::")
    except ConfigurationError:  # it has no network
        addresses = []
    return [host, f"{host}.local", "localhost", *addresses, "127.0.0.1", "::1"]


def make_files(folder: Path, names: list[str], now: datetime) -> None:
    """The authority and the server's key stay if they are there; its certificate is new each time.

    So one file changes, as a whole, and the gateway finds a pair at any moment. Raises ``ValueError``, ``OSError``.
    """
    from glottis.dtls.authority import Authority, load_key, new_key, pem_of
    from glottis.server.http.certificates import EARLIEST

    if now < EARLIEST:
        raise ValueError(f"the clock says {now:%Y}: set it first, for a certificate has dates")
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    paths = {name: folder / name for name in _MODES}
    if paths["authority.pem"].exists():  # it is written after its key
        key, certificate = paths["authority-key.pem"], paths["authority.pem"]
        authority = Authority.load(key.read_bytes(), certificate.read_bytes())
    else:
        authority = Authority.create(socket.gethostname(), now)
        _write(paths["authority-key.pem"], pem_of(authority.key))
        _write(paths["authority.pem"], authority.pem)
    if authority.certificate.not_valid_after_utc <= now:
        raise ValueError("authority.pem has expired: remove the files, and install a new one everywhere")
    if not paths["key.pem"].exists():
        _write(paths["key.pem"], pem_of(new_key()))
    key_of_server = load_key(paths["key.pem"].read_bytes())
    _write(paths["certificate.pem"], authority.sign(key_of_server, names, now) + authority.pem)


def _write(path: Path, content: bytes) -> None:
    """As a whole or not at all, whenever the power fails; nobody else can ever read what is secret."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODES[path.name]), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
