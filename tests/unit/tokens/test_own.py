"""Tokens of Rota's own key."""

from __future__ import annotations

import base64
import hmac
import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from rota.application.ports.tokens import ADMIN, OPERATE, READ, Claims
from rota.domain.errors import InvalidError, UnauthenticatedError
from rota.infrastructure.tokens.own import OwnTokens, SigningKey

NOW = 1_767_225_600.0
HOUR = timedelta(hours=1)

Sign = Callable[..., str]


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey.kept_in(tmp_path)


@pytest.fixture
def tokens(key: SigningKey) -> OwnTokens:
    return OwnTokens(key, lambda: NOW)


@pytest.fixture
def sign(key: SigningKey) -> Sign:
    """A token with a good signature of the right key, whatever it says."""

    def sign(header: dict[str, Any] | None = None, **claims: Any) -> str:
        good = {"iss": "rota", "tenant": "acme", "scope": READ, "exp": NOW + 60}
        said = {name: value for name, value in (good | claims).items() if value is not ...}
        return forge({"alg": "ES256", "kid": key.kid, "typ": "JWT"} | (header or {}), said, key.key)

    return sign


def forge(header: dict[str, Any], claims: object, key: ECKey) -> str:
    """Signed with ES256, whatever the header says: joserfc would refuse to write most of these."""
    signed = part({name: value for name, value in header.items() if value is not ...}) + b"." + part(claims)
    return (signed + b"." + part(JWSRegistry.algorithms["ES256"].sign(signed, key))).decode()


def part(value: object) -> bytes:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


async def test_what_was_issued_is_believed_until_it_expires(key: SigningKey) -> None:
    now = NOW
    tokens = OwnTokens(key, lambda: now)
    token = key.issue("acme", [READ, OPERATE], HOUR, now=NOW)

    assert await tokens.verify(token) == Claims("acme", frozenset({READ, OPERATE}))
    now += 3599
    assert await tokens.verify(token) == Claims("acme", frozenset({READ, OPERATE}))
    now += 1
    with pytest.raises(UnauthenticatedError, match="expired"):
        await tokens.verify(token)


async def test_a_token_may_be_for_all_tenants(key: SigningKey, tokens: OwnTokens) -> None:
    assert (await tokens.verify(key.issue("*", [ADMIN], HOUR, now=NOW))).tenant == "*"


def test_a_short_life_is_not_rounded_to_none(key: SigningKey) -> None:
    token = key.issue("acme", [READ], timedelta(seconds=0.5), now=NOW)

    assert json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["exp"] == NOW + 1


@pytest.mark.parametrize(
    ("tenant", "scope", "ttl", "field"),
    [("Acme", READ, HOUR, "tenantId"), ("acme", "read", HOUR, "scope"), ("acme", READ, timedelta(0), "ttl")],
)
def test_nothing_is_issued_that_would_not_be_believed(
    key: SigningKey, tenant: str, scope: str, ttl: timedelta, field: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        key.issue(tenant, [scope], ttl)

    assert refused.value.faults[0].field == field


async def test_a_good_token_is_good(tokens: OwnTokens, sign: Sign) -> None:
    assert await tokens.verify(sign()) == Claims("acme", frozenset({READ}))
    assert await tokens.verify(sign(scope=...)) == Claims("acme", frozenset())
    assert await tokens.verify(sign({"typ": "at+jwt"}, nbf=NOW + 4)) == Claims("acme", frozenset({READ}))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW},
        {"exp": ...},
        {"exp": None},
        {"exp": str(NOW + 60)},
        {"exp": True},
        {"exp": [NOW + 60]},
        {"nbf": NOW + 60},
        {"nbf": "soon"},
        {"iss": "somebody"},
        {"iss": ...},
        {"iss": ["rota"]},
        {"tenant": ...},
        {"tenant": ""},
        {"tenant": "Acme"},
        {"tenant": "acme' OR 1=1"},
        {"tenant": ["acme"]},
        {"tenant": "x" * 64},
        {"scope": [READ]},
        {"scope": None},
    ],
)
async def test_a_signature_is_not_enough(tokens: OwnTokens, sign: Sign, claims: dict[str, Any]) -> None:
    with pytest.raises(UnauthenticatedError):
        await tokens.verify(sign(**claims))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": "ES256K"},
        {"alg": "es256"},
        {"alg": ["ES256"]},
        {"alg": ...},
        {"kid": ...},
        {"kid": "../../../etc/passwd"},
        {"kid": "' OR 1=1 --"},
        {"kid": 5},
        {"typ": "secevent+jwt"},
        {"typ": 5},
        {"cty": "JWT"},
        {"jwk": {"kty": "EC"}},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MII"]},
        {"crit": ["exp"]},
        {"crit": 5},
        {"b64": False},
        {"zip": "DEF"},
        {"bogus": 1},
    ],
)
async def test_a_header_says_no_more_than_it_may(tokens: OwnTokens, sign: Sign, header: dict[str, Any]) -> None:
    with pytest.raises(UnauthenticatedError):
        await tokens.verify(sign(header))


async def test_a_key_brought_along_is_not_used(tokens: OwnTokens, key: SigningKey) -> None:
    own = ECKey.generate_key("P-256")
    claims = {"iss": "rota", "tenant": "acme", "scope": ADMIN, "exp": NOW + 60}

    for header in ({"kid": key.kid}, {"kid": key.kid, "jwk": own.as_dict(private=False)}, {"kid": own.thumbprint()}):
        with pytest.raises(UnauthenticatedError):
            await tokens.verify(forge({"alg": "ES256", "typ": "JWT"} | header, claims, own))


async def test_the_public_key_is_no_shared_secret(tokens: OwnTokens, key: SigningKey) -> None:
    signed = part({"alg": "HS256", "kid": key.kid}) + b"." + part({"iss": "rota", "tenant": "acme", "exp": NOW + 60})
    for secret in (key.key.as_pem(private=False), key.key.as_der(private=False)):
        signature = part(hmac.digest(secret, signed, "sha256"))
        with pytest.raises(UnauthenticatedError):
            await tokens.verify((signed + b"." + signature).decode())


@pytest.mark.parametrize("claims", [b"not JSON", b"[]", b"5", b'{"exp": NaN}', b'{"exp": 1e400}', b"\xff"])
async def test_claims_must_be_an_object(tokens: OwnTokens, key: SigningKey, claims: bytes) -> None:
    with pytest.raises(UnauthenticatedError):
        await tokens.verify(forge({"alg": "ES256", "kid": key.kid, "typ": "JWT"}, claims, key.key))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "....",
        "\x00",
        "å.b.c",
        "e30.e30.",
        "W10.W10.W10",
        "x" * 20_000,
        "[" * 500,
        "bnVsbA.e30.e30",
    ],
)
async def test_what_is_no_token_is_refused(tokens: OwnTokens, token: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await tokens.verify(token)


async def test_a_token_that_was_changed_is_refused(tokens: OwnTokens, key: SigningKey) -> None:
    header, _, signature = key.issue("acme", [READ], HOUR, now=NOW).split(".")
    _, claims, _ = key.issue("globex", [ADMIN], HOUR, now=NOW).split(".")

    for changed in (
        f"{header}.{claims}.{signature}",
        f"{header}.{claims}.",
        f"{header}.{claims}",
        f"{header}.{claims}.AA",
    ):
        with pytest.raises(UnauthenticatedError):
            await tokens.verify(changed)


async def test_a_token_of_good_signature_may_be_too_long(tokens: OwnTokens, sign: Sign) -> None:
    assert await tokens.verify(sign(note="x" * 8_000))
    with pytest.raises(UnauthenticatedError, match="too long"):
        await tokens.verify(sign(note="x" * 16_000))


def test_the_key_is_made_once_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "data"

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: SigningKey.kept_in(directory).kid, range(32)))

    files = list(directory.iterdir())
    assert len(set(made)) == 1
    assert [file.name for file in files] == ["signing-key.json"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_others_may_pass_through_where_the_key_is(tmp_path: Path) -> None:
    """`rota up` keeps its database there, which runs as another user where root starts it."""
    SigningKey.kept_in(tmp_path / "data")

    assert (tmp_path / "data").stat().st_mode & stat.S_IXOTH


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"kty": "oct", "k": "AAAA"}', '{"kty": "EC", "crv": "P-256"}'])
def test_another_file_in_its_place_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "signing-key.json").write_text(content)

    with pytest.raises(ValueError, match="is not a signing key"):
        SigningKey.kept_in(tmp_path)


def test_a_key_that_cannot_sign_is_told(tmp_path: Path) -> None:
    public = ECKey.generate_key("P-256").as_dict(private=False)
    (tmp_path / "signing-key.json").write_text(json.dumps(public))

    with pytest.raises(ValueError, match="is not a signing key"):
        SigningKey.kept_in(tmp_path)
