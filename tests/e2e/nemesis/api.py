"""The HTTP API as a careful client uses it while things break: what got no answer is unknown, not refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx

PATIENCE = 0.25


class ApiError(Exception):
    """The server refused what a client may expect to be accepted."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Api:
    """Goes on to the next server when one does not answer."""

    def __init__(self, urls: Sequence[str], token: str) -> None:
        self._urls = list(urls)
        self._http = httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=3.0)
        self.unknown = 0
        self.unavailable = 0
        self.wrong: list[str] = []
        """Answers that do not keep the contract, though no one need be refused by them."""

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:  # Any: JSON
        """The answer's body ({} if it has none); None where nobody knows whether it was done, or it was not done now.

        Raises ApiError for every answer that says that the question was wrong.
        """
        answer = await self._send(method, path, body)
        if answer is None:
            self.unknown += 1
        elif answer.status_code in (429, 503):
            self.unavailable += 1
            if "Retry-After" not in answer.headers:
                self.wrong.append(f"{method} {path}: {answer.status_code} without Retry-After")
        elif answer.status_code >= 400:
            raise ApiError(f"{method} {path} {body}: {answer.status_code} {answer.text[:500]}", answer.status_code)
        else:
            return answer.json() if answer.content else {}
        self._urls.append(self._urls.pop(0))
        return None

    async def insist(self, method: str, path: str, body: Any = None, *, within: float = 30.0) -> Any:  # Any: JSON
        """Asks again until it is answered; only for what may be done twice. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while (answer := await self.ask(method, path, body)) is None:
                await asyncio.sleep(PATIENCE)
        return answer

    async def _send(self, method: str, path: str, body: Any) -> httpx.Response | None:  # Any: JSON
        try:
            return await self._http.request(method, f"{self._urls[0]}/api/v1{path}", json=body)
        except httpx.TransportError:
            return None
