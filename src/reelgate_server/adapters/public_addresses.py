"""Which addresses belong to the open internet, so that a stranger may name them."""

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_REFUSED_V4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this network; 0.0.0.0 is this machine
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by a carrier's customers; Alibaba's metadata is 100.100.100.200
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure's platform service, which only its own machines reach
            "169.254.0.0/16",  # link-local; the metadata of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
"""IANA, IPv4 Special-Purpose Address Registry, and what clouds keep for themselves."""

_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
"""IANA, IPv6 Address Space: all of global unicast. Outside lie loopback, unique local (with AWS's metadata,
fd00:ec2::254), link-local and site-local addresses, multicast, 100::/64, and those that carry an IPv4 address:
::/96, ::ffff:0:0/96, 64:ff9b::/96 and 64:ff9b:1::/48."""

_REFUSED_V6: Final = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which carries an IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)
"""IANA, IPv6 Special-Purpose Address Registry, within global unicast."""

_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""RFC 5214: the upper half of an interface identifier whose lower half is an IPv4 address."""


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the open internet, and neither stands for nor carries another address.

    The prefix under which a network's own translator (NAT64) embeds IPv4 addresses is not known here, unless it is the
    well-known one.
    """
    # Python's own view changes with its version; the tables say what must be refused in any case.
    if not address.is_global:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return (
        address.scope_id is None
        and address in _GLOBAL_V6
        and not any(address in network for network in _REFUSED_V6)
        and (int(address) >> 32 & 0xFFFF_FFFF) not in _ISATAP
    )
