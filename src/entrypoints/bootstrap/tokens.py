"""Who signs tokens, and who is believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from rota.application.ports.tokens import SCOPES, Tokens
from rota.entrypoints.settings import Settings, SettingsError, default_data_dir
from rota.entrypoints.web_client import WebClient
from rota.infrastructure.tokens.jwks import JwksTokens
from rota.infrastructure.tokens.own import OwnTokens, SigningKey
from rota.infrastructure.tokens.rules import Rules

YEAR = timedelta(days=365)
JWKS_TIMEOUT = 5.0


def issue_token(data_dir: Path | None, settings: Settings, tenant: str, scopes: Sequence[str], ttl: int) -> str:
    """Signed by the key of the data directory, which is made if there is none. Raises InvalidError."""
    key = _key(data_dir or settings.rota_data_dir or default_data_dir())
    return key.issue(tenant, scopes, timedelta(seconds=ttl))


def development_token(data_dir: Path, tenant: str) -> str:
    """All scopes, a year long."""
    return _key(data_dir).issue(tenant, SCOPES, YEAR)


@asynccontextmanager
async def tokens(settings: Settings) -> AsyncIterator[Tokens]:
    """Another issuer's keys where JWKS_URL names them, kept fresh; else the data directory's own."""
    if not settings.jwks_url:
        yield OwnTokens(_key(settings.rota_data_dir or default_data_dir()))
        return
    rules = Rules(
        issuer=settings.jwt_issuer or None,
        audience=settings.jwt_audience or None,
        tenant_claim=settings.tenant_claim,
    )
    async with WebClient(timeout=JWKS_TIMEOUT, follow_redirects=False) as client:
        theirs = JwksTokens(settings.jwks_url, rules, client)
        fresh = asyncio.create_task(theirs.keep_fresh())
        try:
            yield theirs
        finally:
            fresh.cancel()


def _key(data_dir: Path) -> SigningKey:
    try:
        return SigningKey.kept_in(data_dir)
    except ValueError as error:
        raise SettingsError(f"ROTA_DATA_DIR: {error}") from error
