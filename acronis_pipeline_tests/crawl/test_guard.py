import asyncio
import ipaddress

import httpx2
import pytest

from acronis_pipeline.crawl.fetching.guard import (
    GuardedTransport,
    HostNotFoundError,
    PrivateAddressError,
    is_public,
    private_host,
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
    ],
)
def test_private_addresses_in_every_disguise(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


async def _get(url: str, allowed: str | None) -> int:
    transport = GuardedTransport(private_host=allowed, max_connections=1)
    async with httpx2.AsyncClient(transport=transport) as client:
        return (await client.get(url)).status_code


def test_a_name_that_resolves_to_a_private_address_is_not_connected_to(site: Website) -> None:
    url = site.url.replace("127.0.0.1", "localhost")
    with pytest.raises(PrivateAddressError, match="localhost resolves to"):
        asyncio.run(_get(url, None))
    assert not site.requests


def test_only_the_configured_private_host_is_allowed(site: Website) -> None:
    assert asyncio.run(_get(site.url, "127.0.0.1")) == 404
    with pytest.raises(PrivateAddressError):
        asyncio.run(_get(site.url, "localhost"))


def test_a_configured_site_on_a_private_address_is_recognised() -> None:
    assert asyncio.run(private_host("127.0.0.1", 80)) == "127.0.0.1"
    assert asyncio.run(private_host("93.184.216.34", 80)) is None
    with pytest.raises(HostNotFoundError):
        asyncio.run(private_host("no-such-host.invalid", 80))
