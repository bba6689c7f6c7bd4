"""What a token must be and say to be believed, whoever signed it (RFC 7519, RFC 8725).

A header may name the algorithm, the key and the type, and no more: a token that brings its own key or
says where to find one (`jwk`, `jku`, `x5u`, `x5c`), or asks for extensions (`crit`), is refused unread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry, deserialize_compact
from joserfc.registry import JWS_HEADER_REGISTRY
from joserfc.util import urlsafe_b64decode

from rota.application.ports.tokens import ANY_TENANT, Claims
from rota.domain.errors import InvalidError, UnauthenticatedError
from rota.domain.ids import tenant_id

LONGEST: Final = 16 * 1024
SKEW: Final = 5.0
"""Seconds that the clock of whoever signs may be ahead of ours, for `nbf`. None are given on `exp`."""

_TYPES: Final = frozenset({"jwt", "at+jwt"})

KEY_TYPES: Final[Mapping[str, str]] = {
    "ES256": "EC",
    "ES384": "EC",
    "ES512": "EC",
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "PS256": "RSA",
    "PS384": "RSA",
    "PS512": "RSA",
    "EdDSA": "OKP",
    "Ed25519": "OKP",
}
"""Every algorithm that is ever accepted, and the type of its key: never `none`, never a shared secret."""


class _Registry(JWSRegistry):
    """joserfc's algorithms, cut down to ours; it warns of EdDSA's old name, which issuers still use."""

    def __init__(self) -> None:
        super().__init__(algorithms=KEY_TYPES)
        self.header_registry = {name: JWS_HEADER_REGISTRY[name] for name in ("alg", "kid", "typ", "x5t", "x5t#S256")}

    def get_alg(self, name: str) -> Any:  # Any: joserfc's model of an algorithm is not public
        return self.algorithms[name]


_REGISTRY = _Registry()


@dataclass(frozen=True, slots=True)
class Header:
    alg: str
    kid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`issuer` and `audience` None are not asked for."""

    issuer: str | None = None
    audience: str | None = None
    tenant_claim: str = "tenant"


def read_header(token: str) -> Header:
    """Of a token not yet believed. Raises UnauthenticatedError."""
    if len(token) > LONGEST:
        raise UnauthenticatedError("the token is too long")
    try:
        header = orjson.loads(urlsafe_b64decode(token.partition(".")[0].encode("ascii")))
    except ValueError as error:
        raise UnauthenticatedError("the token is not a signed JWT") from error
    if not isinstance(header, dict) or header.keys() - _REGISTRY.header_registry.keys():
        raise UnauthenticatedError("the token's header is not acceptable")
    alg, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(alg, str) or alg not in KEY_TYPES:
        raise UnauthenticatedError("the token's algorithm is not acceptable")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise UnauthenticatedError("the token's type is not acceptable")
    if kid is not None and not isinstance(kid, str):
        raise UnauthenticatedError("the token's header is not acceptable")
    return Header(alg, kid)


def signed_by(key: Key, token: str) -> Mapping[str, Any]:  # Any: JSON
    """The claims, once the signature is proven. Raises UnauthenticatedError."""
    try:
        claims = orjson.loads(deserialize_compact(token, key, registry=_REGISTRY).payload or b"")
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise UnauthenticatedError("the token's signature is not valid") from error
    if not isinstance(claims, dict):
        raise UnauthenticatedError("the token holds no claims")
    return claims


def judge(claims: Mapping[str, Any], rules: Rules, now: float) -> tuple[Claims, float]:
    """What the claims come to, and until when. Raises UnauthenticatedError."""
    expires = _number(claims, "exp")
    if expires is None:
        raise UnauthenticatedError("the token never expires")
    check_time(expires, now)
    not_before = _number(claims, "nbf")
    if not_before is not None and not_before > now + SKEW:
        raise UnauthenticatedError("the token is not valid yet")
    if rules.issuer is not None and claims.get("iss") != rules.issuer:
        raise UnauthenticatedError("the token is from another issuer")
    if rules.audience is not None and rules.audience not in _audience(claims):
        raise UnauthenticatedError("the token is for another audience")
    return Claims(_tenant(claims.get(rules.tenant_claim)), _scopes(claims.get("scope", ""))), expires


def check_time(expires: float, now: float) -> None:
    if now >= expires:
        raise UnauthenticatedError("the token has expired")


def _number(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UnauthenticatedError(f"the token's {name} is not a time")
    return float(value)


def _audience(claims: Mapping[str, Any]) -> list[object]:
    said = claims.get("aud")
    return said if isinstance(said, list) else [said]


def _tenant(said: object) -> str:
    if said == ANY_TENANT:
        return ANY_TENANT
    try:
        return tenant_id(said if isinstance(said, str) else "")
    except InvalidError as error:
        raise UnauthenticatedError("the token names no tenant") from error


def _scopes(said: object) -> frozenset[str]:
    if not isinstance(said, str):
        raise UnauthenticatedError("the token's scope is not a text")
    return frozenset(said.split())
