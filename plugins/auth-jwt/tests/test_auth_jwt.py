"""Who presents which token is let in as whom, and what is refused says neither token nor key."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from glottis import AuthenticationFailed, AuthRequest, ConfigurationError, Forbidden, Principal, Secret
from glottis.testing import AuthContract
from glottis_auth_jwt import JwtConfig, JwtScheme, register_auth_schemes
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

NOW = 1_800_000_000
SHARED = "a secret that both of them know, and nobody else"
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
OKP = OKPKey.generate_key("Ed25519", {"kid": "okp"})
CLAIMS: dict[str, Any] = {"iss": "https://app.example", "aud": "voice", "sub": "ada", "exp": NOW + 60}
ANY_ALGORITHM = JWSRegistry(algorithms=["HS256", "HS512", "RS256", "RS512", "ES256", "EdDSA", "Ed25519", "none"])

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")


def key_set(*keys: Key, **members: Any) -> bytes:
    return json.dumps({"keys": [{**key.as_dict(private=False), **members} for key in keys]}).encode()


def token(key: Any = EC, algorithm: str = "ES256", kid: str | None = "ec", **changes: Any) -> str:
    """Signed; a claim that is changed to ``...`` is left out."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    header = {"alg": algorithm, **({"kid": kid} if kid else {})}
    return jwt.encode(header, claims, key, registry=ANY_ALGORITHM)


def scheme(
    tmp_path: Any,
    document: bytes = key_set(RSA, EC, OKP),
    clock: Callable[[], float] = lambda: NOW,
    **changes: Any,
) -> JwtScheme:
    path = tmp_path / "jwks.json"
    path.write_bytes(document)
    values = {"issuer": "https://app.example", "audience": "voice", "secrets": {"shared": Secret(SHARED)}, **changes}
    return JwtScheme(JwtConfig(jwks_file=str(path), **values), clock=clock)


def asking(credentials: str, campaign: str | None = "reception") -> AuthRequest:
    headers = {"authorization": credentials}
    return AuthRequest("POST", "/api/websession/initiate", headers, "192.0.2.1", campaign_id=campaign)


def shared_token(seconds: float, secret: str = SHARED, **claims: Any) -> AuthRequest:
    """Of a token that is good for so long from now on."""
    return asking(
        f"Bearer {token(OctKey.import_key(secret), 'HS256', 'shared', exp=int(time.time() + seconds), **claims)}"
    )


@pytest.mark.parametrize("claims", [{}, {"exp": NOW - 600}, {"nbf": NOW + 600}, {"iat": NOW + 600}])
async def test_a_gateway_that_does_not_know_the_time_refuses_or_lets_in_at_any_time(
    claims: dict[str, Any], tmp_path: Any
) -> None:
    refusing, accepting = (scheme(tmp_path, clock=lambda: 70.0, without_clock=word) for word in ("refuse", "accept"))
    assert "does not know the time yet" in await refusal(refusing, token(**claims))
    assert (await accepting.authenticate(asking(f"Bearer {token(**claims)}"))).name == "ada"
    assert "check its claim" in await refusal(accepting, token(**claims, aud="another"))
    assert "check its claim" in await refusal(accepting, token(exp=...))


class TestContract(AuthContract):
    (spec,) = register_auth_schemes()
    settings = JwtConfig(issuer="https://app.example", audience="voice", secrets={"shared": Secret(SHARED)})
    other_settings = JwtConfig(issuer="https://app.example", audience="voice", secrets={"shared": Secret(SHARED[::-1])})
    accepted = (shared_token(3600),)
    expired = (shared_token(-3600),)
    skewed = (shared_token(3600, nbf=int(time.time()) + 10),)


async def refusal(scheme: JwtScheme, text: str, campaign: str | None = "reception") -> str:
    """The sentence, which gives away nothing."""
    with pytest.raises((AuthenticationFailed, Forbidden)) as refused:
        await scheme.authenticate(asking(f"Bearer {text}", campaign))
    assert text not in str(refused.value)
    assert SHARED not in str(refused.value)
    assert refused.value.__cause__ is None
    return str(refused.value).partition("': ")[2] or str(refused.value)


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [
        (RSA, "RS256", "rsa"),
        (EC, "ES256", "ec"),
        (OKP, "EdDSA", "okp"),
        (OKP, "Ed25519", "okp"),
        (OctKey.import_key(SHARED), "HS256", "shared"),
        (EC, "ES256", None),
        (OctKey.import_key(SHARED), "HS256", None),
    ],
)
async def test_subject_of_a_token_is_let_in(key: Any, algorithm: str, kid: str | None, tmp_path: Any) -> None:
    principal = await scheme(tmp_path).authenticate(asking(f"bearer  {token(key, algorithm, kid)}"))
    assert principal == Principal("ada")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW - 31}, "it has expired."),
        ({"exp": NOW + 10, "nbf": NOW + 31}, "check its claim 'nbf'."),
        ({"iat": NOW + 31}, "check its claim 'iat'."),
        ({"exp": ...}, "check its claim 'exp'."),
        ({"exp": "soon"}, "check its claim 'exp'."),
        ({"exp": float("nan")}, "check its claim 'exp'."),
        ({"exp": True}, "check its claim 'exp'."),
        ({"iss": "https://evil.example"}, "check its claim 'iss'."),
        ({"iss": ...}, "check its claim 'iss'."),
        ({"aud": "mail"}, "check its claim 'aud'."),
        ({"aud": ["mail", "news"]}, "check its claim 'aud'."),
        ({"aud": {"voice": 1}}, "check its claim 'aud'."),
        ({"aud": ...}, "check its claim 'aud'."),
        ({"sub": ...}, "its claim 'sub' names nobody in a line."),
        ({"sub": ""}, "its claim 'sub' names nobody in a line."),
        ({"sub": "a\nb"}, "its claim 'sub' names nobody in a line."),
        ({"sub": "a" * 257}, "its claim 'sub' names nobody in a line."),
        ({"campaigns": "reception"}, "its claim 'campaigns' is no list."),
        ({"max_calls": "1"}, "its claim 'max_calls' is no number of calls."),
        ({"max_calls": True}, "its claim 'max_calls' is no number of calls."),
        ({"max_calls": -1}, "its claim 'max_calls' is no number of calls."),
        ({"max_call_time": 0}, "its claim 'max_call_time' is no number of seconds above 0."),
        ({"max_call_time": "600"}, "its claim 'max_call_time' is no number of seconds above 0."),
    ],
)
async def test_claim_that_is_amiss_is_named(changes: dict[str, Any], reason: str, tmp_path: Any) -> None:
    assert await refusal(scheme(tmp_path), token(**changes)) == reason


@pytest.mark.parametrize(
    "changes", [{"exp": NOW - 29}, {"nbf": NOW + 30}, {"iat": NOW + 30}, {"aud": ["mail", "voice"]}]
)
async def test_clocks_may_differ_and_audiences_be_several(changes: dict[str, Any], tmp_path: Any) -> None:
    assert (await scheme(tmp_path).authenticate(asking(f"Bearer {token(**changes)}"))).name == "ada"


async def test_claims_limit_campaigns_and_calls(tmp_path: Any) -> None:
    text = token(campaigns=["reception", "sales"], max_calls=2, max_call_time=600, role="boss", age=7)
    here = scheme(tmp_path, attributes=("role", "age", "none"))
    assert await here.authenticate(asking(f"Bearer {text}")) == Principal("ada", {"role": "boss"}, 2, 600)
    assert await here.authenticate(asking(f"Bearer {text}", None)) == Principal("ada", {"role": "boss"}, 2, 600)
    assert await refusal(here, text, "support") == "Use a campaign that the claim 'campaigns' of the token lists."
    assert await refusal(here, token(campaigns=[]), "support")


async def test_claims_have_the_names_that_are_configured(tmp_path: Any) -> None:
    here = scheme(
        tmp_path, name_claim="user", campaigns_claim="lines", max_calls_claim="most", max_call_time_claim="long"
    )
    text = token(user="bob", lines=["sales"], most=1, long=0.5, campaigns=[], max_calls=9, max_call_time=9)
    assert await here.authenticate(asking(f"Bearer {text}", "sales")) == Principal("bob", {}, 1, 0.5)


def forged(header: dict[str, Any], signature: bytes = b"x" * 64) -> str:
    parts = (json.dumps(header).encode(), json.dumps(CLAIMS).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def signed_with_the_public_key(**header: str) -> str:
    """As if what everybody can read were a secret (RFC 8725 §2.1)."""
    unsigned, _, _ = forged({"alg": "HS256", **header}).rpartition(".")
    signature = hmac.digest(RSA.as_pem(private=False), unsigned.encode(), "sha256")
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


UNKNOWN = "no key has its 'kid' and algorithm."
FORGERIES = {
    "another key by this kid": (token(ECKey.generate_key("P-256")), "its signature is wrong."),
    "another secret": (token(OctKey.import_key("x" * 32), "HS256", "shared"), "its signature is wrong."),
    "no signature": (forged({"alg": "none"}, b""), "its algorithm is not accepted."),
    "no signature, by a kid": (forged({"alg": "none", "kid": "ec"}, b""), "its algorithm is not accepted."),
    "the public key as a secret": (signed_with_the_public_key(kid="rsa"), UNKNOWN),
    "the same without a kid": (signed_with_the_public_key(), "its signature is wrong."),
    "the key of another algorithm": (token(RSA, "RS256", "ec"), UNKNOWN),
    "an algorithm that nobody has named": (token(RSA, "RS512", "rsa"), "its algorithm is not accepted."),
    "a kid of nobody": (token(kid="other"), UNKNOWN),
    "a kid that is no string": (forged({"alg": "ES256", "kid": ["ec"]}), UNKNOWN),
    "an algorithm that is no string": (forged({"alg": {"ES256": 1}}), "its algorithm is not accepted."),
    "a key of its own": (
        forged({"alg": "ES256", "kid": "ec", "jwk": EC.as_dict(private=False)}),
        "its signature is wrong.",
    ),
    "a rule that must be known": (
        forged({"alg": "ES256", "kid": "ec", "crit": ["b64"], "b64": False}),
        "its signature is wrong.",
    ),
}


@pytest.mark.parametrize(("text", "reason"), FORGERIES.values(), ids=FORGERIES)
async def test_forgery_is_refused(text: str, reason: str, tmp_path: Any) -> None:
    assert await refusal(scheme(tmp_path), text) in (reason, "this is no JSON Web Token.")


async def test_only_algorithms_that_are_configured_count(tmp_path: Any) -> None:
    here = scheme(tmp_path, algorithms=("ES256",))
    assert (await here.authenticate(asking(f"Bearer {token()}"))).name == "ada"
    assert await refusal(here, token(RSA, "RS256", "rsa")) == "its algorithm is not accepted."


@pytest.mark.parametrize("credentials", ["", "Bearer", "Bearer ", "Basic YTpi", token()])
async def test_without_a_token_nobody_is_let_in(credentials: str, tmp_path: Any) -> None:
    with pytest.raises(AuthenticationFailed, match=r"^Send a token that this gateway accepts as .*'\.$"):
        await scheme(tmp_path).authenticate(asking(credentials))


@pytest.mark.parametrize("text", ["x", "a.b.c", "..", "é.é.é", "\udcff", "a" * 8193, "[" * 3000 + "..", token() + "."])
async def test_junk_is_no_token(text: str, tmp_path: Any) -> None:
    assert await refusal(scheme(tmp_path), text) == "this is no JSON Web Token."


@given(
    st.text(max_size=300)
    | st.builds(forged, st.dictionaries(st.text(max_size=5), st.integers() | st.text()), st.binary())
)
@settings(max_examples=50, derandomize=True)
async def test_fuzz_authenticate_refuses_and_raises_nothing_else(text: str) -> None:
    """authenticate raises AuthenticationFailed and nothing else, whatever token it is given."""
    values = {"issuer": "i", "audience": "a", "secrets": {"shared": Secret(SHARED)}}
    with pytest.raises(AuthenticationFailed):
        await JwtScheme(JwtConfig(**values)).authenticate(asking(f"Bearer {text}"))  # type: ignore[arg-type]


WEAK = {
    "kty": "RSA",
    "kid": "rsa",
    "e": "AQAB",
    "n": base64.urlsafe_b64encode((2**1023 + 1).to_bytes(128, "big")).decode(),
}
NEEDED: dict[str, Any] = {"issuer": "i", "audience": "a"}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "jwks_url: expected keys"),
        ({"algorithms": (), "jwks_file": "x"}, "algorithms: expected at least one"),
        ({"secrets": {"a": Secret("short")}}, r"secrets\.a: expected at least 32 bytes"),
        ({"jwks_url": Secret("ftp://app.example")}, "jwks_url: expected a URL"),
        ({"jwks_url": Secret("http://app.example/jwks")}, "jwks_url: expected https"),
        ({"jwks_url": Secret("https://app.example/jwks"), "jwks_file": "x"}, "jwks_file: there is a jwks_url"),
    ],
)
def test_what_could_never_work_is_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{complaint}"):
        JwtConfig(**NEEDED, **settings)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (b"", "expected a JWK set in JSON"),
        (b"[]", "expected a JWK set in JSON"),
        (b"[" * 100_000, "expected a JWK set in JSON"),
        (b"{}", "with a list of keys"),
        (b'{"keys": []}', "expected at least one public key"),
        (
            b'{"keys": [7, {"kty": "EC"}, {"kty": "EC", "crv": "P-256", "x": 1, "y": 2}]}',
            "expected at least one public key",
        ),
        (key_set(EC, use="enc"), "expected at least one public key"),
        (key_set(EC, key_ops=["sign"]), "expected at least one public key"),
        (key_set(EC, alg="ES512"), "expected at least one public key"),
        (json.dumps({"keys": [WEAK]}).encode(), "expected at least one public key"),
        (key_set(ECKey.generate_key("P-521")), "expected at least one public key"),
        (
            json.dumps({"keys": [{"kty": "oct", "k": "aGVsbG8", "alg": "HS256"}]}).encode(),
            "expected at least one public key",
        ),
        (b" " * 300_000, "more than 262144 bytes"),
    ],
)
def test_file_without_usable_keys_is_refused_at_the_start(document: bytes, complaint: str, tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^jwks_file: .*jwks\.json: .*{complaint}"):
        scheme(tmp_path, document)


def test_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^jwks_file: /nowhere/jwks\.json: cannot be read: No such file"):
        JwtScheme(JwtConfig(**NEEDED, jwks_file="/nowhere/jwks.json"))
