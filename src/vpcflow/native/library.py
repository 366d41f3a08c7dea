"""The compiled library: its functions, and whether it is there."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

LIBRARY = Path(__file__).with_name("vpcflow.so")
"""Where the build puts it, whatever such a file is called on the platform."""

_INT, _PLACE = ctypes.c_int64, ctypes.c_void_p


class Compiled(NamedTuple):
    """The functions of the library, named and described in the C files."""

    read_columns: Callable[..., int]
    read_ipv4: Callable[..., None]
    mix_rows: Callable[..., None]
    write_rows: Callable[..., int]
    needs_escape: Callable[..., int]
    base64: Callable[..., None]


def load(library: Path) -> Compiled:
    """Load a library; it is called without Python's lock."""
    found = ctypes.CDLL(str(library))
    read, ipv4 = found.vpcflow_read_columns, found.vpcflow_read_ipv4
    mix, write = found.vpcflow_mix_rows, found.vpcflow_write_documents
    escape, base64 = found.vpcflow_needs_escape, found.vpcflow_base64
    read.restype = write.restype = escape.restype = _INT
    ipv4.restype = mix.restype = base64.restype = None
    read.argtypes = (_PLACE, _INT, _INT, _PLACE, _INT, _PLACE, _PLACE, _INT, ctypes.c_uint64)
    ipv4.argtypes = (_PLACE, _PLACE, _INT, _PLACE, _PLACE)
    mix.argtypes = (_PLACE, _INT, _INT, _PLACE, _PLACE)
    write.argtypes = (_PLACE, _INT, _INT, _INT, _PLACE, _INT, _PLACE)
    escape.argtypes = (_PLACE, _INT)
    base64.argtypes = (ctypes.c_char_p, _PLACE, _INT, _PLACE, _PLACE)
    return Compiled(read, ipv4, mix, write, escape, base64)


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
