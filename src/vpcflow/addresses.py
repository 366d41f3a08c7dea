"""Addresses as numbers, many at once: IPv4 by compiled code or in numpy, IPv6 by the system's own function."""

from __future__ import annotations

import functools
import ipaddress
import socket
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow import native

_MIN_IPV4_CHARS, _MAX_IPV4_CHARS = 7, 15
_IPV6_CHARACTERS = frozenset("0123456789abcdefABCDEF:.")
_NO_ADDRESS = bytes(16)


class Addresses(NamedTuple):
    """
    *n* addresses as 128-bit numbers in two halves.

    ``valid`` is false where the text is null or no address; ``high`` and ``low`` are 0 there. An IPv4 address is its
    32-bit number in ``low``; it is not mapped into IPv6, so ``is_ipv4`` is part of the address.
    """

    valid: npt.NDArray[np.bool_]
    is_ipv4: npt.NDArray[np.bool_]
    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]

    def take(self, at: npt.NDArray[np.integer]) -> Addresses:
        """Give those at these places, in this order."""
        return Addresses(self.valid[at], self.is_ipv4[at], self.high[at], self.low[at])


# The parser checks addresses, enrichers look the same arrays up: what was just read is not read again.
_RECENT: dict[tuple[int, ...], tuple[pa.Array, Addresses]] = {}
_MOST_RECENT = 8


def parse_addresses(texts: pa.Array) -> Addresses:
    """
    Parse a string array, best one of distinct values: an IPv6 address costs microseconds, an IPv4 one some nanoseconds.

    IPv4 is four decimal octets without leading zeros, IPv6 is RFC 4291 text without a zone. Never raises.
    """
    key = _place_in_memory(texts)
    known = _RECENT.get(key)
    if known is None:
        known = _RECENT[key] = (texts, _parse(texts))
        while len(_RECENT) > _MOST_RECENT:
            _RECENT.pop(next(iter(_RECENT)), None)
    return known[1]


def _place_in_memory(texts: pa.Array) -> tuple[int, ...]:
    # An entry keeps its texts alive, so no other array can come to lie where they do.
    buffers = [buffer.address if buffer is not None else 0 for buffer in texts.buffers()]
    return (*buffers, texts.offset, len(texts))


def _parse(texts: pa.Array) -> Addresses:
    octets, is_ipv4 = _parse_ipv4(texts)
    high, low = np.zeros(len(texts), np.uint64), octets.copy()
    valid = is_ipv4.copy()
    places = np.flatnonzero(~is_ipv4)
    if len(places):
        packed = [_packed_ipv6(text) for text in texts.take(pa.array(places)).to_pylist()]
        halves = np.frombuffer(b"".join([one or _NO_ADDRESS for one in packed]), ">u8")
        valid[places] = [one is not None for one in packed]
        high[places], low[places] = halves[::2], halves[1::2]
    parsed = Addresses(valid, is_ipv4, high, low)
    for array in parsed:
        array.flags.writeable = False
    return parsed


def ipv6_number(text: str) -> int | None:
    """Give the number of an IPv6 address, or None where the text is none (a zone, ``%eth0``, makes it none)."""
    packed = _packed_ipv6(text)
    return None if packed is None else int.from_bytes(packed, "big")


@functools.lru_cache(maxsize=1 << 17)
def _packed_ipv6(text: str | None) -> bytes | None:
    """Give the 16 bytes of an IPv6 address; the system's function is ten times as fast as ``ipaddress``."""
    # Some systems take a zone, and digits of other scripts, where the standard has neither.
    if text is None or not _IPV6_CHARACTERS.issuperset(text):
        return None
    try:
        return socket.inet_pton(socket.AF_INET6, text)
    except OSError:
        return None


def is_address(text: str) -> bool:
    """Tell whether the text is an IPv4 or IPv6 address, by the same rule as ``parse_addresses``."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return ipv6_number(text) is not None
    return text.isascii()


def _parse_ipv4(texts: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """Read all texts as dotted quads; false, and 0, where a text is none."""
    count = len(texts)
    texts = texts.cast(pa.string())
    _, offsets_buffer, data = texts.buffers()
    if count == 0 or data is None:
        return np.zeros(count, np.uint64), np.zeros(count, np.bool_)
    offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset : texts.offset + count + 1]
    values, good = native.read_ipv4(offsets, data) or read_quads(offsets, data)
    if texts.null_count:
        good &= texts.is_valid().to_numpy(zero_copy_only=False)
        values *= good
    return values, good


def read_quads(
    offsets: npt.NDArray[np.int32], data: pa.Buffer
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """Do what ``native.read_ipv4`` does, one character position at a time."""
    values, good = np.zeros(len(offsets) - 1, np.uint64), np.zeros(len(offsets) - 1, np.bool_)
    lengths = np.diff(offsets)
    rows = np.flatnonzero((lengths >= _MIN_IPV4_CHARS) & (lengths <= _MAX_IPV4_CHARS))
    if len(rows):
        # Zeros behind the last text, so that every text has as many characters as the longest.
        padded = np.concatenate([np.frombuffer(data, np.uint8), np.zeros(16, np.uint8)])
        starts, lengths = offsets[rows].astype(np.intp), lengths[rows].astype(np.uint8)
        numbers, bad = _read_quads(padded, starts, lengths)
        good[rows] = ~bad
        values[rows] = np.where(bad, 0, numbers)
    return values, good


def _read_quads(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.intp], lengths: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    count = len(starts)
    value, octet = np.zeros(count, np.uint32), np.zeros(count, np.uint16)
    digits, dots = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
    bad = np.zeros(count, np.bool_)
    for position in range(_MAX_IPV4_CHARS):
        char = data[starts + position]
        inside = lengths > position
        # Unsigned: what stands before "0" in ASCII wraps to more than 9.
        worth = char - np.uint8(48)
        digit, dot = (worth <= 9) & inside, (char == 46) & inside
        bad |= inside & ~digit & ~dot | dot & (digits == 0)
        bad |= digit & (digits > 0) & (octet == 0)
        # Once bad, an octet stays small: four digits more would wrap around.
        octet = np.where(digit & ~bad, octet * np.uint16(10) + worth, octet)
        digits += digit
        bad |= octet > 255
        if dot.any():
            value = np.where(dot, value << np.uint32(8) | octet, value)
            octet *= ~dot
            digits *= ~dot
            dots += dot
    bad |= (dots != 3) | (digits == 0)
    return value << np.uint32(8) | octet, bad
