"""Places that someone was asked for, for as long as they may be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpcflow.geo.place import Place
from vpcflow.geo.place_table import NO_PLACE, PlaceTable, PlaceTableBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class RememberedPlaces:
    """
    The place of each of at most ``most`` addresses, by the address's number, for ``keep_s`` seconds.

    Where there are too many, those that expired go, then the oldest, until a quarter is free. Not safe for threads by
    itself.
    """

    def __init__(self, most: int, keep_s: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._keep_s = keep_s
        self._clock = clock
        self._known: dict[int, tuple[Place, float]] = {}
        self._number_anew()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, addresses: Sequence[int]) -> list[int | None]:
        """Give the row of each address's place in the table, None where nothing is remembered."""
        now_s = self._clock()
        found: list[int | None] = []
        for address in addresses:
            place, expires_s = self._known.get(address, (None, 0.0))
            found.append(None if place is None or expires_s <= now_s else self._row(place))
        return found

    def remember(self, address: int, place: Place) -> None:
        """Remember a place, or with an empty one that there is none, from now on."""
        now_s = self._clock()
        # Out and in again: the oldest come first.
        self._known.pop(address, None)
        if len(self._known) >= self._most:
            self._make_room(now_s)
        self._known[address] = (place, now_s + self._keep_s)

    def table(self) -> PlaceTable:
        """Give the table that rows found are of."""
        table = self._builder.table()
        if len(self._rows) > 2 * self._most:
            # Places that are no longer anyone's: rows are numbered anew from the next search on.
            self._number_anew()
        return table

    def _row(self, place: Place) -> int:
        row = self._rows.get(place)
        if row is None:
            row = self._rows[place] = int(self._builder.add([place])[0])
        return row

    def _number_anew(self) -> None:
        self._rows: dict[Place, int] = {Place(): NO_PLACE}
        self._builder = PlaceTableBuilder()

    def _make_room(self, now_s: float) -> None:
        self._known = {a: known for a, known in self._known.items() if known[1] > now_s}
        # A quarter at least, or the next address would have all looked through again.
        too_many = len(self._known) - self._most * 3 // 4
        for address in list(self._known)[: max(0, too_many)]:
            del self._known[address]
