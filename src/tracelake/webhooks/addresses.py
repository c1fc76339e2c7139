"""Where events may go: to public addresses, and into the networks that the server was told of.

Whoever may make a webhook can have the server call any address. What is checked is what is
connected to, so a name cannot lead elsewhere between the two.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final

from tracelake.model.errors import InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_WRAPPING: Final = [
    ipaddress.IPv6Network(each) for each in ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")
]
"""Of NAT64, IPv4-compatible, IPv4-translated (RFC 6052, 4291, 2765): the last four bytes count."""
_SETTING: Final = "webhook_networks"


class Addresses:
    """`networks` may be reached beside what is public, and without TLS.

    Names are looked up in `threads`: that takes as long as it takes, and nobody can end it.
    """

    def __init__(self, networks: Sequence[Network], threads: Executor) -> None:
        self._networks = networks
        self._threads = threads

    async def of(self, scheme: str, host: str, port: int) -> list[str]:
        """Those of a host that may be called, the preferred first. Raises InvalidInput where it
        has others only, OSError where it has none."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port)
        allowed = [each for each in found if self._is_allowed(each, scheme)]
        if allowed:
            return [str(each) for each in allowed]
        if scheme != "https" and any(_is_public(each) for each in found):
            raise InvalidInput(f"{host} is a public address, which is told by https:// only")
        raise InvalidInput(
            f"{host} is no public address. The setting {_SETTING} names the other networks that "
            "webhooks may reach"
        )

    def _is_allowed(self, address: Address, scheme: str) -> bool:
        plain = _unwrapped(address)
        if any(address in network or plain in network for network in self._networks):
            return True
        return scheme == "https" and _is_public(address)


def _look_up(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)
    return [ipaddress.ip_address(each) for each in addresses]


def _is_public(address: Address) -> bool:
    plain = _unwrapped(address)
    return (
        plain.is_global
        and not plain.is_multicast
        and not (isinstance(plain, ipaddress.IPv6Address) and plain.is_site_local)
    )


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that some IPv6 addresses stand for: packets go there in the end."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and any(address in each for each in _WRAPPING):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return inner or address
