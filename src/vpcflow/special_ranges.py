"""
Addresses that are nobody's on the internet: private, link-local, multicast, documentation, reserved.

Source: IANA's special-purpose registries, read 2026-11,
https://www.iana.org/assignments/iana-ipv4-special-registry/ and
https://www.iana.org/assignments/iana-ipv6-special-registry/, with the multicast blocks and, for IPv6, everything
outside of 2000::/3, which is not given to anyone (https://www.iana.org/assignments/ipv6-address-space/).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vpcflow.prefixes import PrefixTable, prefix_table

if TYPE_CHECKING:
    from vpcflow.addresses import Addresses

NO_ADDRESS = -1
GLOBAL = 0
PRIVATE = 1
"""RFC 1918, RFC 6598 (carrier-grade NAT) and RFC 4193 (unique local)."""
LINK_LOCAL = 2
"""Link-local and loopback."""
MULTICAST = 3
"""Multicast and the limited broadcast address."""
DOCUMENTATION = 4
RESERVED = 5
"""The rest: this network, benchmarking, protocol assignments, transition mechanisms, future use."""

_SPECIAL: dict[int, str] = {
    PRIVATE: "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7",
    LINK_LOCAL: "169.254.0.0/16 127.0.0.0/8 fe80::/10 ::1/128",
    MULTICAST: "224.0.0.0/4 255.255.255.255/32 ff00::/8",
    DOCUMENTATION: "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
    RESERVED: "0.0.0.0/8 192.0.0.0/24 192.88.99.0/24 198.18.0.0/15 240.0.0.0/4 ::/3 4000::/2 8000::/1"
    " 2001::/23 2002::/16",
    # Parts of reserved blocks that are reachable from the internet; 64:ff9b::/96 is NAT64, whose far end is public.
    GLOBAL: "192.0.0.9/32 192.0.0.10/32 64:ff9b::/96 2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:3::/32"
    " 2001:4:112::/48 2001:20::/28 2001:30::/28",
}


def classify(addresses: Addresses) -> npt.NDArray[np.int8]:
    """Give the code of each address: ``GLOBAL``, ``PRIVATE`` …; ``NO_ADDRESS`` where it is not valid."""
    codes = _table().lookup(addresses)
    codes[(codes < 0) & addresses.valid] = GLOBAL
    return codes.astype(np.int8)


def blocks() -> tuple[str, ...]:
    """Give all CIDR blocks: between their bounds the addresses are of one class."""
    return tuple(cidr for text in _SPECIAL.values() for cidr in text.split())


@cache
def _table() -> PrefixTable:
    return prefix_table((cidr, code) for code, text in _SPECIAL.items() for cidr in text.split())
