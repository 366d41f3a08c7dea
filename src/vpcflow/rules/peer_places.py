"""Peers by where they are: blocks of addresses, and countries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.addresses import Addresses, parse_addresses
from vpcflow.dictionaries import codes_of, dictionary_array, numbered, with_last
from vpcflow.rules.address_texts import address_column
from vpcflow.rules.tally import pairs_added_up

if TYPE_CHECKING:
    from collections.abc import Callable

_IPV4_BITS, _IPV6_BITS = 24, 64


def blocks_of(peers: pa.Table) -> pa.Table:
    """Give for each rule and peer the block of 24 bits (IPv6: 64) it is in, instead of its address."""
    distinct, number = numbered(peers.column("peer"))
    addresses = parse_addresses(distinct)
    host = np.uint64((1 << (32 - _IPV4_BITS)) - 1)
    low = np.where(addresses.is_ipv4, addresses.low & ~host, np.uint64(0))
    blocks = address_column(
        Addresses(addresses.valid, addresses.is_ipv4, addresses.high, low)
    ).dictionary_decode()
    bits = pa.array(np.where(addresses.is_ipv4, f"/{_IPV4_BITS}", f"/{_IPV6_BITS}"))
    texts = pc.binary_join_element_wise(blocks, bits, "")
    known = pc.if_else(pa.array(addresses.valid), texts, pa.scalar(None, pa.string()))
    return _summed(peers, "block", known, number)


def countries_of(peers: pa.Table, country_of: Callable[[pa.StringArray], pa.Array]) -> pa.Table:
    """Give for each rule and peer its country, instead of its address."""
    distinct, number = numbered(peers.column("peer"))
    return _summed(peers, "country", country_of(distinct), number)


def _summed(
    peers: pa.Table, name: str, values: pa.Array, number: npt.NDArray[np.int64]
) -> pa.Table:
    """Add up the connections of rules and values; those of peers without a value are left out."""
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    codes = with_last(codes_of(encoded), -1)[number]
    known = np.flatnonzero(codes >= 0)
    kept = peers.take(pa.array(known))
    column = dictionary_array(codes[known], encoded.dictionary)
    return pairs_added_up(
        pa.table(
            {
                "rule": kept.column("rule"),
                name: column,
                "connections": kept.column("connections").combine_chunks(),
            }
        )
    )
