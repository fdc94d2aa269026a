"""No way into private networks: addresses are judged when the connection is made, after the name was resolved.

Checking names or URLs beforehand is not enough, since a name can resolve to another address a moment later (DNS
rebinding) and a redirect can lead anywhere. Here the judged address is the one that is connected to.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import cast

import httpcore2
import httpx2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class HostNotFoundError(OSError):
    """The host's name does not resolve."""


class PrivateAddressError(OSError):
    """The host resolves only to addresses that are not public."""


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """An HTTP transport that connects to public addresses only, and to `private_host`.

    Parameters
    ----------
    private_host
        The configured site's host, if it is on a private or loopback address itself; else None.
    max_connections
        To the one host there is.
    """

    def __init__(self, *, private_host: str | None, max_connections: int) -> None:
        context = httpx2.create_ssl_context()
        # Proxies from the environment would connect in our place, past the guard.
        super().__init__(verify=context, trust_env=False)
        # httpx2 has no parameter for the network backend, httpcore2's pool has.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=15.0,
            network_backend=_GuardedBackend(private_host),
        )


class _GuardedBackend(httpcore2.AsyncNetworkBackend):
    def __init__(self, private_host: str | None) -> None:
        self._private_host = private_host
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
        allowed = resolved if host == self._private_host else [address for address in resolved if is_public(address)]
        if not allowed:
            raise PrivateAddressError(f"{host} resolves to {resolved[0]}, which is not a public address")
        failure: Exception | None = None
        for address in allowed:
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


async def resolve(host: str, port: int) -> list[Address]:
    """Addresses of a host, in the order in which to try them; raises HostNotFoundError if there are none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise HostNotFoundError(f"the name {host!r} does not resolve ({error})") from error
    return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))


async def private_host(host: str, port: int) -> str | None:
    """`host` if every address of it is private (loopback included), else None; raises as `resolve` does."""
    return None if any(is_public(address) for address in await resolve(host, port)) else host


def is_public(address: Address) -> bool:
    """Whether an address is reachable on the internet and names one machine; IPv4 inside IPv6 is judged as IPv4."""
    inner = address
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _nat64(address) or address
    return inner.is_global and not inner.is_multicast


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(address.packed[-4:]) if address in _NAT64 else None
