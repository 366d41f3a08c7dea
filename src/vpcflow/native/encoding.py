"""Texts to base64: ``base64.c``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vpcflow.native.library import address_of, compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

_PAIRS_BYTES = 8192


def base64_texts(texts: Sequence[bytes]) -> list[str] | None:
    """Give each text in base64."""
    functions = compiled()
    if functions is None:
        return None
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    ends = np.cumsum((sizes + 2) // 3 * 4).tolist()
    joined = b"".join(texts)
    out = np.empty(ends[-1] if ends else 0, np.uint8)
    pairs = np.empty(_PAIRS_BYTES, np.uint8)
    functions.base64(joined, address_of(sizes), len(texts), address_of(out), address_of(pairs))
    encoded = str(out.data, "ascii")
    return [encoded[first:end] for first, end in zip([0, *ends], ends)]
