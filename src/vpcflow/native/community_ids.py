"""Rows to community ids: ``community_ids.c``."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.native.library import address_of, compiled

if TYPE_CHECKING:
    Codes = npt.NDArray[np.int32]
    Mask = npt.NDArray[np.bool_]
    Words = npt.NDArray[np.uint64]

ID_BYTES = 30


class End(NamedTuple):
    """
    One end of all rows: the place of each row's address among those of ``high``, ``low`` and ``is_ipv4``, and its port.

    What stands in rows that are not wanted is not looked at.
    """

    places: Codes
    high: Words
    low: Words
    is_ipv4: Mask
    ports: Codes


class _End(ctypes.Structure):
    """``struct end`` of community_ids.c."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in End._fields)


def community_ids(
    source: End, destination: End, protocols: Codes, wanted: Mask
) -> npt.NDArray[np.uint8] | None:
    """Give ``ID_BYTES`` characters for each row, spaces where none is wanted."""
    functions = compiled()
    if functions is None:
        return None
    # What the library is given the addresses of is held here until it is done.
    held = [End(*map(np.ascontiguousarray, end)) for end in (source, destination)]
    ends = (_End * 2)(*(_End(*[address_of(array) for array in end]) for end in held))
    protocols, wanted = np.ascontiguousarray(protocols), np.ascontiguousarray(wanted)
    text = np.empty(ID_BYTES * len(wanted), np.uint8)
    functions.community_ids(
        ends, address_of(protocols), address_of(wanted), len(wanted), address_of(text)
    )
    return text
