"""Addresses as text: numbers back to what stands in a log."""

from __future__ import annotations

import functools
import socket

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.addresses import Addresses
from vpcflow.dictionaries import dictionary_array


def address_column(addresses: Addresses) -> pa.DictionaryArray:
    """Write addresses as text, each distinct one once; IPv6 as RFC 5952 has it."""
    if addresses.is_ipv4.all():
        distinct, index = np.unique(addresses.low, return_inverse=True)
        return dictionary_array(index.astype(np.int32).reshape(-1), _dotted(distinct))
    numbers = np.empty((len(addresses.low), 3), np.uint64)
    numbers[:, 0], numbers[:, 1], numbers[:, 2] = addresses.is_ipv4, addresses.high, addresses.low
    _, at, index = np.unique(
        numbers.view(np.dtype((np.void, 24))).ravel(), return_index=True, return_inverse=True
    )
    texts = _texts(addresses.take(at))
    return dictionary_array(index.astype(np.int32).reshape(-1), texts)


def _texts(addresses: Addresses) -> pa.StringArray:
    ipv6 = np.flatnonzero(~addresses.is_ipv4)
    octets = np.stack([addresses.high[ipv6], addresses.low[ipv6]], axis=1).astype(">u8").tobytes()
    written = [
        socket.inet_ntop(socket.AF_INET6, octets[place : place + 16])
        for place in range(0, len(octets), 16)
    ]
    ipv4 = _dotted(addresses.low[np.flatnonzero(addresses.is_ipv4)])
    order = np.argsort(~addresses.is_ipv4, kind="stable")
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_arrays([ipv4, pa.array(written, pa.string())]).take(pa.array(back))


def _dotted(numbers: npt.NDArray[np.uint64]) -> pa.StringArray:
    parts = [_octets().take(pa.array(numbers >> np.uint64(shift) & np.uint64(255)))
             for shift in (24, 16, 8, 0)]  # fmt: skip
    return pc.binary_join_element_wise(*parts, ".")


@functools.cache
def _octets() -> pa.StringArray:
    return pa.array([str(octet) for octet in range(256)], pa.string())
