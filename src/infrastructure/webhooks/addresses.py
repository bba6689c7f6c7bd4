"""Which addresses a receiver may have.

A list of what is forbidden is never complete: an operator also gives the process a network without a route inside.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

# `is_global` differs between patch releases of Python and lets multicast pass, so what must be refused in any case
# is named here (IANA's special-purpose registries).
_CLOSED_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # a public number by which Azure's machines reach their host
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_UNICAST_V6: Final = IPv6Network("2000::/3")
"""All that is assigned to the public internet; ULA, link-local, multicast, loopback and the like lie outside."""

_CLOSED_V6: Final = tuple(IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_NAT64: Final = IPv6Network("64:ff9b::/96")


class ForbiddenAddressError(Exception):
    """No OSError on purpose: aiohttp would take it for a failed connection, and try the next address."""


def check_public(address: str) -> None:
    """Raises ForbiddenAddressError for an address inside, and for what is not the usual text of an address."""
    if not is_public(address):
        raise ForbiddenAddressError(address)


def is_public(address: str) -> bool:
    """Whether anyone on the internet could reach it; an IPv4 address wrapped in IPv6 counts as what it wraps."""
    try:
        given = ip_address(address)
    except ValueError:
        return False
    bare = given if isinstance(given, IPv4Address) else _wrapped(given) or given
    return bare.is_global and not _is_closed(bare)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """Out of ::ffff:0:0/96, NAT64 or 6to4. Other ways to wrap lie outside what is assigned."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _is_closed(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in _CLOSED_V4)
    return address not in _UNICAST_V6 or any(address in network for network in _CLOSED_V6)
