"""Names are asked for once, and all of the answer is looked at."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence

import pytest

from rota.infrastructure.webhooks.addresses import ForbiddenAddressError
from rota.infrastructure.webhooks.lookups import SHARE, LookUp, SystemLookUp, on_behalf_of
from rota.infrastructure.webhooks.resolver import CheckedResolver, checked_socket


def answering(*answers: Sequence[str]) -> LookUp:
    """Each time the next answer."""
    left = iter(answers)

    async def look_up(host: str) -> Sequence[str]:
        return next(left)

    return look_up


async def test_the_addresses_that_were_checked_are_those_to_connect_to() -> None:
    resolver = CheckedResolver(answering(["8.8.8.8", "2606:4700:4700::1111"]), allow_private=False)

    found = await resolver.resolve("hooks.example", 443)

    assert [(each["host"], each["port"], each["family"]) for each in found] == [
        ("8.8.8.8", 443, socket.AF_INET),
        ("2606:4700:4700::1111", 443, socket.AF_INET6),
    ]
    assert all(each["hostname"] == "hooks.example" for each in found)


async def test_one_forbidden_address_forbids_the_name() -> None:
    resolver = CheckedResolver(answering(["8.8.8.8", "10.0.0.1"]), allow_private=False)

    with pytest.raises(ForbiddenAddressError):
        await resolver.resolve("hooks.example", 443)


async def test_a_name_that_moves_inside_is_refused_from_then_on() -> None:
    resolver = CheckedResolver(answering(["8.8.8.8"], ["127.0.0.1"]), allow_private=False)
    await resolver.resolve("rebinding.example", 80)

    with pytest.raises(ForbiddenAddressError):
        await resolver.resolve("rebinding.example", 80)


async def test_addresses_inside_are_given_out_where_they_are_allowed() -> None:
    resolver = CheckedResolver(answering(["127.0.0.1"]), allow_private=True)

    assert [each["host"] for each in await resolver.resolve("localhost", 80)] == ["127.0.0.1"]


async def test_a_name_without_addresses_is_an_error() -> None:
    resolver = CheckedResolver(answering([]), allow_private=False)

    with pytest.raises(OSError, match="no address"):
        await resolver.resolve("nobody.example", 80)


def test_no_socket_is_opened_for_an_address_inside() -> None:
    with pytest.raises(ForbiddenAddressError):
        checked_socket((socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 80)))
    with pytest.raises(ForbiddenAddressError):
        checked_socket((socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("::1", 80, 0, 0)))


def test_a_socket_is_opened_for_a_public_address() -> None:
    with checked_socket((socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("8.8.8.8", 80))) as opened:
        assert opened.family is socket.AF_INET


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.1", "localhost"])
async def test_the_system_knows_loopback_in_many_spellings_and_all_are_refused(host: str) -> None:
    look_up = SystemLookUp()

    with pytest.raises(ForbiddenAddressError):
        await CheckedResolver(look_up, allow_private=False).resolve(host, 80)

    look_up.close()


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a\0b.example", "."])
async def test_what_cannot_be_a_name_is_an_error_like_an_unknown_one(host: str) -> None:
    look_up = SystemLookUp()

    with pytest.raises(OSError):  # noqa: PT011  # the system's, whatever it says
        await look_up(host)

    look_up.close()


async def test_the_dead_names_of_one_tenant_do_not_hold_up_another() -> None:
    released = threading.Event()

    def ask(host: str) -> Sequence[str]:
        if host.startswith("dead"):
            released.wait()
        return ["8.8.8.8"]

    async def asked(tenant: str, host: str) -> Sequence[str]:
        on_behalf_of.set(tenant)
        return await look_up(host)

    look_up = SystemLookUp(ask)
    async with asyncio.TaskGroup() as tasks:
        dead = [tasks.create_task(asked("acme", f"dead{number}.example")) for number in range(SHARE * 10)]

        living = await asyncio.wait_for(asked("globex", "alive.example"), 10)

        assert living == ["8.8.8.8"]
        assert not any(each.done() for each in dead)
        released.set()
    look_up.close()
