import asyncio
import ipaddress

import httpx2
import pytest

from acronis_pipeline.crawl.fetching.guard import (
    GuardedTransport,
    HostNotFoundError,
    PrivateAddressError,
    PrivateSite,
    is_public,
    private_site,
)
from acronis_pipeline_tests.crawl.website import Website


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "192.168.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "2002:808:808::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "::8.8.8.8",
        "::ffff:0:8.8.8.8",
        "4000::1",
        "5f00::1",
        "fec0::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "ff0e::1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "192.88.99.1",
        "198.18.0.1",
        "198.51.100.1",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_addresses_that_are_not_routed_in_every_disguise(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


async def _get(url: str, allowed: PrivateSite | None) -> int:
    transport = GuardedTransport(private_site=allowed, max_connections=1)
    async with httpx2.AsyncClient(transport=transport) as client:
        return (await client.get(url)).status_code


def test_a_name_that_resolves_to_a_private_address_is_not_connected_to(site: Website) -> None:
    url = site.url.replace("127.0.0.1", "localhost")
    with pytest.raises(PrivateAddressError, match=r"localhost:\d+ resolves to"):
        asyncio.run(_get(url, None))
    assert not site.requests


def test_only_the_configured_private_site_is_allowed_and_only_at_its_port(site: Website) -> None:
    port = int(site.url.rsplit(":", 1)[1].strip("/"))
    assert asyncio.run(_get(site.url, PrivateSite.at("127.0.0.1", port))) == 404
    with pytest.raises(PrivateAddressError):
        asyncio.run(_get(site.url, PrivateSite.at("localhost", port)))
    for other in (port + 1, 80):
        with pytest.raises(PrivateAddressError, match=r"127\.0\.0\.1"):
            asyncio.run(_get(site.url, PrivateSite.at("127.0.0.1", other)))


def test_a_configured_site_on_a_private_address_is_recognised() -> None:
    assert asyncio.run(private_site("127.0.0.1", 8080)) == PrivateSite("127.0.0.1", frozenset({8080}))
    assert asyncio.run(private_site("127.0.0.1", 80)) == PrivateSite("127.0.0.1", frozenset({80, 443}))
    assert asyncio.run(private_site("93.184.216.34", 80)) is None
    with pytest.raises(HostNotFoundError):
        asyncio.run(private_site("no-such-host.invalid", 80))
