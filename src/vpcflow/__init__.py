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
from vpcflow.pipeline import Layouts, read_flows
from vpcflow.rejects import Reject
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

__all__ = ["ADDED", "FIELDS", "Books", "Reference", "Reject", "enrich", "load_inventory", "read"]

__version__ = "0.1.0"


def read(
    *paths: str,
    log_format: str | None = None,
    books: Books | None = None,
    on_reject: Callable[[Reject], None] | None = None,
) -> Iterator[pa.RecordBatch]:
    """
    Yield the flows in files, directories (recursively) and globs as batches, in input order.

    Columns have AWS's names with underscores; texts and addresses are dictionaries, ``-`` is null, times are Unix
    seconds; ``source_object`` and ``source_line`` say where a record was. ``log_format`` is the layout of lines without
    a header, by default AWS's. Rejects go to ``on_reject``, all counts to ``books``.

    Raises ``SourceError`` for a path that matches nothing, and, unless ``books`` is given to look at its ``faults``, at
    the end of an input that could not be read whole.
    """
    kept = Books() if books is None else books
    layouts = Layouts([parse_log_format(log_format)] if log_format else [])

    def hand_on(rejects: Sequence[Reject]) -> None:
        if on_reject is not None:
            for reject in rejects:
                on_reject(reject)

    for source in find_inputs(paths):
        yield from read_flows(
            read_input(source),
            kept,
            layouts=layouts,
            on_rejects=hand_on,
        )
        if books is None and kept.faults:
            raise SourceError(f"{kept.faults[0].source} {kept.faults[0].reason}")
