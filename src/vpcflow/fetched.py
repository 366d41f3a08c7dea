"""What lies in S3, here for a while: for readers of files, with the names it has there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.errors import SourceError, VpcflowError
from vpcflow.object_store import ObjectUrl, parse_object_url
from vpcflow.sources.objects import folder_of, stored_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vpcflow.object_store import ObjectStore, StoredObject

_AT_ONCE = 8


class Fetched(NamedTuple):
    """A file or folder that stands for an address in S3."""

    path: Path
    url: str

    def named(self, text: str) -> str:
        """Name in a text what it names here as it is named in S3."""
        return text.replace(str(self.path), self.url.rstrip("/"))


@contextlib.contextmanager
def fetched(
    store: ObjectStore,
    url: str,
    *,
    choose: Callable[[Sequence[StoredObject]], Iterable[StoredObject]] = lambda found: found,
) -> Iterator[Fetched]:
    """
    Fetch an object, or those of ``choose`` in a folder, bucket or glob, to a temporary folder that goes at the end.

    Files have the modification times of their objects. A ``VpcflowError`` raised meanwhile names what is in S3. Raises
    ``SourceError`` where nothing is there or it cannot be read to its end, ``AwsError`` where the store refuses.
    """
    place = parse_object_url(url)
    found = stored_objects(store, url)
    # What has been opened may still be mapped into memory, which some systems do not let go.
    with tempfile.TemporaryDirectory(prefix="vpcflow-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        if [one.key for one in found] == [place.key]:
            here = Fetched(folder / place.name, url)
            _fetch(store, place.bucket, found[0], here.path)
        else:
            above = ObjectUrl(place.bucket, folder_of(place))
            here = Fetched(folder, str(above))
            _fetch_all(store, above, list(choose(found)), folder)
        try:
            yield here
        except VpcflowError as error:
            error.args = (here.named(str(error)),)
            raise


def _fetch_all(
    store: ObjectStore, above: ObjectUrl, objects: Sequence[StoredObject], folder: Path
) -> None:
    def fetch(one: StoredObject) -> None:
        # Empty names in a key ("a//b") are none in a path; "." and ".." are hidden names and not found.
        parts = [part for part in one.key.removeprefix(above.key).split("/") if part]
        path = folder.joinpath(*parts)
        _fetch(store, above.bucket, one, path)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(fetch, objects):
            pass


def _fetch(store: ObjectStore, bucket: str, one: StoredObject, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with store.open(bucket, one.key) as body, path.open("xb") as file:
            shutil.copyfileobj(body, file, 1 << 20)
    except OSError as error:
        url = ObjectUrl(bucket, one.key)
        raise SourceError(f"{url} cannot be fetched: {error.strerror or error}") from error
    os.utime(path, (one.modified_at, one.modified_at))
