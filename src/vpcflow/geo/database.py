"""A geolocation database for the length of a run: addresses to places, each looked up once."""

from __future__ import annotations

import ipaddress
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from vpcflow.addresses import Addresses
from vpcflow.errors import ReferenceDataError
from vpcflow.geo.memo import Memo
from vpcflow.geo.mmdb import Mmdb
from vpcflow.geo.place import read_place
from vpcflow.geo.place_columns import PATHS, place_columns
from vpcflow.geo.place_table import NO_PLACE, Places, PlaceTableBuilder
from vpcflow.special_ranges import GLOBAL, classify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

Kind = Literal["place", "asn"]

MAX_AGE_DAYS = 90
"""From this age on results carry a word about it: every month some addresses move."""

_ATTRIBUTIONS = {
    "dbip": "IP Geolocation by DB-IP (https://db-ip.com)",
    "geolite2": "This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com",
}
"""What licences ask for, by what the names of the database or its file hold, hyphens aside."""


class GeoDatabase:
    """
    An MMDB file of places or autonomous systems, and what has been found in it so far.

    Private, reserved, documentation and multicast addresses have no place, whatever the database says. Lookups may
    come from several threads. Memory is bounded: after ``max_addresses`` what has been found is forgotten.
    """

    def __init__(self, path: Path, *, max_addresses: int = 1 << 19) -> None:
        self.path = path
        self._mmdb = Mmdb(path)
        self._max_addresses = max_addresses
        self._lock = threading.Lock()
        self._forget()

    @property
    def type(self) -> str:
        """The type the file says it has, e.g. ``GeoLite2-City``."""
        return self._mmdb.metadata.database_type

    @property
    def description(self) -> str | None:
        """The English description in the file."""
        return self._mmdb.metadata.description

    @property
    def build_date(self) -> date:
        """The day (UTC) the database was built."""
        return datetime.fromtimestamp(self._mmdb.metadata.build_epoch, UTC).date()

    @property
    def node_count(self) -> int:
        """How many nodes the search tree has: a measure of how fine the database is."""
        return self._mmdb.metadata.node_count

    @property
    def ip_version(self) -> int:
        """4 where the database knows IPv4 addresses only, else 6."""
        return self._mmdb.metadata.ip_version

    @property
    def attribution(self) -> str | None:
        """What the database's licence wants to be said where results are shown; else None."""
        names = f"{self.type} {self.description} {self.path.name}".lower().replace("-", "")
        return next((text for name, text in _ATTRIBUTIONS.items() if name in names), None)

    def age_days(self, now_s: float) -> int:
        """Tell how many days ago the database was built; ``now_s`` is Unix time."""
        return (datetime.fromtimestamp(now_s, UTC).date() - self.build_date).days

    def age_notice(self, now_s: float) -> str | None:
        """Word a notice where the database is older than 90 days; ``now_s`` is Unix time."""
        days = self.age_days(now_s)
        if days <= MAX_AGE_DAYS:
            return None
        return (
            f"the geolocation database {self.type} is of {self.build_date}, {days} days old:"
            " addresses have moved since, and --geo takes a newer one"
        )

    def places(self, addresses: Addresses) -> Places:
        """Look addresses up, best distinct ones: one seen before costs some 20 ns, a new one a few microseconds."""
        rows = np.full(len(addresses.valid), NO_PLACE, np.intp)
        ipv4 = np.flatnonzero(addresses.is_ipv4)
        ipv6 = np.flatnonzero(addresses.valid & ~addresses.is_ipv4)
        with self._lock:
            if self._is_full():
                self._forget()
            rows[ipv4] = self._ipv4.look_up(
                (addresses.low[ipv4],), lambda at: self._find(addresses.take(ipv4[at]))
            )
            rows[ipv6] = self._ipv6.look_up(
                (addresses.high[ipv6], addresses.low[ipv6]),
                lambda at: self._find(addresses.take(ipv6[at])),
            )
            return Places(rows, rows, self._found.table())

    def _find(self, addresses: Addresses) -> npt.NDArray[np.int32]:
        """Give the rows of new addresses in the table of places, which grows by the places not yet in it."""
        rows = np.full(len(addresses.valid), NO_PLACE, np.int32)
        records = self._mmdb.records(addresses)
        at = np.flatnonzero((records > 0) & (classify(addresses) == GLOBAL))
        rows[at] = self._records.look_up(
            (records[at].astype(np.uint64),),
            lambda first: self._add(records[at[first]], addresses.take(at[first])),
        )
        return rows

    def _add(self, records: npt.NDArray[np.int64], addresses: Addresses) -> npt.NDArray[np.int32]:
        """Add the places of records, by one address of each, and give their rows."""
        values = self._mmdb.values(records, PATHS)
        columns = None if values is None else place_columns(values, self._mmdb.section)
        if columns is not None:
            return self._found.add_columns(columns, len(records))
        return self._found.add(
            [read_place(self._mmdb.decode(address)) for address in _one_by_one(addresses)]
        )

    def _is_full(self) -> bool:
        # There are never more places than addresses.
        return len(self._ipv4) + len(self._ipv6) > self._max_addresses

    def _forget(self) -> None:
        self._ipv4 = Memo(1)
        self._ipv6 = Memo(2)
        self._records = Memo(1)
        self._found = PlaceTableBuilder()


def open_geo(path: str | PathLike[str], kind: Kind | None = None) -> GeoDatabase:
    """
    Open an MMDB file, nested or flat; ``kind`` is what it is wanted for.

    Raises ReferenceDataError where there is no such file, where it is no MMDB file, or where it plainly is of the
    other kind: autonomous systems where places are wanted, or the reverse.
    """
    database = GeoDatabase(Path(path))
    name = database.type.lower()
    has_asn, has_places = "asn" in name, "city" in name or "country" in name
    if kind == "place" and has_asn and not has_places:
        raise ReferenceDataError(
            f"{str(path)!r} knows autonomous systems, not places (its type is {database.type!r}): give it with --asn"
        )
    if kind == "asn" and has_places and not has_asn:
        raise ReferenceDataError(
            f"{str(path)!r} knows places, not autonomous systems (its type is {database.type!r}): give it with --geo"
        )
    return database


def _one_by_one(addresses: Addresses) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    halves = zip(addresses.high.tolist(), addresses.low.tolist(), strict=True)
    for is_ipv4, (high, low) in zip(addresses.is_ipv4.tolist(), halves, strict=True):
        yield ipaddress.IPv4Address(low) if is_ipv4 else ipaddress.IPv6Address(high << 64 | low)
