"""Texts to IPv4 addresses: ``read_ipv4.c``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vpcflow.native.library import address_of, compiled

if TYPE_CHECKING:
    import pyarrow as pa


def read_ipv4(
    offsets: npt.NDArray[np.int32], data: pa.Buffer
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]] | None:
    """
    Read *n* texts as dotted quads: the numbers, 0 where a text is none, and whether it is one.

    Text *i* is ``data`` from ``offsets[i]`` up to ``offsets[i + 1]``.
    """
    functions = compiled()
    if functions is None:
        return None
    count = len(offsets) - 1
    numbers, good = np.empty(count, np.uint64), np.empty(count, np.bool_)
    functions.read_ipv4(
        data.address, address_of(offsets), count, address_of(numbers), address_of(good)
    )
    return numbers, good
