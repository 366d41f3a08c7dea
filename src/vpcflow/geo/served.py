"""Databases as a function that must not fail uses them: kept up to date, and counted instead of raised."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from vpcflow.errors import ReferenceDataError, VpcflowError
from vpcflow.geo.database import GeoDatabase, open_geo
from vpcflow.geo.lookup import no_places
from vpcflow.geo.place_table import NO_PLACE
from vpcflow.special_ranges import GLOBAL, classify

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

    from vpcflow.addresses import Addresses
    from vpcflow.geo.database import Kind
    from vpcflow.geo.place_table import Places

_AGAIN_AFTER_S = 300.0
_PARTS = "vpcflow-geo-"
# Longer than a function may run: what is older was left by one that was ended.
_ABANDONED_S = 3600.0


class Version(NamedTuple):
    """
    One version of a file that is kept elsewhere: its mark, its size, its SHA-256 where that is told, its bytes.

    The bytes raise ``OSError`` or ``VpcflowError`` where they end early.
    """

    mark: str
    size_bytes: int
    sha256: str | None
    pieces: Iterable[bytes]


class Origin(Protocol):
    """Where a file is kept."""

    def newer(self, mark: str | None) -> Version | None:
        """Give the version that is there now; None where it has this mark. Raises ``VpcflowError``."""
        ...


class ServedDatabase:
    """
    Look-ups in the database that ``current`` gives, which is None where there is none yet. They never raise.

    ``counts``, where given, gets each public address that is left without a place, by its reason.
    """

    def __init__(
        self, current: Callable[[], GeoDatabase | None], counts: Counter[str] | None = None
    ) -> None:
        self._current = current
        self._counts = counts

    def places(self, addresses: Addresses) -> Places:
        """Look addresses up, by the rules of ``GeoDatabase``."""
        database = self._current()
        reason = "geo_unknown"
        if database is None:
            places, reason = no_places(addresses), "geo_database_missing"
        else:
            try:
                places = database.places(addresses)
            except ReferenceDataError:
                places, reason = no_places(addresses), "geo_database_corrupt"
        if self._counts is not None:
            blank = addresses.take(np.flatnonzero(places.rows == NO_PLACE))
            if misses := int((classify(blank) == GLOBAL).sum()):
                self._counts.update({"geo_misses": misses, reason: misses})
        return places


class FetchedDatabase:
    """
    A database that is kept elsewhere, fetched to a folder, and looked at anew every ``every_s`` seconds.

    ``current`` gives it. Where it cannot be looked at or fetched, or what was fetched is no such database, the one that
    was there stays in use, and five minutes later it is looked at again. A file is fetched under a name of its own and
    removed as soon as it is open: its room on the disk is free again when nobody uses it any more. Both the old and
    the new database need room for a moment.
    """

    def __init__(
        self,
        origin: Origin,
        kind: Kind,
        *,
        counts: Counter[str],
        every_s: float,
        folder: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._origin = origin
        self._kind = kind
        self._counts = counts
        self._every_s = every_s
        self._folder = folder or Path(tempfile.gettempdir())
        self._clock = clock
        self._lock = threading.Lock()
        self._database: GeoDatabase | None = None
        self._mark: str | None = None
        self._look_s = 0.0

    def current(self) -> GeoDatabase | None:
        """Give the database, after a look at where it comes from if one is due; None while there is none."""
        with self._lock:
            now_s = self._clock()
            if now_s >= self._look_s:
                self._look_s = now_s + self._look(now_s)
            return self._database

    def _look(self, now_s: float) -> float:
        """Look for another version, and give the seconds until the next look."""
        try:
            version = self._origin.newer(self._mark)
            if version is not None:
                self._database, self._mark = self._fetch(version), version.mark
        except (VpcflowError, OSError):
            self._counts["geo_refresh_failed"] += 1
            return min(self._every_s, _AGAIN_AFTER_S)
        count_age(self._database, self._counts, now_s)
        return self._every_s

    def _fetch(self, version: Version) -> GeoDatabase:
        _remove_abandoned(self._folder, self._clock())
        if shutil.disk_usage(self._folder).free < version.size_bytes:
            raise ReferenceDataError(
                f"a database of {version.size_bytes:,} bytes has no room in {str(self._folder)!r}"
            )
        handle, name = tempfile.mkstemp(".mmdb", _PARTS, self._folder)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                _write(file, version)
            return open_geo(path, self._kind)
        finally:
            path.unlink()


def count_age(database: GeoDatabase | None, counts: Counter[str], now_s: float) -> None:
    """Count a database that is older than its addresses can be trusted."""
    if database is not None and database.age_notice(now_s) is not None:
        counts["geo_database_old"] += 1


def _write(file: BinaryIO, version: Version) -> None:
    digest, size = hashlib.sha256(), 0
    for piece in version.pieces:
        file.write(piece)
        digest.update(piece)
        size += len(piece)
    if size != version.size_bytes:
        raise ReferenceDataError(f"{size:,} bytes came of {version.size_bytes:,}")
    if version.sha256 is not None and digest.hexdigest() != version.sha256.lower():
        raise ReferenceDataError(f"the SHA-256 is {digest.hexdigest()}, not {version.sha256}")


def _remove_abandoned(folder: Path, now_s: float) -> None:
    """Remove what was half fetched when an earlier process was ended; others may be fetching to the same folder."""
    for path in folder.glob(f"{_PARTS}*"):
        with contextlib.suppress(OSError):
            if now_s - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()
