"""The certificate of HTTPS: whether the gateway can serve with it, and browsers can believe it by its dates."""

from collections.abc import Iterator
from datetime import datetime

from glottis.config import ResolvedConfig
from glottis.contracts.errors import ConfigurationError
from glottis.doctor.findings import Finding, fail, ok, warn
from glottis.server.http.certificates import complaints, load


def examine_certificate(config: ResolvedConfig, now: datetime) -> Iterator[Finding]:
    """Nothing where HTTP is served."""
    server = config.config.server
    if not server.certificate:
        return
    try:
        load(server.certificate, server.private_key)
    except ConfigurationError as error:
        yield fail("https", f"{error}", "name the PEM files of one pair, or make them by glottis cert")
        return
    found = complaints(server.certificate, now)
    for complaint in found:
        yield warn("https", complaint, "set the clock, or renew the certificate: glottis cert does it for its own")
    if not found:
        yield ok("https", f"{server.certificate} and its key are a pair, and in date")
