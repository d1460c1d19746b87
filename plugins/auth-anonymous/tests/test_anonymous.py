import pytest
from glottis import AuthenticationFailed, AuthRequest, Forbidden, TokenClaims
from glottis_auth_anonymous import Anonymous, register_auth_schemes


def request_from(client_host: str, **headers: str) -> AuthRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return AuthRequest("POST", "/api/websession/initiate", named, client_host)


@pytest.mark.parametrize("client_host", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("name", ["127.0.0.1:8080", "localhost", "LocalHost:8080", "[::1]:8080", "[::1]"])
async def test_callers_on_this_machine_are_welcome(client_host: str, name: str) -> None:
    principal = await Anonymous().authenticate(request_from(client_host, host=name))
    assert principal is not None
    assert principal.name == "anonymous"


@pytest.mark.parametrize("client_host", ["192.0.2.1", "10.0.0.1", "0.0.0.0", "2001:db8::1", "::ffff:192.0.2.1", ""])
async def test_callers_from_elsewhere_are_not(client_host: str) -> None:
    with pytest.raises(Forbidden, match=r"own machine, or configure another auth\.scheme"):
        await Anonymous().authenticate(request_from(client_host))


@pytest.mark.parametrize("header", ["forwarded", "x_forwarded_for", "x_real_ip"])
async def test_what_a_proxy_on_this_machine_passes_on_is_not_from_this_machine(header: str) -> None:
    with pytest.raises(Forbidden, match=r"without a proxy, or configure another auth\.scheme"):
        await Anonymous().authenticate(request_from("127.0.0.1", host="localhost", **{header: "127.0.0.1"}))


@pytest.mark.parametrize("name", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "[::2]", ""])
async def test_a_page_that_rebinds_its_name_to_loopback_gets_nothing(name: str) -> None:
    with pytest.raises(Forbidden, match=r"http://127\.0\.0\.1 or http://localhost .*another auth\.scheme"):
        await Anonymous().authenticate(request_from("127.0.0.1", host=name))


def test_tokens_are_those_of_one_process() -> None:
    claims = TokenClaims("session", "", 100.0, "nonce")
    scheme = Anonymous()
    token = scheme.issue(claims)
    assert scheme.verify(token, 99.0) == claims
    with pytest.raises(AuthenticationFailed):
        Anonymous().verify(token, 99.0)


def test_the_scheme_is_for_loopback_only() -> None:
    [spec] = register_auth_schemes()
    assert spec.loopback_only
