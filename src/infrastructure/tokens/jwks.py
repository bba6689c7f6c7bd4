"""Tokens of an issuer that publishes its keys (JWKS_URL).

    no keys yet ──fetched──> fresh ──`max_age` without a fetch──> stale
                               ^                                    │
                               └──────────────fetched───────────────┘

Fresh keys serve, also while the endpoint is down. Without keys, or with stale ones, nobody is believed: the answer
is that it cannot be told. Keys are fetched every `refresh_every` by `keep_fresh`, and sooner when a token names a key
that is not known; but never twice within `cool_down`, whoever asks. A key that is gone from the list is gone here
with the next fetch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import httpx
import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from rota.application.ports.tokens import Claims
from rota.domain.errors import UnauthenticatedError, UnavailableError
from rota.infrastructure.tokens.believed import BelievedTokens
from rota.infrastructure.tokens.rules import KEY_TYPES, Header, Rules, judge, read_header, signed_by

log = structlog.get_logger()

LONGEST_LIST: Final = 512 * 1024
FEWEST_RSA_BITS: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """In seconds. `timeout` is for one whole fetch."""

    refresh_every: float = 300.0
    cool_down: float = 30.0
    max_age: float = 3600.0
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class _Ring:
    """The keys as they were fetched, and what they have signed."""

    keys: tuple[Key, ...]
    fetched_at: float
    believed: BelievedTokens = field(default_factory=BelievedTokens)

    def find(self, header: Header) -> Key | None:
        """The one key that is named; a token that names none is for the only key that it can be."""
        fitting = [key for key in self.keys if _fits(key, header.alg) and header.kid in (None, key.kid)]
        return fitting[0] if len(fitting) == 1 or (fitting and header.kid is not None) else None


class JwksTokens:
    """`now` is in seconds since 1970; `monotonic` and `pause` measure the pace."""

    def __init__(
        self,
        url: str,
        rules: Rules,
        client: httpx.AsyncClient,
        *,
        pace: Pace | None = None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = url
        self._rules = rules
        self._client = client
        self._pace = pace or Pace()
        self._now = now
        self._monotonic = monotonic
        self._pause = pause
        self._ring: _Ring | None = None
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    async def verify(self, token: str) -> Claims:
        now = self._now()
        ring = self._fresh()
        if ring and (known := ring.believed.find(token, now)):
            return known
        header = read_header(token)
        ring, key = await self._find(ring, header)
        claims, expires = judge(signed_by(key, token), self._rules, now)
        ring.believed.keep(token, claims, expires)
        return claims

    async def keep_fresh(self) -> None:
        """Runs until it is cancelled."""
        while True:
            was_fetched = await self.refresh()
            await self._pause(self._pace.refresh_every if was_fetched else self._pace.cool_down)

    async def refresh(self) -> bool:
        """Fetches the keys, unless that was tried within the cool-down; whether they came with the last try."""
        async with self._asking:
            started = self._monotonic()
            if self._asked_at is None or started - self._asked_at >= self._pace.cool_down:
                self._asked_at = started
                try:
                    self._ring = _Ring(await self._fetch(), started)
                except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
                    log.warning("jwks_not_fetched", error=repr(error))
            return self._ring is not None and self._ring.fetched_at == self._asked_at

    async def _find(self, ring: _Ring | None, header: Header) -> tuple[_Ring, Key]:
        key = ring.find(header) if ring else None
        if key is None:
            await self.refresh()
            ring = self._fresh()
            key = ring.find(header) if ring else None
        if ring is None:
            raise UnavailableError("the keys to verify tokens cannot be fetched", retry_after=self._pace.cool_down)
        if key is None:
            raise UnauthenticatedError("the token is signed by a key that is not known")
        return ring, key

    def _fresh(self) -> _Ring | None:
        ring = self._ring
        return ring if ring and self._monotonic() - ring.fetched_at < self._pace.max_age else None

    async def _fetch(self) -> tuple[Key, ...]:
        """Raises httpx.HTTPError, TimeoutError or ValueError; a redirect is an error too."""
        content = bytearray()
        async with (
            asyncio.timeout(self._pace.timeout),
            self._client.stream("GET", self._url, follow_redirects=False) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"status {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > LONGEST_LIST:
                    raise ValueError("the list of keys is too long")
        return _read_keys(bytes(content))


def _read_keys(content: bytes) -> tuple[Key, ...]:
    """The keys that can sign tokens; others on the list are passed over. Raises ValueError if there is none."""
    said = orjson.loads(content)
    listed = said.get("keys") if isinstance(said, dict) else None
    keys = tuple(_usable(listed)) if isinstance(listed, list) else ()
    if not keys:
        raise ValueError("no usable key on the list")
    return keys


def _usable(listed: Iterable[object]) -> Iterable[Key]:
    for said in listed:
        if not isinstance(said, dict) or said.get("kty") not in KEY_TYPES.values() or said.get("use", "sig") != "sig":
            continue
        try:
            key = JWKRegistry.import_key(said)
            key.ensure_kid()
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("jwk_not_usable", kid=str(said.get("kid"))[:100], error=repr(error))
            continue
        if not (isinstance(key.public_key, RSAPublicKey) and key.public_key.key_size < FEWEST_RSA_BITS):
            yield key


def _fits(key: Key, alg: str) -> bool:
    return key.key_type == KEY_TYPES[alg] and key.alg in (None, alg)
