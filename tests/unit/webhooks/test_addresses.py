"""Which addresses a receiver may have."""

from __future__ import annotations

import pytest

from rota.infrastructure.webhooks.addresses import ForbiddenAddressError, check_public, is_public


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.1",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001:830::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_an_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("0.0.0.0", id="unspecified"),
        pytest.param("0.1.2.3", id="this network"),
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("127.255.255.254", id="all of loopback"),
        pytest.param("10.0.0.1", id="private 10"),
        pytest.param("172.16.0.1", id="private 172, first"),
        pytest.param("172.31.255.255", id="private 172, last"),
        pytest.param("192.168.0.1", id="private 192"),
        pytest.param("169.254.169.254", id="cloud metadata"),
        pytest.param("168.63.129.16", id="Azure host"),
        pytest.param("100.64.0.1", id="CGNAT, first"),
        pytest.param("100.127.255.255", id="CGNAT, last"),
        pytest.param("192.0.0.192", id="protocol assignments"),
        pytest.param("192.0.2.1", id="documentation"),
        pytest.param("192.88.99.1", id="6to4 relay"),
        pytest.param("198.18.0.1", id="benchmarks"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("239.255.255.250", id="multicast, site"),
        pytest.param("240.0.0.1", id="reserved"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("::", id="unspecified, 6"),
        pytest.param("::1", id="loopback, 6"),
        pytest.param("fc00::1", id="ULA"),
        pytest.param("fd00:ec2::254", id="ULA, cloud metadata"),
        pytest.param("fe80::1", id="link-local, 6"),
        pytest.param("fe80::1%1", id="link-local with a zone"),
        pytest.param("fec0::1", id="site-local"),
        pytest.param("ff02::1", id="multicast, 6"),
        pytest.param("2001:db8::1", id="documentation, 6"),
        pytest.param("3fff::1", id="documentation, 6, newer"),
        pytest.param("2001::1", id="Teredo"),
        pytest.param("100::1", id="discard"),
        pytest.param("::ffff:127.0.0.1", id="mapped loopback"),
        pytest.param("::ffff:a9fe:a9fe", id="mapped metadata"),
        pytest.param("::ffff:224.0.0.1", id="mapped multicast"),
        pytest.param("::127.0.0.1", id="compatible loopback"),
        pytest.param("::ffff:0:127.0.0.1", id="translated loopback"),
        pytest.param("64:ff9b::7f00:1", id="NAT64 loopback"),
        pytest.param("64:ff9b::a9fe:a9fe", id="NAT64 metadata"),
        pytest.param("64:ff9b:1::808:808", id="NAT64 of a local network"),
        pytest.param("2002:7f00:1::", id="6to4 loopback"),
        pytest.param("2002:a00:1::1", id="6to4 private"),
    ],
)
def test_an_address_inside_is_not_public_however_it_is_wrapped(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("text", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.1.", "localhost", ""])
def test_what_is_not_the_usual_text_of_an_address_is_refused(text: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        check_public(text)
