"""
Understand and tighten AWS network traffic: VPC Flow Logs with their meaning.

>>> import vpcflow
>>> flows = list(vpcflow.read("tests/corpus/aws-examples.log"))
>>> reference = vpcflow.Reference()
>>> enriched = vpcflow.enrich(flows[0], reference, columns=["protocol_name"])
>>> enriched.column("protocol_name").to_pylist()[:2]
['tcp', 'tcp']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpcflow.enrich import Reference, enrich
from vpcflow.errors import SourceError
from vpcflow.fields import ADDED, FIELDS
from vpcflow.inventory import load_inventory
from vpcflow.layout import parse_log_format
from vpcflow.object_store import is_object_url
from vpcflow.pipeline import Layouts, read_flows, within
from vpcflow.rejects import Reject
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books
from vpcflow.time_range import TimeRange, time_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    import pyarrow as pa

    from vpcflow.sources import Input

__all__ = ["ADDED", "FIELDS", "Books", "Reference", "Reject", "enrich", "load_inventory", "read"]

__version__ = "0.1.0"


def read(
    *paths: str,
    log_format: str | None = None,
    since: float | datetime | None = None,
    until: float | datetime | None = None,
    books: Books | None = None,
    on_reject: Callable[[Reject], None] | None = None,
) -> Iterator[pa.RecordBatch]:
    """
    Yield the flows in files, directories (recursively), globs and ``s3://`` addresses as batches, in input order.

    Columns have AWS's names with underscores; texts and addresses are dictionaries, ``-`` is null, times are Unix
    seconds; ``source_object`` and ``source_line`` say where a record was. ``log_format`` is the layout of lines without
    a header, by default AWS's. Only flows that ended from ``since`` on and before ``until`` are given (Unix seconds or
    datetimes), and in S3 only objects of about that time are read. Rejects go to ``on_reject``, all counts to
    ``books``.

    Raises ``SourceError`` for a path that matches nothing, ``AwsError`` where S3 cannot be listed, and, unless
    ``books`` is given to look at its ``faults``, ``SourceError`` at the end of an input that could not be read whole.
    """
    kept = Books() if books is None else books
    layouts = Layouts([parse_log_format(log_format)] if log_format else [])

    def hand_on(rejects: Sequence[Reject]) -> None:
        if on_reject is not None:
            for reject in rejects:
                on_reject(reject)

    times = time_range(since, until)
    for source in _find(paths, times):
        flows = read_flows(read_input(source), kept, layouts=layouts, on_rejects=hand_on)
        yield from within(flows, times, kept)
        if books is None and kept.faults:
            raise SourceError(f"{kept.faults[0].source} {kept.faults[0].reason}")


def _find(paths: Sequence[str], times: TimeRange) -> list[Input]:
    if not any(map(is_object_url, paths)):
        return find_inputs(paths)
    from vpcflow.aws.extra import open_s3
    from vpcflow.sources.objects import find_objects, read_ahead

    store = open_s3()
    return read_ahead(find_inputs(paths, objects=lambda url: find_objects(store, url, times=times)))
