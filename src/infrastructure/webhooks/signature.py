"""Signatures of Standard Webhooks 1.0, symmetric: HMAC-SHA256 over `id.timestamp.body`, by each active secret."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from standardwebhooks.webhooks import Webhook

from rota.domain.errors import InvalidError

SETTING: Final = "WEBHOOK_HMAC_SECRET"
PREFIX: Final = "whsec_"
MOST_SECRETS: Final = 2
KEY_BYTES: Final = range(24, 65)
"""The standard's: at least 192 bits, at most 512."""


def parse_secrets(text: str) -> tuple[str, ...]:
    """The secrets in a setting, separated by commas or spaces: none, the one, or the new and the old of a rotation.

    Raises InvalidError, which never shows a secret.
    """
    secrets = tuple(re.split(r"[,\s]+", text.strip(", \t\r\n"))) if text.strip(", \t\r\n") else ()
    _keys(secrets)
    return secrets


class Signer:
    """Signs with every secret it has; without one, nothing is signed. Raises InvalidError for a bad secret."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._hooks = [Webhook(key) for key in _keys(secrets)]

    def sign(self, message_id: str, at: datetime, body: str) -> str | None:
        """The value of `webhook-signature`; `at` counts in whole seconds. None without secrets."""
        return " ".join(hook.sign(message_id, at, body) for hook in self._hooks) or None


def _keys(secrets: Sequence[str]) -> list[bytes]:
    if len(secrets) > MOST_SECRETS:
        raise InvalidError(f"at most {MOST_SECRETS} secrets", SETTING)
    return [_key(secret) for secret in secrets]


def _key(secret: str) -> bytes:
    """Stricter than the library, which drops what is not base64 and would sign with a key nobody knows."""
    encoded = secret.removeprefix(PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidError(f"must be base64, with or without {PREFIX} before it", SETTING) from None
    if len(key) not in KEY_BYTES:
        raise InvalidError(f"must be {KEY_BYTES[0]} to {KEY_BYTES[-1]} bytes in base64, not {len(key)}", SETTING)
    return key
