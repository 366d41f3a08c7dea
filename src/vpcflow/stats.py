"""The books: what was found, and where each record went. They balance in every run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from vpcflow.errors import BooksError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from vpcflow.rejects import Reject
    from vpcflow.sinks import Settled
    from vpcflow.sources import Fault


@dataclass
class Books:
    """
    Counts of one run. Records found are each delivered, filtered, rejected, failed, requeued or a duplicate.

    Header lines, blank lines and control messages are no records and count apart; NODATA and SKIPDATA records are
    records like others, and are also counted by those names.
    """

    found: int = 0
    delivered: int = 0
    filtered: int = 0
    failed: int = 0
    requeued: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    log_status: Counter[str] = field(default_factory=Counter)
    headers: int = 0
    blanks: int = 0
    controls: int = 0
    inputs: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def missed(self) -> int:
        """The records that were found and not delivered, though nobody asked to leave them out."""
        return self.rejected.total() + self.failed

    def count_rejects(self, rejects: Iterable[Reject]) -> None:
        """Count rejects as found and rejected."""
        reasons = Counter(reject.reason for reject in rejects)
        self.rejected += reasons
        self.found += reasons.total()

    def count_flows(self, flows: pa.RecordBatch) -> None:
        """Count flows as found, and by log status where that is not OK."""
        self.found += flows.num_rows
        if "log_status" not in flows.schema.names:
            return
        statuses = flows.column("log_status")
        if statuses.dictionary.to_pylist() == ["OK"]:
            return
        for entry in pc.value_counts(statuses).to_pylist():
            if entry["values"] not in (None, "OK"):
                self.log_status[entry["values"]] += entry["counts"]

    def count_fault(self, fault: Fault) -> None:
        """Note an input that could not be read further; what was lost with it is found and failed."""
        self.faults.append(fault)
        self.found += fault.lost
        self.failed += fault.lost

    def settle(self, settled: Settled) -> None:
        """Take back what was counted as delivered and, as its sink has learnt since, was not."""
        self.delivered -= settled.duplicates + settled.failed + len(settled.rejects)
        self.duplicates += settled.duplicates
        self.failed += settled.failed
        self.rejected.update(reject.reason for reject in settled.rejects)

    def check(self) -> None:
        """Raise ``BooksError`` where the records found are not all accounted for."""
        accounted = self.delivered + self.filtered + self.missed + self.requeued + self.duplicates
        if accounted != self.found:
            raise BooksError(f"the books do not balance: {self.balance()}")

    def balance(self) -> str:
        """Say the balance in a line: records found = delivered + filtered + rejected + failed."""
        parts = {
            "delivered": self.delivered,
            "filtered": self.filtered,
            "rejected": self.rejected.total(),
            "failed": self.failed,
        }
        parts |= {
            n: c for n, c in (("requeued", self.requeued), ("duplicates", self.duplicates)) if c
        }
        return f"{self.found:,} records found = " + " + ".join(
            f"{c:,} {n}" for n, c in parts.items()
        )
