"""Tokens that Rota signs itself, with a key it makes once."""

from __future__ import annotations

import math
import os
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from rota.application.ports.tokens import ANY_TENANT, SCOPES, Claims
from rota.domain.errors import InvalidError, UnauthenticatedError
from rota.domain.ids import tenant_id
from rota.infrastructure.tokens.believed import BelievedTokens
from rota.infrastructure.tokens.rules import Rules, judge, read_header, signed_by

FILE: Final = "signing-key.json"
ALGORITHM: Final = "ES256"
ISSUER: Final = "rota"

_RULES = Rules(issuer=ISSUER)


class SigningKey:
    """An ES256 key. `kid` is its thumbprint (RFC 7638)."""

    def __init__(self, key: ECKey) -> None:
        self.key = key
        self.kid = key.thumbprint()

    @classmethod
    def kept_in(cls, directory: Path) -> SigningKey:
        """The key of that directory; made at first, by one of all who ask at the same time.

        Raises ValueError if the file there is not such a key.
        """
        path = directory / FILE
        if not path.exists():
            _keep(path, orjson.dumps(ECKey.generate_key("P-256").as_dict(private=True)))
        try:
            key = ECKey.import_key(orjson.loads(path.read_bytes()))
            if key.is_private and key.curve_name == "P-256":
                return cls(key)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} is not a signing key") from error
        raise ValueError(f"{path} is not a signing key")

    def issue(self, tenant: str, scopes: Iterable[str], ttl: timedelta, *, now: float | None = None) -> str:
        """A token for `tenant`, which may be "*". Raises InvalidError; `now` is in seconds since 1970."""
        wanted = list(scopes)
        if unknown := [scope for scope in wanted if scope not in SCOPES]:
            raise InvalidError(f"unknown: {unknown[0]!r}; there are {', '.join(SCOPES)}", "scope")
        if ttl <= timedelta(0):
            raise InvalidError("must be more than 0", "ttl")
        issued = time.time() if now is None else now
        claims = {
            "iss": ISSUER,
            "tenant": tenant if tenant == ANY_TENANT else tenant_id(tenant),
            "scope": " ".join(wanted),
            "iat": int(issued),
            "exp": math.ceil(issued + ttl.total_seconds()),
            "jti": secrets.token_urlsafe(12),
        }
        return jwt.encode({"alg": ALGORITHM, "kid": self.kid}, claims, self.key, algorithms=[ALGORITHM])


class OwnTokens:
    """Believes what this one key has signed. `now` is in seconds since 1970."""

    def __init__(self, key: SigningKey, now: Callable[[], float] = time.time) -> None:
        self._key = key
        self._now = now
        self._believed = BelievedTokens()

    async def verify(self, token: str) -> Claims:
        now = self._now()
        if known := self._believed.find(token, now):
            return known
        header = read_header(token)
        if header.alg != ALGORITHM or header.kid != self._key.kid:
            raise UnauthenticatedError("the token is signed by another key")
        claims, expires = judge(signed_by(self._key.key, token), _RULES, now)
        self._believed.keep(token, claims, expires)
        return claims


def _keep(path: Path, content: bytes) -> None:
    """Whole or not at all, and never over a file that somebody else has put there meanwhile."""
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)  # to be passed through: Postgres may live in it too
    new = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        new.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
