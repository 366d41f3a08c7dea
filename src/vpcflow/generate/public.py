"""
Public addresses that a geolocation database finds all over the world.

They are random addresses of blocks the regional registries have handed out, none of a special range (RFC 6890), and
stand for nobody. https://www.iana.org/assignments/ipv4-address-space/ipv4-address-space.xhtml
"""

from __future__ import annotations

import ipaddress

import numpy as np

from vpcflow.generate.network import digest

_REGIONS: tuple[tuple[float, str], ...] = (
    (0.34, "2 5 31 37 46 62 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 109 176 178 185 188 193"
           " 194 195 212 213 217"),
    (0.27, "12 24 50 63 64 65 66 67 68 69 70 71 72 73 74 75 76 96 97 98 99 104 107 108 173 174 184 199 204 205"
           " 206 207 208 209 216"),
    (0.24, "1 14 27 36 39 42 43 49 58 59 60 61 101 103 106 110 111 112 113 114 115 116 117 118 119 120 121 122"
           " 123 124 125 126 175 180 182 183 202 210 211 218 219 220 221 222 223"),
    (0.10, "177 179 181 186 187 189 190 191 200 201"),
    (0.05, "41 102 105 154 196 197"),
)  # fmt: skip
"""Share of addresses, and the /8 blocks: RIPE NCC, ARIN, APNIC, LACNIC, AFRINIC."""

_IPV6_BLOCKS = ("2a00", "2a01", "2a02", "2a03", "2001:0600", "2600", "2601", "2604", "2607", "2400", "2401", "2402",
                "2404", "2408", "240e", "2800", "2801", "2804", "2806", "2c0f")  # fmt: skip

# https://ip-ranges.amazonaws.com/ip-ranges.json, service S3 in us-east-1 (2025)
S3_CIDRS = ("52.216.0.0/15", "54.231.0.0/16", "3.5.0.0/19", "16.15.176.0/20")


def public_ipv4(rng: np.random.Generator, count: int) -> list[str]:
    """Draw distinct public addresses, in random order."""
    blocks = np.array([int(block) for _, text in _REGIONS for block in text.split()])
    weights = np.array([share / len(t.split()) for share, t in _REGIONS for _ in t.split()])
    numbers = np.zeros(0, np.int64)
    while len(numbers) < count:
        wanted = 2 * (count - len(numbers)) + 16
        first = blocks[rng.choice(len(blocks), wanted, p=weights / weights.sum())]
        drawn = first << 24 | rng.integers(0, 1 << 16, wanted) << 8 | rng.integers(1, 255, wanted)
        numbers = np.unique(np.concatenate([numbers, drawn]))
    return [str(ipaddress.IPv4Address(n)) for n in rng.permutation(numbers)[:count].tolist()]


def public_ipv6(rng: np.random.Generator, count: int) -> list[str]:
    """Draw distinct public IPv6 addresses: a customer's /64 each, privacy addresses in it."""
    salt = int(rng.integers(0, 1 << 62))
    found: dict[str, None] = {}
    number = 0
    while len(found) < count:
        number += 1
        block = _IPV6_BLOCKS[number * 7 % len(_IPV6_BLOCKS)]
        start = block + digest(f"{salt}/{number}", 32)[: 32 - len(block.replace(":", ""))]
        text = start.replace(":", "")
        found[str(ipaddress.IPv6Address(int(text, 16)))] = None
    return list(found)


def addresses_in(rng: np.random.Generator, cidrs: tuple[str, ...], count: int) -> list[str]:
    """Draw distinct addresses out of IPv4 blocks; the blocks must be large enough."""
    networks = [ipaddress.IPv4Network(cidr) for cidr in cidrs]
    found: dict[str, None] = {}
    while len(found) < count:
        network = networks[int(rng.integers(len(networks)))]
        found[str(network[int(rng.integers(1, network.num_addresses - 1))])] = None
    return list(found)
