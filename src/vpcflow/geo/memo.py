"""What has been found for a key, for many keys at once: a hash table in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Keys = tuple[npt.NDArray[np.uint64], ...]
"""Keys of one or several 64-bit numbers, a column each."""

_Slots = npt.NDArray[np.intp]

_EMPTY = -1
_FIRST_SLOT_BITS = 12
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Memo:
    """
    A number, not negative, for each key; at least half of the slots are empty.

    A key is at the slot it hashes to or in the row of full slots from there on. A hit costs some 10 ns, where a binary
    search in sorted keys takes 100.
    """

    def __init__(self, width: int) -> None:
        self._length = 0
        self._allocate(width, _FIRST_SLOT_BITS)

    def __len__(self) -> int:
        return self._length

    def look_up(
        self, keys: Keys, find: Callable[[_Slots], npt.NDArray[np.int32]]
    ) -> npt.NDArray[np.int32]:
        """
        Give the number of each key.

        ``find`` is called at most once, with the indices (into ``keys``) of one of each of the new keys, and gives
        their numbers.
        """
        values = self._values[self._locate(keys)]
        new = np.flatnonzero(values == _EMPTY)
        if len(new):
            first = new[_first_of_each(_pick(keys, new))]
            self._insert(_pick(keys, first), find(first))
            values[new] = self._values[self._locate(_pick(keys, new))]
        return values

    def _locate(self, keys: Keys) -> _Slots:
        """Give the slot of each key, or the empty one where it would go."""
        slots = self._home(keys)
        searching = np.flatnonzero(self._is_of_another(slots, keys))
        while len(searching):
            slots[searching] = (slots[searching] + 1) & (len(self._values) - 1)
            is_of_another = self._is_of_another(slots[searching], _pick(keys, searching))
            searching = searching[is_of_another]
        return slots

    def _is_of_another(self, slots: _Slots, keys: Keys) -> npt.NDArray[np.bool_]:
        is_of_another: npt.NDArray[np.bool_] = self._values[slots] != _EMPTY
        equal = self._keys[0][slots] == keys[0]
        for slot_keys, column in zip(self._keys[1:], keys[1:], strict=True):
            equal &= slot_keys[slots] == column
        is_of_another &= ~equal
        return is_of_another

    def _insert(self, keys: Keys, values: npt.NDArray[np.int32]) -> None:
        """Add new keys, all different."""
        self._length += len(values)
        if self._length * 2 > len(self._values):
            self._grow()
        pending = np.arange(len(values))
        while len(pending):
            slots = self._locate(_pick(keys, pending))
            # Of several keys that want the same slot the last one gets it; the others look again.
            self._values[slots] = pending
            won = self._values[slots] == pending
            for slot_keys, column in zip(self._keys, keys, strict=True):
                slot_keys[slots[won]] = column[pending[won]]
            self._values[slots[won]] = values[pending[won]]
            pending = pending[~won]

    def _grow(self) -> None:
        full = np.flatnonzero(self._values != _EMPTY)
        keys, values = _pick(self._keys, full), self._values[full]
        self._allocate(len(keys), (self._length * 3).bit_length())
        self._length -= len(values)
        self._insert(keys, values)

    def _allocate(self, width: int, slot_bits: int) -> None:
        self._shift = np.uint64(64 - slot_bits)
        self._keys: Keys = tuple(np.zeros(1 << slot_bits, np.uint64) for _ in range(width))
        self._values = np.full(1 << slot_bits, _EMPTY, np.int32)

    def _home(self, keys: Keys) -> _Slots:
        hashes = keys[0] * _GOLDEN
        for column in keys[1:]:
            hashes = (hashes ^ (hashes >> np.uint64(32)) ^ column) * _GOLDEN
        return (hashes >> self._shift).astype(np.intp)


def _first_of_each(keys: Keys) -> _Slots:
    """Give the index of one of each of the different keys."""
    order = np.lexsort(keys)
    sorted_keys = _pick(keys, order)
    differs = np.zeros(len(order), np.bool_)
    differs[:1] = True
    for column in sorted_keys:
        differs[1:] |= column[1:] != column[:-1]
    return order[differs]


def _pick(keys: Sequence[npt.NDArray[np.uint64]], at: _Slots) -> Keys:
    return tuple(column[at] for column in keys)
