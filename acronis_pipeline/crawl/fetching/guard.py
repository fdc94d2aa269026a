"""No way into private networks: addresses are judged when the connection is made, after the name was resolved.

Checking names or URLs beforehand is not enough, since a name can resolve to another address a moment later (DNS
rebinding) and a redirect can lead anywhere. Here the judged address is the one that is connected to.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import httpcore2
import httpx2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All that the registry has given out of IPv6 for single machines."""
_NOT_FOR_SITES = tuple(
    map(ipaddress.ip_network, ("2002::/16", "2001::/23", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24"))
)
"""6to4 and Teredo, which lead to an IPv4 address of somebody's choice, 6to4's relays, what is assigned to protocols,
and newer examples than Python knows."""
_FOR_MACHINES = frozenset({ipaddress.ip_address("168.63.129.16")})
"""A cloud's own service at an address that the registry counts as public; the other clouds' are link-local or private.
"""
_DEFAULT_PORTS = frozenset({80, 443})


class HostNotFoundError(OSError):
    """The host's name does not resolve."""


class PrivateAddressError(OSError):
    """The host resolves only to addresses that are not public."""


@dataclass(frozen=True)
class PrivateSite:
    """A configured site on a private or loopback address: this host, at these ports, may be connected to."""

    host: str
    ports: frozenset[int]

    @classmethod
    def at(cls, host: str, port: int) -> "PrivateSite":
        """At the port that was configured; a site on the default port of http or https may change between them."""
        return cls(host, _DEFAULT_PORTS if port in _DEFAULT_PORTS else frozenset({port}))


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """An HTTP transport that connects to public addresses only, and to `private_site`.

    Parameters
    ----------
    private_site
        The configured site, if it is on a private or loopback address itself; else None.
    max_connections
        To the one host there is.
    """

    def __init__(self, *, private_site: PrivateSite | None, max_connections: int) -> None:
        context = httpx2.create_ssl_context()
        # Proxies from the environment would connect in our place, past the guard.
        super().__init__(verify=context, trust_env=False)
        # httpx2 has no parameter for the network backend, httpcore2's pool has.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=15.0,
            network_backend=_GuardedBackend(private_site),
        )


class _GuardedBackend(httpcore2.AsyncNetworkBackend):
    def __init__(self, private_site: PrivateSite | None) -> None:
        self._private_site = private_site
        self._inner = cast(httpcore2.AsyncNetworkBackend, httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        resolved = await resolve(host, port)
        allowed = resolved if self._is_private_site(host, port) else [one for one in resolved if is_public(one)]
        if not allowed:
            raise PrivateAddressError(f"{host}:{port} resolves to {resolved[0]}, which is not a public address")
        failure: Exception | None = None
        for address in allowed:
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    def _is_private_site(self, host: str, port: int) -> bool:
        site = self._private_site
        return site is not None and host == site.host and port in site.ports

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


async def resolve(host: str, port: int) -> list[Address]:
    """Addresses of a host, in the order in which to try them; raises HostNotFoundError if there are none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise HostNotFoundError(f"the name {host!r} does not resolve ({error})") from error
    return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))


async def private_site(host: str, port: int) -> PrivateSite | None:
    """The site, if every address of its host is private (loopback included), else None; raises as `resolve` does."""
    return None if any(is_public(address) for address in await resolve(host, port)) else PrivateSite.at(host, port)


def is_public(address: Address) -> bool:
    """Whether an address is routed on the internet and names one machine there, by IANA's registries.

    IPv4 inside IPv6 (mapped, NAT64) is judged as IPv4.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or _nat64(address)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    special = address.is_multicast or address.is_reserved or address in _FOR_MACHINES
    return address.is_global and not special and not any(address in network for network in _NOT_FOR_SITES)


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(address.packed[-4:]) if address in _NAT64 else None
