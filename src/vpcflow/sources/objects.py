"""
Objects in S3: found by the layouts AWS writes flow logs in, and read ahead, for a small object is mostly a wait.

Both layouts, with an organisation's id or without, by day or by hour, of VPCs and of transit gateways::

    [PREFIX/]AWSLogs/[ORG/]ACCOUNT/vpcflowlogs/REGION/YYYY/MM/DD/[HH/]
    [PREFIX/]AWSLogs/[ORG/]aws-account-id=ACCOUNT/aws-service=vpcflowlogs/aws-region=REGION/year=…/month=…/day=…/[hour=…/]
    …/ACCOUNT_vpcflowlogs_REGION_fl-ID_YYYYMMDDTHHmmZ_HASH.log.gz

https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
"""

from __future__ import annotations

import io
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from vpcflow.errors import AwsError, SourceError
from vpcflow.object_store import ObjectUrl, StoredObject, is_object_url, parse_object_url
from vpcflow.sources import Input
from vpcflow.time_range import ALWAYS, TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

    from vpcflow.object_store import ObjectStore

NAMED_BEFORE_S = 600
NAMED_AFTER_S = 3600
"""
How much earlier and later than its records' ends the time in an object's name, or of its folder, may be.

An object is named after the five minutes its records ended in, or after when it was made: delivery mostly takes ten
minutes, and is best effort.
"""

AHEAD_OBJECTS = 8
AHEAD_BYTES = 4 * 1024 * 1024
"""So many objects are begun while one is read, and so much of each is held in memory."""

_LISTS_AT_ONCE = 8
_MOST_DAYS = 62
_WILDCARD = re.compile(r"[*?\[]")
_OTHER_SERVICE = re.compile(
    r"(?:^|/)AWSLogs/(?:[^/]+/)?"
    r"(?:\d{12}/(?!vpcflowlogs/)[^/]+/|aws-account-id=[^/]+/(?!aws-service=vpcflowlogs/)[^/]+/)"
)
_REGION_FOLDER = re.compile(
    r"(?:^|/)(?:vpcflowlogs/[^/=]+|(aws-service=vpcflowlogs)/aws-region=[^/]+)/$"
)
_DATED = re.compile(
    r"(?:^|/)(?:vpcflowlogs/[^/=]+|aws-region=[^/]+)"
    r"/(?:year=)?(\d{4})(?:/(?:month=)?(\d\d)(?:/(?:day=)?(\d\d)(?:/(?:hour=)?(\d\d))?)?)?/"
)
_NAMED = re.compile(r"(?:^|/)\d{12}_vpcflowlogs_[^/_]+_fl-[^/_]+_(\d{8}T\d{4})Z_[^/]*$")


def find_objects(
    store: ObjectStore,
    url: str,
    *,
    times: TimeRange = ALWAYS,
    warn: Callable[[str], None] = lambda _: None,
) -> list[Input]:
    """
    Give the objects an ``s3://`` address names as inputs; see ``stored_objects``.

    Raises as that does; that some are there and none is of that time is said to ``warn``.
    """
    place = parse_object_url(url)
    found = stored_objects(store, url, times=times)
    if not found:
        warn(f"no object of {url} is of that time")
    return [_input(store, place.bucket, one) for one in found]


def stored_objects(
    store: ObjectStore, url: str, *, times: TimeRange = ALWAYS
) -> list[StoredObject]:
    """
    List the objects an ``s3://`` address names, in the order of their keys: one, those in a folder or bucket, a match.

    ``*``, ``?`` and ``[…]`` match within a name, ``**`` across folders. Below the address, names that begin with ``.``
    or ``_`` are passed over, as in directories, and what other services of AWS log under ``AWSLogs``. Of AWS's layouts
    only the folders and names of a time range are listed, with a margin (``NAMED_BEFORE_S``, ``NAMED_AFTER_S``); other
    objects are all taken. Raises ``SourceError`` where nothing is there, ``AwsError`` where the store does not answer.
    """
    place = parse_object_url(url)
    exact = _object_at(store, place)
    if exact is not None:
        return [exact]
    prefix, matches = _pattern(place)
    wanted = TimeRange(
        None if times.since is None else times.since - NAMED_BEFORE_S,
        None if times.until is None else times.until + NAMED_AFTER_S,
    )
    found = [
        one
        for one in _listed(store, place.bucket, prefix, wanted)
        if matches(one.key)
        and _is_log(one.key, prefix)
        and _is_within(one.key, wanted)
        and not one.key.endswith("/")
    ]
    if not found and (times.is_open or not any(map(matches, _keys(store, place.bucket, prefix)))):
        raise SourceError(f"no such object, folder or match: {url!r}")
    return sorted(found, key=lambda one: one.key.encode())


def read_ahead(
    inputs: Sequence[Input], *, objects: int = AHEAD_OBJECTS, size_bytes: int = AHEAD_BYTES
) -> list[Input]:
    """
    Let the inputs that are objects be begun, a few at a time, before it is their turn; the others stay as they are.

    For inputs that are opened in their order. An object is read up to ``size_bytes`` of it; what is beyond is read
    when it is its turn.
    """
    remote = [one for one in inputs if is_object_url(one.name)]
    if len(remote) < 2:
        return list(inputs)
    ahead = _Ahead([one.open for one in remote], objects, size_bytes)
    places = iter(range(len(remote)))
    return [
        one._replace(open=ahead.opener(next(places))) if is_object_url(one.name) else one
        for one in inputs
    ]


def _object_at(store: ObjectStore, place: ObjectUrl) -> StoredObject | None:
    if not place.key or place.key.endswith("/"):
        return None
    first = next(iter(store.objects(place.bucket, place.key)), None)
    # Nothing that begins with a key comes before the key itself.
    return first if first is not None and first.key == place.key else None


def _input(store: ObjectStore, bucket: str, one: StoredObject) -> Input:
    name = str(ObjectUrl(bucket, one.key))

    def open_object() -> BinaryIO:
        try:
            return store.open(bucket, one.key)
        except AwsError as error:
            # The input's name stands before the reason already.
            raise OSError(str(error).removeprefix(f"cannot read {name}: ")) from error

    return Input(name, one.size_bytes, open_object)


def folder_of(place: ObjectUrl) -> str:
    """Give the folder that all keys of an address lie in, as the beginning of their keys: empty or with a ``/``."""
    return _folder(_pattern(place)[0])


def _folder(prefix: str) -> str:
    return prefix[: prefix.rfind("/") + 1]


def _pattern(place: ObjectUrl) -> tuple[str, Callable[[str], bool]]:
    """Give what the keys of an address begin with, and what tells whether a key is one of them."""
    wildcard = _WILDCARD.search(place.key)
    if wildcard is None:
        return place.folder, lambda _: True
    pattern = re.compile(_expression(place.key.rstrip("/")) + r"(?:/.*)?", re.DOTALL)
    return place.key[: wildcard.start()], lambda key: pattern.fullmatch(key) is not None


def _expression(glob: str) -> str:
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    words = re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]/]+\]|.", glob, re.DOTALL)
    return "".join(parts.get(word) or _one(word) for word in words)


def _one(word: str) -> str:
    if len(word) == 1:
        return re.escape(word)
    inner = word[1:-1].replace("\\", "\\\\")
    return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"


def _listed(
    store: ObjectStore, bucket: str, prefix: str, times: TimeRange
) -> Iterator[StoredObject]:
    """List what is below a prefix folder by folder, several at once, without those that need not be looked into."""

    def look(folder: str) -> list[StoredObject | str]:
        if times.is_open and not _is_above_services(folder):
            return list(store.objects(bucket, folder))
        return list(store.folder(bucket, folder))

    folders = _days(prefix, times) or [prefix]
    with ThreadPoolExecutor(_LISTS_AT_ONCE) as pool:
        while folders:
            inner: list[str] = []
            for entry in (entry for entries in pool.map(look, folders) for entry in entries):
                if isinstance(entry, StoredObject):
                    yield entry
                elif _is_log(entry, prefix) and _is_within(entry, times):
                    inner += _days(entry, times) or [entry]
            folders = inner


def _is_above_services(folder: str) -> bool:
    """Tell whether a folder is a bucket or holds what several services of AWS log: it is not listed as a whole."""
    return not folder or (
        re.search(r"(?:^|/)AWSLogs/(?:[^/]+/){0,2}$", folder) is not None
        and "vpcflowlogs/" not in folder
    )


def _days(folder: str, times: TimeRange) -> list[str]:
    """Give the folders of the days of a range below one of a region; none where these are to be asked for."""
    region = _REGION_FOLDER.search(folder)
    if region is None or times.since is None or times.until is None:
        return []
    day, last = (datetime.fromtimestamp(t, UTC).date() for t in (times.since, times.until))
    if (last - day).days > _MOST_DAYS:
        return []
    form = "year=%Y/month=%m/day=%d/" if region[1] else "%Y/%m/%d/"
    return [folder + (day + timedelta(days=i)).strftime(form) for i in range((last - day).days + 1)]


def _keys(store: ObjectStore, bucket: str, prefix: str) -> Iterator[str]:
    return (one.key for one in store.objects(bucket, prefix))


def _is_log(key: str, prefix: str) -> bool:
    """Tell whether a key or folder below a prefix may be or hold a flow log, by its names."""
    names = key.removeprefix(_folder(prefix)).split("/")
    hidden = any(name.startswith((".", "_")) for name in names)
    return not hidden and _OTHER_SERVICE.search(key) is None


def _is_within(key: str, times: TimeRange) -> bool:
    """Tell whether an object or folder may be of that time, by its name and those of its folders."""
    if times.is_open:
        return True
    named = _NAMED.search(key)
    if named is not None:
        at = datetime.strptime(named[1], "%Y%m%dT%H%M").replace(tzinfo=UTC).timestamp()
        return times.meets(at, at)
    dated = _DATED.search(key)
    return dated is None or times.meets(*_span(dated.groups()))


def _span(parts: Iterable[str | None]) -> tuple[float, float]:
    """Give the first moment of a year, month, day or hour, and that after its last."""
    numbers = [int(part) for part in parts if part is not None]
    try:
        year, month, day, hour = [*numbers, *(1, 1, 1, 0)[len(numbers) :]]
        first = datetime(year, month, day, hour, tzinfo=UTC)
    except ValueError:
        # Not a time after all: it may hold anything.
        return float("-inf"), float("inf")
    longest = (366, 31, 1, 1 / 24)[len(numbers) - 1]
    return first.timestamp(), (first + timedelta(days=longest)).timestamp()


class _Ahead:
    """Opens objects in threads, those that come next before they are asked for."""

    def __init__(
        self, openers: Sequence[Callable[[], BinaryIO]], objects: int, size_bytes: int
    ) -> None:
        self._openers = openers
        self._objects = objects
        self._size_bytes = size_bytes
        self._begun: dict[int, Future[BinaryIO]] = {}

    def opener(self, place: int) -> Callable[[], BinaryIO]:
        return lambda: self._open(place)

    def _open(self, place: int) -> BinaryIO:
        for passed in [p for p in self._begun if p < place]:
            self._begun.pop(passed).add_done_callback(_close)
        for later in range(place, min(place + 1 + self._objects, len(self._openers))):
            if later not in self._begun:
                self._begun[later] = self._begin(later)
        return self._begun.pop(place).result()

    def _begin(self, place: int) -> Future[BinaryIO]:
        future: Future[BinaryIO] = Future()
        begin = self._openers[place]

        def run() -> None:
            try:
                future.set_result(cast("BinaryIO", _Begun(begin(), self._size_bytes)))
            except Exception as error:  # noqa: BLE001  # whatever it is, it is raised where the object is opened
                future.set_exception(error)

        # A thread that waits for an answer must not keep the process from ending.
        threading.Thread(target=run, daemon=True).start()
        return future


def _close(future: Future[BinaryIO]) -> None:
    if future.exception() is None:
        future.result().close()


class _Begun(io.RawIOBase):
    """A stream whose first bytes are in memory already; a fault among them is raised where it was met."""

    def __init__(self, stream: BinaryIO, size_bytes: int) -> None:
        self._stream = stream
        self._fault: OSError | None = None
        pieces, size = [], 0
        try:
            while size < size_bytes and (piece := stream.read(size_bytes - size)):
                pieces.append(piece)
                size += len(piece)
        except OSError as fault:
            self._fault = fault
        self._head = io.BytesIO(b"".join(pieces))
        self._is_whole = self._fault is None and size < size_bytes
        if self._is_whole:
            # Its connection is free for another.
            stream.close()

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        if data := self._head.read(size):
            return data
        if self._fault is not None:
            raise self._fault
        return b"" if self._is_whole else self._stream.read(size)

    def close(self) -> None:
        self._stream.close()
        self._head.close()
        super().close()
