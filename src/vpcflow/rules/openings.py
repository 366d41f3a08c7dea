"""The packets that opened connections, as rules see them: made of batches of ``CONNECTIONS``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.addresses import parse_addresses
from vpcflow.admission import Packets

if TYPE_CHECKING:
    from vpcflow.addresses import Addresses

Bools = npt.NDArray[np.bool_]
Int32s = npt.NDArray[np.int32]


def is_egress(connections: pa.RecordBatch) -> Bools:
    """Tell which were opened by the local end; false also where that is not known."""
    return is_text(connections, "direction", "egress")


def is_text(connections: pa.RecordBatch, name: str, value: str) -> Bools:
    """Tell in which rows a column of text has a value; false where it is null."""
    found = pc.equal(connections.column(name), value).fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False))


def opening_packets(connections: pa.RecordBatch, egress: Bools) -> Packets:
    """Give the opening packets as the interfaces saw them, were those so marked opened by the local end."""
    local, peer = (numbers(connections, f"{end}_port") for end in ("local", "peer"))
    return Packets(
        row=numbers(connections, "eni_row"),
        is_egress=egress,
        protocol=numbers(connections, "protocol"),
        port=np.where(egress, peer, local),
        peer=_addresses(connections, "peer_addr"),
        time_s=numbers(connections, "first"),
    )


def at_peers(connections: pa.RecordBatch, egress: Bools) -> Packets:
    """Give the same packets as the interfaces at the other end saw them; row -1 where that is not known."""
    here = opening_packets(connections, egress)
    return here._replace(
        row=numbers(connections, "peer_row"),
        is_egress=~egress,
        peer=_addresses(connections, "local_addr"),
    )


def with_peers(connections: pa.RecordBatch, peer_row: Int32s) -> pa.RecordBatch:
    """Give the connections with other rows of the peers' interfaces: rejected ones have none yet."""
    place = connections.schema.get_field_index("peer_row")
    return connections.set_column(place, connections.schema.field(place), pa.array(peer_row))


def numbers(connections: pa.RecordBatch, name: str) -> npt.NDArray[Any]:
    """Give a column without nulls as an array."""
    return np.asarray(connections.column(name).to_numpy())


def _addresses(connections: pa.RecordBatch, name: str) -> Addresses:
    column = connections.column(name)
    # Each distinct address is read once; what is null is read as an address that is none.
    values = pa.concat_arrays([column.dictionary, pa.nulls(1, column.dictionary.type)])
    codes = column.indices.fill_null(len(column.dictionary)).to_numpy()
    return parse_addresses(values).take(codes)
