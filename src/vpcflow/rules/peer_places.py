"""Peers by where they are: blocks of addresses, and countries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.addresses import Addresses, parse_addresses
from vpcflow.rules.address_texts import address_column

if TYPE_CHECKING:
    from collections.abc import Callable

_IPV4_BITS, _IPV6_BITS = 24, 64


def blocks_of(peers: pa.Table) -> pa.Table:
    """Give for each rule and peer the block of 24 bits (IPv6: 64) it is in, instead of its address."""
    addresses = parse_addresses(peers.column("peer").combine_chunks())
    host = np.uint64((1 << (32 - _IPV4_BITS)) - 1)
    low = np.where(addresses.is_ipv4, addresses.low & ~host, np.uint64(0))
    blocks = address_column(
        Addresses(addresses.valid, addresses.is_ipv4, addresses.high, low)
    ).dictionary_decode()
    bits = pa.array(np.where(addresses.is_ipv4, f"/{_IPV4_BITS}", f"/{_IPV6_BITS}"))
    texts = pc.binary_join_element_wise(blocks, bits, "")
    known = pc.if_else(pa.array(addresses.valid), texts, pa.scalar(None, pa.string()))
    return _summed(peers, "block", known)


def countries_of(peers: pa.Table, country_of: Callable[[pa.StringArray], pa.Array]) -> pa.Table:
    """Give for each rule and peer its country, instead of its address."""
    encoded = peers.column("peer").combine_chunks().dictionary_encode()
    countries = country_of(encoded.dictionary).take(encoded.indices)
    return _summed(peers, "country", countries)


def _summed(peers: pa.Table, name: str, values: pa.Array) -> pa.Table:
    table = pa.table(
        {
            "rule": peers.column("rule").combine_chunks(),
            name: values,
            "connections": peers.column("connections").combine_chunks(),
        }
    )
    table = table.filter(pc.is_valid(table.column(name)))
    found = table.group_by(["rule", name]).aggregate([("connections", "sum")])
    return found.rename_columns(
        ["connections" if c == "connections_sum" else c for c in found.column_names]
    )
