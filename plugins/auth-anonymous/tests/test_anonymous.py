import pytest
from glottis import AuthenticationFailed, AuthRequest, TokenClaims
from glottis_auth_anonymous import Anonymous, register_auth_schemes


def request_from(host: str) -> AuthRequest:
    return AuthRequest("POST", "/api/websession/initiate", {}, host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
async def test_callers_on_this_machine_are_welcome(host: str) -> None:
    principal = await Anonymous().authenticate(request_from(host))
    assert principal is not None
    assert principal.name == "anonymous"


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "10.0.0.1", "0.0.0.0", "2001:db8::1", "::ffff:192.0.2.1", "localhost", ""]
)
async def test_callers_from_elsewhere_are_not(host: str) -> None:
    assert await Anonymous().authenticate(request_from(host)) is None


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
