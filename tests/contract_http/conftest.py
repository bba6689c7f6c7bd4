"""One real `rota up` for every test here; each test has a tenant of its own, and so the whole API to itself."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from tests.e2e.test_up import Up, a_directory, an_up, one_line, rota

Json = Any
ALL = ("scheduler:read", "scheduler:operate", "scheduler:admin")


class Caller(httpx.Client):
    """Somebody with a token, who says what he expects."""

    def gets(self, path: str, status: int = 200, **params: Json) -> Json:
        return expect(self.get(path, params=params), status)

    def posts(self, path: str, body: Json = None, status: int = 201, **headers: str) -> Json:
        return expect(self.post(path, json=body, headers=headers) if body is not None else self.post(path), status)

    def patches(self, path: str, body: Json, status: int = 200) -> Json:
        return expect(self.patch(path, json=body), status)


def expect(answer: httpx.Response, status: int) -> Json:
    """The body of an answer with that status; None where there is none."""
    assert answer.status_code == status, answer.text
    kind = "application/problem+json" if status >= 400 else "application/json"
    if status != 204:
        assert answer.headers["content-type"] == kind
    return answer.json() if answer.content else None


def faults(problem: Json) -> dict[str, str]:
    """What a problem document says of each field."""
    return {fault["field"]: fault["message"] for fault in problem["errors"]}


@pytest.fixture(scope="session")
def up() -> Iterator[Up]:
    with a_directory() as directory, an_up(directory) as up:
        yield up


@pytest.fixture(scope="session")
def a_token(up: Up) -> Callable[..., str]:
    """Makes one for a tenant, with these scopes."""

    def make(tenant: str, *scopes: str) -> str:
        asked = [word for scope in scopes or ALL for word in ("--scope", scope)]
        made = rota("token", "--tenant", tenant, *asked, "--data-dir", str(up.data_dir), cwd=up.data_dir.parent)
        return one_line(made.stdout)

    return make


@pytest.fixture(scope="session")
def everybodys_token(a_token: Callable[..., str]) -> str:
    return a_token("*")


@pytest.fixture(scope="session")
def a_caller(up: Up) -> Iterator[Callable[..., Caller]]:
    """Somebody who calls below the prefix, or where it is said."""
    callers: list[Caller] = []

    def make(token: str | None, base: str = "/api/v1", **headers: str) -> Caller:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        callers.append(Caller(base_url=up.ready["url"] + base, headers=headers, timeout=20))
        return callers[-1]

    yield make
    for caller in callers:
        caller.close()


@pytest.fixture
def tenant() -> str:
    """A new one."""
    return f"t-{secrets.token_hex(6)}"


@pytest.fixture
def api(a_caller: Callable[..., Caller], everybodys_token: str, tenant: str) -> Caller:
    """The new tenant, with all scopes, below the prefix."""
    return a_caller(everybodys_token, **{"X-Tenant-Id": tenant})


@pytest.fixture
def root(a_caller: Callable[..., Caller], everybodys_token: str, tenant: str) -> Caller:
    """The same tenant, without the prefix."""
    return a_caller(everybodys_token, base="", **{"X-Tenant-Id": tenant})


@pytest.fixture
def job(api: Caller) -> Json:
    """A job of the tenant, named `reports.daily`."""
    return api.posts("/jobs", {"name": "reports.daily"})


def a_schedule(name: str = "daily", **more: Json) -> Json:
    return {
        "name": name,
        "tz": "UTC",
        "trigger": {"type": "CRON", "cron": "0 9 * * *"},
        "target": {"kind": "JOB", "job": "reports.daily"},
    } | more
