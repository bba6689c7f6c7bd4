"""/asyncapi.json and /asyncapi: what is said on the bus, for programs and for people."""

from __future__ import annotations

import re

import httpx
from tests.unit.http.conftest import Served


async def test_the_document_is_there_for_readers(acme: httpx.AsyncClient) -> None:
    answer = await acme.get("/asyncapi.json")

    assert (answer.status_code, answer.json()["asyncapi"]) == (200, "3.0.0")


async def test_the_page_is_there_for_everybody_and_needs_nothing_from_elsewhere(served: Served) -> None:
    async with served.client(None) as anybody:
        answer = await anybody.get("/asyncapi")

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r'src=|<script|<link|url\(|href="[^#/]', answer.text)
    assert 'href="/api/v1/asyncapi.json"' in answer.text
    assert "scheduler.run.{event}.{tenant}" in answer.text


async def test_every_link_of_the_page_leads_somewhere(served: Served) -> None:
    async with served.client(None, base="") as anybody:
        page = (await anybody.get("/asyncapi")).text

    assert {link for link in re.findall(r'href="#([^"]+)"', page)} <= set(re.findall(r'id="([^"]+)"', page))
