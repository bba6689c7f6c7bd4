"""Whom a client asks, as whom, and how patiently."""

from __future__ import annotations

import os
from typing import Final

from rota.entrypoints.sdk.token import kept_token

PREFIX: Final = "/api/v1"
TIMEOUT: Final = 10.0
"""Seconds of silence after which a try has failed."""
PATIENCE: Final = 30.0
"""Seconds over which a call is tried again."""


def whom_to_ask(url: str | None, token: str | None, tenant: str | None) -> tuple[str, dict[str, str]]:
    """The API's address, and the headers of every call. Raises ValueError when nobody says where to go and as whom."""
    url, token = url or os.environ.get("ROTA_URL"), token or kept_token()
    if not url or not token:
        raise ValueError("give url and token, or set ROTA_URL and ROTA_TOKEN (or ROTA_TOKEN_FILE)")
    headers = {"Authorization": f"Bearer {token}"} | ({"X-Tenant-Id": tenant} if tenant else {})
    return f"{url.rstrip('/')}{PREFIX}", headers
