"""Labels: short texts by which tenants find their things again."""

from __future__ import annotations

from rota.domain.errors import InvalidError

MAX_LABELS = 64
MAX_LABEL_LENGTH = 63


def check_labels(labels: dict[str, str]) -> None:
    """Raises InvalidError naming the label; keys and values have at most 63 characters."""
    if len(labels) > MAX_LABELS:
        raise InvalidError(f"at most {MAX_LABELS} labels", "labels")
    for key, value in labels.items():
        if not 1 <= len(key) <= MAX_LABEL_LENGTH or not key.isprintable():
            raise InvalidError("a label's key must have 1 to 63 printable characters", f"labels.{key[:80]}")
        if len(value) > MAX_LABEL_LENGTH or not value.isprintable():
            raise InvalidError("a label must have at most 63 printable characters", f"labels.{key}")
