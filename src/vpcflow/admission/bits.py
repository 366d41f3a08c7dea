"""Tables of yes and no, eight columns in a byte."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]


class Bits:
    """A table of yes and no, eight columns in a byte."""

    def __init__(self, rows: int, columns: int) -> None:
        self._bytes = np.zeros((rows, columns // 8 + 1), np.uint8)

    def set(self, row: int, columns: npt.NDArray[np.integer]) -> None:
        np.bitwise_or.at(
            self._bytes[row], columns >> 3, np.uint8(1) << (columns & 7).astype(np.uint8)
        )

    def at(self, rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer]) -> Bools:
        bits = self._bytes[rows, columns >> 3] >> (columns & 7).astype(np.uint8)
        found: Bools = (bits & 1).astype(np.bool_)
        return found
