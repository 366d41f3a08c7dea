"""Addresses as numbers: many at once, IPv4 in numpy, IPv6 by the standard library."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_MAX_IPV4_CHARS = 15


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


def parse_addresses(texts: pa.Array) -> Addresses:
    """
    Parse a string array, best one of distinct values: an IPv6 address costs microseconds, an IPv4 one some nanoseconds.

    IPv4 is four decimal octets without leading zeros, IPv6 is RFC 4291 text without a zone. Never raises.
    """
    octets, is_ipv4 = _parse_ipv4(texts)
    high = np.zeros(len(texts), np.uint64)
    low = np.where(is_ipv4, octets, 0).astype(np.uint64)
    valid = is_ipv4.copy()
    for i in np.flatnonzero(_may_be_ipv6(texts, is_ipv4)).tolist():
        number = ipv6_number(texts[i].as_py())
        if number is not None:
            valid[i] = True
            high[i], low[i] = divmod(number, 1 << 64)
    return Addresses(valid, is_ipv4, high, low)


def ipv6_number(text: str) -> int | None:
    """Give the number of an IPv6 address, or None where the text is none (a zone, ``%eth0``, makes it none)."""
    if "%" in text:
        return None
    try:
        return int(ipaddress.IPv6Address(text))
    except ValueError:
        return None


def is_address(text: str) -> bool:
    """Tell whether the text is an IPv4 or IPv6 address, by the same rule as ``parse_addresses``."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return ipv6_number(text) is not None
    return text.isascii()


def _may_be_ipv6(texts: pa.Array, is_ipv4: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    import pyarrow.compute as pc

    if is_ipv4.all():
        return np.zeros(len(texts), np.bool_)
    colons = pc.fill_null(pc.match_substring(texts, ":"), False)
    return np.asarray(colons.to_numpy(zero_copy_only=False)) & ~is_ipv4


def _parse_ipv4(texts: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """Read all texts as dotted quads, one character position at a time; false where a text is none."""
    count = len(texts)
    texts = texts.cast(pa.string())
    if count == 0:
        return np.zeros(0, np.uint64), np.zeros(0, np.bool_)
    _, offsets_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset : texts.offset + count + 1]
    data = np.frombuffer(data_buffer or b"", np.uint8)
    starts = offsets[:-1].astype(np.int64)
    lengths = np.diff(offsets)
    good = (lengths >= 7) & (lengths <= _MAX_IPV4_CHARS)
    if texts.null_count:
        good &= ~np.asarray(texts.is_null().to_numpy(zero_copy_only=False))
    value = np.zeros(count, np.uint64)
    octet = np.zeros(count, np.int64)
    digits = np.zeros(count, np.int64)
    dots = np.zeros(count, np.int64)
    # Text past the end of the buffer is never looked at: it reads as the last byte, and is masked by the length.
    top = max(len(data) - 1, 0)
    for position in range(_MAX_IPV4_CHARS):
        inside = good & (position < lengths)
        if not inside.any():
            break
        char = data[np.minimum(starts + position, top)].astype(np.int64)
        digit = inside & (char >= 48) & (char <= 57)
        dot = inside & (char == 46)
        leading_zero = digit & (digits == 1) & (octet == 0)
        good &= ~inside | ((digit & ~leading_zero) | (dot & (digits > 0)))
        octet = np.where(digit, octet * 10 + (char - 48), octet)
        digits = np.where(digit, digits + 1, digits)
        good &= octet <= 255
        value = np.where(dot, value << np.uint64(8) | octet.astype(np.uint64), value)
        dots += dot
        octet = np.where(dot, 0, octet)
        digits = np.where(dot, 0, digits)
    good &= (dots == 3) & (digits > 0)
    value = value << np.uint64(8) | np.where(good, octet, 0).astype(np.uint64)
    return np.where(good, value, np.uint64(0)), good
