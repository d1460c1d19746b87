import hashlib

import pytest
from glottis import AuthenticationFailed, AuthRequest, ConfigurationError, Principal, Secret
from glottis.testing import AuthContract
from glottis_auth_keys import ApiKeys, ApiKeysConfig, register_auth_schemes

KEY = "correct-horse-battery"
OTHER = "another-long-enough-key"
DIGEST = Secret(hashlib.sha256(KEY.encode()).hexdigest())
SCHEME = ApiKeys(ApiKeysConfig(keys={"website": DIGEST}, plain_keys={"device": Secret(OTHER)}))


def request_with(**headers: str) -> AuthRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return AuthRequest("POST", "/api/websession/initiate", named, "192.0.2.1")


class TestContract(AuthContract):
    (spec,) = register_auth_schemes()
    settings = ApiKeysConfig(keys={"website": DIGEST}, plain_keys={"device": Secret(OTHER)})
    other_settings = ApiKeysConfig(plain_keys={"website": Secret("a-key-of-another-house")})
    accepted = (request_with(authorization=f"Bearer {KEY}"), request_with(x_api_key=OTHER))
    expired = None
    skewed = None


@pytest.mark.parametrize(
    ("headers", "owner"),
    [
        ({"authorization": f"Bearer {KEY}"}, "website"),
        ({"authorization": f"bearer  {KEY}"}, "website"),
        ({"x_api_key": KEY}, "website"),
        ({"x_api_key": OTHER}, "device"),
    ],
)
async def test_the_owner_of_a_key_is_recognised(headers: dict[str, str], owner: str) -> None:
    assert await SCHEME.authenticate(request_with(**headers)) == Principal(owner)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer "},
        {"authorization": f"Basic {KEY}"},
        {"authorization": KEY},
        {"x_api_key": ""},
        {"x_api_key": KEY[:-1]},
        {"x_api_key": DIGEST.reveal()},
        {"x_api_key": "\udcff\x00é"},
    ],
)
async def test_anything_else_is_nobody(headers: dict[str, str]) -> None:
    with pytest.raises(AuthenticationFailed, match="as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'") as caught:
        await SCHEME.authenticate(request_with(**headers))
    assert KEY[:-1] not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "keys: "),
        ({"keys": {"website": Secret("abc")}}, "keys.website: expected SHA-256 of the key, "),
        ({"keys": {"website": Secret(f"{DIGEST.reveal()}  -")}}, "keys.website: expected SHA-256 of the key, "),
        ({"plain_keys": {"website": Secret("short")}}, "plain_keys.website: "),
        ({"plain_keys": {"w" * 257: Secret(KEY)}}, "plain_keys: a key has a name that cannot be a principal's: "),
        ({"keys": {"a\nb": DIGEST}}, "keys: a key has a name that cannot be a principal's: "),
        ({"keys": {"a": DIGEST}, "plain_keys": {"a": Secret(KEY)}}, "plain_keys.a: "),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(settings: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ApiKeysConfig(**settings)  # type: ignore[arg-type]
    assert str(caught.value).startswith(key)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "KEY", "test"])
def test_keys_that_were_shown_or_mistyped_are_refused(key: str) -> None:
    digest = hashlib.sha256(key.encode()).hexdigest()
    with pytest.raises(ConfigurationError, match=rf"^keys\.website: the hash of '{key}', .* sha256sum'"):
        ApiKeysConfig(keys={"app": DIGEST, "website": Secret(digest.upper())})


def test_settings_do_not_show_their_secrets() -> None:
    assert OTHER not in repr(ApiKeysConfig(plain_keys={"device": Secret(OTHER)}))
