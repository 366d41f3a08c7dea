"""Texts to base64 and back: ``base64.c``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vpcflow.native.library import address_of, compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

_PAIRS_BYTES = 8192


def to_base64(text: bytes, sizes: npt.NDArray[np.int64]) -> list[str] | None:
    """Give each of the pieces of these sizes, end to end in the text, in base64."""
    functions = compiled()
    if functions is None:
        return None
    ends = np.cumsum((sizes + 2) // 3 * 4).tolist()
    out = np.empty(ends[-1] if ends else 0, np.uint8)
    pairs = np.empty(_PAIRS_BYTES, np.uint8)
    functions.to_base64(text, address_of(sizes), len(sizes), address_of(out), address_of(pairs))
    encoded = str(out.data, "ascii")
    return [encoded[first:end] for first, end in zip([0, *ends], ends)]


def from_base64(texts: Sequence[str]) -> tuple[bytes, npt.NDArray[np.int64]] | None:
    """
    Decode texts; give all bytes end to end, and how many are those of each.

    None where one is not letters by fours, the last ones filled up with ``=``.
    """
    functions = compiled()
    joined = "".join(texts)
    if functions is None or not joined.isascii():
        return None
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    out = np.empty(len(joined) // 4 * 3, np.uint8)
    if not functions.from_base64(joined.encode(), address_of(sizes), len(texts), address_of(out)):
        return None
    return out[: sizes.sum()].tobytes(), sizes
