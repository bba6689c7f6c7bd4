"""Payloads and results: JSON that Rota carries."""

from __future__ import annotations

from typing import NewType

Json = NewType("Json", str)
"""A JSON text. The domain looks into one only where a job's concurrency key points."""
