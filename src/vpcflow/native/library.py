"""The compiled library: its functions, and whether it is there."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

LIBRARY = Path(__file__).with_name("vpcflow.so")
"""Where the build puts it, whatever such a file is called on the platform."""

_INT, _PLACE = ctypes.c_int64, ctypes.c_void_p


class Compiled(NamedTuple):
    """The functions of the library, named and described in the C files."""

    read_columns: Callable[..., int]
    read_ipv4: Callable[..., None]
    mix_rows: Callable[..., None]
    hash_texts: Callable[..., int]
    write_rows: Callable[..., int]
    needs_escape: Callable[..., int]
    to_base64: Callable[..., None]
    from_base64: Callable[..., int]
    community_ids: Callable[..., None]
    walk_tree: Callable[..., None]
    find_values: Callable[..., None]


def load(library: Path) -> Compiled:
    """Load a library; it is called without Python's lock."""
    found = ctypes.CDLL(str(library))

    def function(name: str, result: type | None, *arguments: type) -> Callable[..., Any]:
        one = getattr(found, f"vpcflow_{name}")
        one.restype, one.argtypes = result, arguments
        return cast("Callable[..., Any]", one)

    return Compiled(
        function(
            "read_columns",
            *(_INT, _PLACE, _INT, _INT, _PLACE, _INT, _PLACE, _PLACE, _INT, ctypes.c_uint64),
        ),
        function("read_ipv4", None, _PLACE, _PLACE, _INT, _PLACE, _PLACE),
        function("mix_rows", None, _PLACE, _INT, _INT, _PLACE, _PLACE),
        function("hash_texts", _INT, _PLACE, _PLACE, _INT, _INT, _PLACE, _PLACE, _PLACE),
        function("write_documents", _INT, _PLACE, _INT, _INT, _INT, _PLACE, _INT, _PLACE),
        function("needs_escape", _INT, _PLACE, _INT),
        function("to_base64", None, ctypes.c_char_p, _PLACE, _INT, _PLACE, _PLACE),
        function("from_base64", _INT, ctypes.c_char_p, _PLACE, _INT, _PLACE),
        function("community_ids", None, _PLACE, _PLACE, _PLACE, _INT, _PLACE),
        function(
            "walk_tree",
            *(None, _PLACE, _INT, _INT, _INT, _INT, _PLACE, _PLACE, _INT, _PLACE),
        ),
        function(
            "find_values",
            *(None, _PLACE, _INT, _PLACE, _INT, _PLACE, _INT, _PLACE, _PLACE, _PLACE),
        ),
    )


@functools.cache
def compiled() -> Compiled | None:
    """Give the library's functions; None where the installed vpcflow has none, or one of another machine or version."""
    try:
        return load(LIBRARY)
    except (OSError, AttributeError):
        return None


def is_available() -> bool:
    """Tell whether there is a compiled library."""
    return compiled() is not None


def address_of(array: npt.NDArray[np.generic]) -> int:
    """Tell where a contiguous array lies in memory; numpy's own ``ctypes.data`` takes six times as long."""
    return int(pa.py_buffer(array).address)
