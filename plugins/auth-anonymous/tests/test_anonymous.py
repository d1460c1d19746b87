from dataclasses import replace

import pytest
from glottis import AuthRequest, Forbidden
from glottis.testing import AuthContract
from glottis_auth_anonymous import Anonymous, register_auth_schemes


def request_from(client_host: str, **headers: str) -> AuthRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return AuthRequest("POST", "/api/websession/initiate", named, client_host)


class TestContract(AuthContract):
    (spec,) = register_auth_schemes()
    accepted = (request_from("127.0.0.1", host="localhost"),)


@pytest.mark.parametrize("client_host", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("name", ["127.0.0.1:8080", "localhost", "LocalHost:8080", "[::1]:8080", "[::1]"])
async def test_callers_on_this_machine_are_welcome(client_host: str, name: str) -> None:
    principal = await Anonymous().authenticate(request_from(client_host, host=name))
    assert principal is not None
    assert principal.name == "anonymous"


@pytest.mark.parametrize("client_host", ["192.0.2.1", "10.0.0.1", "0.0.0.0", "2001:db8::1", "::ffff:192.0.2.1", ""])
async def test_callers_from_elsewhere_are_not(client_host: str) -> None:
    with pytest.raises(Forbidden, match=r"own machine, or configure another auth\.scheme"):
        await Anonymous().authenticate(request_from(client_host, host="localhost"))


@pytest.mark.parametrize(
    "header",
    [
        *("forwarded", "x_forwarded_for", "x_forwarded_proto", "x_forwarded_port", "x_real_ip", "via", "x_request_id"),
        *("cf_connecting_ip", "cf_ray", "cdn_loop", "true_client_ip", "fly_client_ip", "fastly_client_ip"),
        *("x_envoy_external_address", "x_amzn_trace_id", "cloudfront_viewer_address", "x_cloud_trace_context"),
        *("traceparent", "client_ip", "proxy_connection", "max_forwards", "early_data", "x_of_a_proxy_of_next_year"),
        *("ssl_client_verify", "remote_user", "hostess", "xsec_fetch_mode"),
    ],
)
async def test_what_a_proxy_on_this_machine_passes_on_is_not_from_this_machine(header: str) -> None:
    name = header.replace("_", "-")
    with pytest.raises(Forbidden, match=rf"without a proxy, or configure another auth\.scheme.*: .* header '{name}'"):
        await Anonymous().authenticate(request_from("127.0.0.1", host="localhost", **{header: "127.0.0.1"}))


async def test_http_1_0_is_what_proxies_speak() -> None:
    request = replace(request_from("127.0.0.1", host="localhost"), http_version="1.0")
    with pytest.raises(Forbidden, match=r"without a proxy.* this is HTTP/1\.0"):
        await Anonymous().authenticate(request)


CLIENTS = {
    "curl": "host user-agent accept content-type content-length",
    "Chromium": "host connection content-length sec-ch-ua-platform user-agent sec-ch-ua content-type sec-ch-ua-mobile "
    "accept origin sec-fetch-site sec-fetch-mode sec-fetch-dest referer accept-encoding accept-language cookie",
    "Firefox": "host user-agent accept accept-language accept-encoding referer content-type content-length origin "
    "connection sec-fetch-dest sec-fetch-mode sec-fetch-site sec-gpc dnt priority pragma cache-control te",
    "Node": "host connection content-type accept accept-language sec-fetch-mode user-agent accept-encoding "
    "content-length",
    "Python": "accept-encoding content-type content-length host user-agent connection",
    "Java": "connection content-length host http2-settings upgrade user-agent content-type",
    "Android's web view": "host connection content-length x-requested-with user-agent content-type accept origin",
    "one with a key that nobody asks for": "host authorization x-api-key content-type transfer-encoding expect",
}


@pytest.mark.parametrize("names", CLIENTS.values(), ids=CLIENTS)
async def test_what_clients_send_of_themselves_is_welcome(names: str) -> None:
    fields = dict.fromkeys(names.split(), "x") | {"host": "localhost:8080"}
    assert await Anonymous().authenticate(request_from("127.0.0.1", **fields)) is not None


@pytest.mark.parametrize(
    "name", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "[::2]", "", "192.0.2.1:8080"]
)
async def test_a_page_that_rebinds_its_name_to_loopback_gets_nothing(name: str) -> None:
    with pytest.raises(Forbidden, match=r"http://127\.0\.0\.1 or http://localhost .*another auth\.scheme"):
        await Anonymous().authenticate(request_from("127.0.0.1", host=name))


def test_the_scheme_is_for_loopback_only() -> None:
    [spec] = register_auth_schemes()
    assert spec.loopback_only
