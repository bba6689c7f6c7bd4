"""Where a program's token is kept."""

import os
from pathlib import Path


def kept_token() -> str | None:
    """ROTA_TOKEN, or else what the file named by ROTA_TOKEN_FILE holds: an orchestrator mounts a secret as a file.

    None if neither is set. Raises ValueError for a file that cannot be read or is empty.
    """
    if token := os.environ.get("ROTA_TOKEN"):
        return token
    file = os.environ.get("ROTA_TOKEN_FILE")
    if not file:
        return None
    try:
        token = Path(file).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ValueError(f"ROTA_TOKEN_FILE: {error}") from error
    if not token:
        raise ValueError(f"ROTA_TOKEN_FILE: {file} is empty")
    return token
