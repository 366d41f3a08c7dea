"""Names of AWS's and IANA's numbers: protocol, TCP flags, traffic path."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.codes import PROTOCOLS, TCP_FLAGS, TRAFFIC_PATHS
from vpcflow.dictionaries import dictionary_array

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.enrich.answers import Answers

_COLUMNS = ("protocol_name", "tcp_flag_names", "traffic_path_name")
_TCP = 6

# Numbers are brought to -1 (null) … 256 (that, or more), so that tables of 258 items name them: 256 and the last item,
# which -1 takes, have no name.
_NULL, _MORE = -1, 256


def add_names(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write names for ``protocol``, ``tcp_flags`` and ``traffic_path``.

    Null where the number is, or has no name. ``tcp_flag_names`` is null where the protocol is not TCP, unless the log
    does not say, and the empty list for 0: AWS logs no flag for a packet that is a plain ACK.
    """
    found = {column: answers.nulls(column) for column in _COLUMNS}
    names, protocols = flows.schema.names, _numbers(flows, "protocol")
    if "protocol" in names:
        found["protocol_name"] = _named(protocols, *_protocols())
    if "tcp_flags" in names:
        found["tcp_flag_names"] = _flag_names(_numbers(flows, "tcp_flags"), protocols)
    if "traffic_path" in names:
        found["traffic_path_name"] = _named(_numbers(flows, "traffic_path"), *_paths())
    return found


def _numbers(flows: pa.RecordBatch, name: str) -> npt.NDArray[np.intp]:
    if name not in flows.schema.names:
        return np.full(flows.num_rows, _NULL, np.intp)
    column = flows.column(name)
    if column.null_count:
        column = column.fill_null(_NULL)
    numbers: npt.NDArray[np.int32] = column.to_numpy(zero_copy_only=False)
    return np.minimum(numbers, _MORE).astype(np.intp)


def _named(
    numbers: npt.NDArray[np.intp], codes: npt.NDArray[np.int32], names: pa.StringArray
) -> pa.DictionaryArray:
    return dictionary_array(codes[numbers], names)


def _flag_names(flags: npt.NDArray[np.intp], protocols: npt.NDArray[np.intp]) -> pa.ListArray:
    named = (flags != _NULL) & ((protocols == _TCP) | (protocols == _NULL))
    return _flag_lists().take(pa.array(np.where(named, flags, _MORE)))


def _table(names: Mapping[int, str]) -> tuple[npt.NDArray[np.int32], pa.StringArray]:
    """Give the index of each number's name, -1 where it has none, and the names."""
    codes = np.full(_MORE + 2, -1, np.int32)
    codes[list(names)] = np.arange(len(names))
    return codes, pa.array(names.values(), pa.string())


@functools.cache
def _protocols() -> tuple[npt.NDArray[np.int32], pa.StringArray]:
    return _table(PROTOCOLS)


@functools.cache
def _paths() -> tuple[npt.NDArray[np.int32], pa.StringArray]:
    return _table(TRAFFIC_PATHS)


@functools.cache
def _flag_lists() -> pa.ListArray:
    """Give the list of names for each of the 256 combinations of flags, and null for what is more."""
    lists = [[i for i, bit in enumerate(TCP_FLAGS) if flags & bit] for flags in range(_MORE)]
    codes = pa.array([code for codes in lists for code in codes], pa.int32())
    names = pa.DictionaryArray.from_arrays(codes, pa.array(TCP_FLAGS.values(), pa.string()))
    offsets = pa.array(np.cumsum([0, *map(len, lists)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, names).take(pa.array([*range(_MORE), None]))
