"""What a function enriches flows from: inventory, geolocation, AWS's ranges and named networks, as its settings say."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vpcflow.aws_ranges import load_aws_ranges
from vpcflow.enrich import Reference
from vpcflow.errors import VpcflowError
from vpcflow.lambdas.geolocation import open_geolocation
from vpcflow.networks import load_networks
from vpcflow.object_store import is_object_url, parse_object_url

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import pyarrow as pa

    from vpcflow.inventory import Inventory
    from vpcflow.lambdas.geolocation import Geolocation
    from vpcflow.lambdas.settings import Settings
    from vpcflow.lambdas.telemetry import Batch
    from vpcflow.pipeline import Layouts

    Warn = Callable[[str], None]

RETRY_S = 300.0
"""How long a file that could not be had is not asked for again."""


class Inventories(Protocol):
    """Where the inventory comes from: see ``aws.inventory_source.InventorySource``."""

    counts: Counter[str]

    @property
    def age_s(self) -> float | None: ...

    def look_up(self, interface_ids: Collection[str]) -> Inventory: ...

    def layouts(self, stream_arn: str | None = None) -> Layouts: ...


class Enrichment:
    """All of it. It never raises while serving: what cannot be had leaves its columns empty, and is counted."""

    def __init__(
        self,
        settings: Settings,
        inventories: Inventories,
        geolocation: Geolocation,
        *,
        fetch: Callable[[str], bytes] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        warn: Warn = lambda _: None,
    ) -> None:
        self._inventories = inventories
        self._geolocation = geolocation
        self._max_age_s: int = settings.inventory_max_age_s
        self._counts: Counter[str] = Counter()

        def file(name: str | None, load: Callable[[str], Any]) -> _File | None:
            if name is None:
                return None
            return _File(name, load, fetch or fetch_object, monotonic, self._counts, warn)

        self._aws_ranges = file(settings.aws_ranges, load_aws_ranges)
        self._networks = file(settings.networks, load_networks)

    def layouts(self, stream_arn: str | None) -> Layouts:
        """Give the layouts of lines without a header, of those that come straight from flow logs to a stream too."""
        return self._inventories.layouts(stream_arn)

    def reference(self, flows: Sequence[pa.RecordBatch]) -> Reference:
        """Give what these flows are enriched from; interfaces that the inventory lacks are looked up."""
        return Reference(
            inventory=self._inventories.look_up(_interface_ids(flows)),
            geo=self._geolocation.geo,
            asn=self._geolocation.asn,
            aws_ranges=None if self._aws_ranges is None else self._aws_ranges.content(),
            networks=None if self._networks is None else self._networks.content(),
            max_age_s=self._max_age_s,
        )

    def tell(self, batch: Batch) -> None:
        """Tell how old the inventory is, and all that was counted since the last batch."""
        age_s = self._inventories.age_s
        batch.measure("inventory_age_s", age_s)
        batch.count("inventory_missing", age_s is None)
        for counts in (self._inventories.counts, self._geolocation.counts, self._counts):
            batch.take(counts)


def check_lookups(settings: Settings) -> None:
    """Raise ``VpcflowError`` where lookup data is wrong that can be looked at before a function serves."""
    open_geolocation(settings)
    for name, load in ((settings.aws_ranges, load_aws_ranges), (settings.networks, load_networks)):
        if name is not None and is_object_url(name):
            parse_object_url(name)
        elif name is not None:
            load(name)


def fetch_object(url: str) -> bytes:
    """Read an object of S3; raises ``AwsError``."""
    from vpcflow.aws.clients import IN_A_FUNCTION
    from vpcflow.aws.s3 import S3

    return S3(patience=IN_A_FUNCTION).read(*parse_object_url(url))


class _File:
    """A file of lookup data: a local one is read at once, and has to be right; one in S3 at first use."""

    def __init__(
        self,
        name: str,
        load: Callable[[str], Any],
        fetch: Callable[[str], bytes],
        monotonic: Callable[[], float],
        counts: Counter[str],
        warn: Warn,
    ) -> None:
        self._name = name
        self._load = load
        self._fetch = fetch
        self._monotonic = monotonic
        self._counts = counts
        self._warn = warn
        self._due = float("-inf")
        self._content = None if is_object_url(name) else load(name)

    def content(self) -> Any:
        if self._content is None and self._monotonic() >= self._due:
            try:
                self._content = self._fetched()
            except VpcflowError as error:
                self._counts["files_failed"] += 1
                self._due = self._monotonic() + RETRY_S
                self._warn(str(error))
        return self._content

    def _fetched(self) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self._name.rpartition("/")[2]
            path.write_bytes(self._fetch(self._name))
            return self._load(str(path))


def _interface_ids(flows: Sequence[pa.RecordBatch]) -> list[str]:
    found: dict[str, None] = {}
    for batch in flows:
        for name in ("interface_id", "tgw_src_eni", "tgw_dst_eni"):
            if name in batch.schema.names:
                found.update(dict.fromkeys(batch.column(name).dictionary.to_pylist()))
    return [one for one in found if one is not None]
