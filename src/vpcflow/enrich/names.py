"""Names of AWS's and IANA's numbers: protocol, TCP flags, traffic path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.codes import PROTOCOLS, TCP_FLAGS, TRAFFIC_PATHS
from vpcflow.enrich.answers import dictionary_array

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.enrich.answers import Answers

_TCP = 6
_FLAG_BITS = 8
_NULL = -1


def add_names(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write names for ``protocol``, ``tcp_flags`` and ``traffic_path``.

    Null where the number is, or has no name. ``tcp_flag_names`` is null where the protocol is not TCP, unless the log
    does not say, and the empty list for 0: AWS logs no flag for a packet that is a plain ACK.
    """
    protocols = _numbers(flows, "protocol")
    return {
        "protocol_name": _named(protocols, _PROTOCOL_CODES, _PROTOCOL_NAMES),
        "tcp_flag_names": _flag_names(_numbers(flows, "tcp_flags"), protocols),
        "traffic_path_name": _named(_numbers(flows, "traffic_path"), _PATH_CODES, _PATH_NAMES),
    }


def _numbers(flows: pa.RecordBatch, name: str) -> npt.NDArray[np.int64]:
    """Give a column's numbers; -1 for null, which no number of a flow log is."""
    if name not in flows.schema.names:
        return np.full(flows.num_rows, _NULL, np.int64)
    column = flows.column(name)
    if column.null_count:
        column = column.fill_null(_NULL)
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int64)


def _named(
    numbers: npt.NDArray[np.int64], codes: npt.NDArray[np.int32], names: pa.StringArray
) -> pa.DictionaryArray:
    """Name numbers; those the table does not reach, and -1, take its last item: no name."""
    last = len(codes) - 1
    in_table = (numbers >= 0) & (numbers < last)
    return dictionary_array(codes[np.where(in_table, numbers, last)], names)


def _flag_names(flags: npt.NDArray[np.int64], protocols: npt.NDArray[np.int64]) -> pa.ListArray:
    is_tcp = (protocols == _TCP) | (protocols == _NULL)
    named = is_tcp & (flags >= 0) & (flags < len(_FLAG_LISTS))
    return _FLAG_LISTS.take(pa.array(np.where(named, flags, 0), pa.int64(), mask=~named))


def _table(names: Mapping[int, str]) -> tuple[npt.NDArray[np.int32], pa.StringArray]:
    """Give the index of each number's name, with an item for no name at the end, and the names."""
    codes = np.full(max(names) + 2, _NULL, np.int32)
    codes[list(names)] = np.arange(len(names))
    return codes, pa.array(names.values(), pa.string())


def _flag_lists() -> pa.ListArray:
    """Give the list of flag names for each of the 256 combinations of flags."""
    names = list(TCP_FLAGS.values())
    lists = [
        [bit for bit in range(_FLAG_BITS) if flags >> bit & 1] for flags in range(1 << _FLAG_BITS)
    ]
    offsets = np.cumsum([0, *(len(bits) for bits in lists)])
    codes = [bit for bits in lists for bit in bits]
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()),
        pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names, pa.string())),
    )


_PROTOCOL_CODES, _PROTOCOL_NAMES = _table(PROTOCOLS)
_PATH_CODES, _PATH_NAMES = _table(TRAFFIC_PATHS)
_FLAG_LISTS = _flag_lists()
