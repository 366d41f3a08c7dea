"""The search tree and the records of an MMDB file: ``read_mmdb.c``."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.native.library import address_of, compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

NOTHING, TEXT, FLOAT, INTEGER, CONTAINER, OTHER, UNSURE = range(7)


class Values(NamedTuple):
    """
    What is found along *p* paths in *n* records: of each array a row for each path.

    ``kinds`` are those above; of a ``UNSURE`` value nothing is known. A text is at ``places`` and has ``numbers``
    bytes; a ``FLOAT`` is in ``numbers`` as its bits, an ``INTEGER`` as it is.
    """

    kinds: npt.NDArray[np.uint8]
    places: Places
    numbers: Places


def walk_tree(
    tree: npt.NDArray[np.uint8],
    record_bits: int,
    nodes: int,
    start: int,
    depth: int,
    high: Words,
    low: Words,
) -> Places | None:
    """
    Go down the search tree along the first ``depth`` bits of each number; give where each way ends.

    That is ``nodes`` or more, or a node where the tree is too deep. ``start`` is the node to begin at.
    """
    functions = compiled()
    if functions is None:
        return None
    high, low = np.ascontiguousarray(high), np.ascontiguousarray(low)
    found = np.empty(len(high), np.int64)
    ends = (address_of(high), address_of(low), len(high), address_of(found))
    functions.walk_tree(address_of(tree), record_bits, nodes, start, depth, *ends)
    return found


def find_values(
    section: npt.NDArray[np.uint8], records: Places, paths: Sequence[str]
) -> Values | None:
    """
    Find the values in records, which are places in the data section.

    A path is keys of maps divided by slashes; an empty one is the first item of an array.
    """
    functions = compiled()
    if functions is None:
        return None
    records = np.ascontiguousarray(records)
    texts = (ctypes.c_char_p * len(paths))(*[path.encode() for path in paths])
    shape = (len(paths), len(records))
    found = Values(np.empty(shape, np.uint8), np.empty(shape, np.int64), np.empty(shape, np.int64))
    functions.find_values(
        address_of(section),
        len(section),
        address_of(records),
        len(records),
        texts,
        len(paths),
        *(address_of(array.ravel()) for array in found),
    )
    return found
