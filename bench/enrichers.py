"""
Nanoseconds a record for each enricher, in one process: ``python -m bench.enrichers``, as JSON.

Every enricher sees what the ones before it added. What several of them ask for (the ENI of each row, the addresses of
the batch) is found once a batch, here before the first of them, under the name ``shared``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pyarrow as pa

from vpcflow.addresses import parse_addresses
from vpcflow.aws_ranges import load_aws_ranges
from vpcflow.enrich import ENRICHERS, Answers, Reference
from vpcflow.geo import open_geo
from vpcflow.inventory import load_inventory
from vpcflow.networks import load_networks
from vpcflow.pipeline import read_flows
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHARED = ("at_gateway", "start_s", "end_s", "own", "own_vpc_ids", "ends", "end_addresses")
_MOST_RECORDS = 2_000_000
_ROUNDS = 5


def main() -> None:
    chosen = options()
    os.sched_setaffinity(0, {chosen.core})
    reference = reference_of(chosen)
    flows = list(batches(chosen.logs, _MOST_RECORDS))
    records = sum(batch.num_rows for batch in flows)
    rounds = [_round(flows, reference) for _ in range(_ROUNDS + 1)]
    found = {
        name: {
            "first_ns": rounds[0][name] / records,
            "warm_ns": median(took[name] for took in rounds[1:]) / records,
        }
        for name in rounds[0]
    }
    print(json.dumps(found))


def options() -> argparse.Namespace:
    """Read what is to be measured on what: a core, logs, and the look-up data."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--core", type=int, required=True)
    parser.add_argument("--captured-s", type=float, required=True)
    for name in ("logs", "inventory", "geo", "lookups"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args()


def reference_of(chosen: argparse.Namespace) -> Reference:
    """Load all look-up data."""
    return Reference(
        inventory=load_inventory(
            chosen.inventory, captured_at=chosen.captured_s, warn=lambda _: None
        ),
        geo=open_geo(chosen.geo),
        asn=open_geo(chosen.lookups / "asn.mmdb"),
        aws_ranges=load_aws_ranges(chosen.lookups / "ip-ranges.json"),
        networks=load_networks(chosen.lookups / "networks.csv"),
    )


def batches(logs: Path, most_records: int) -> Iterator[pa.RecordBatch]:
    """Parse files until there are so many records."""
    books = Books()
    for source in find_inputs([str(logs)]):
        yield from read_flows(read_input(source), books)
        if books.found >= most_records:
            return


def _round(batches: list[pa.RecordBatch], reference: Reference) -> dict[str, int]:
    """Enrich all batches, and give the nanoseconds of each part."""
    took = dict.fromkeys(("shared", *(enricher.name for enricher in ENRICHERS)), 0)
    for flows in batches:
        for name in ("srcaddr", "dstaddr"):
            # In a run the parser has just done so, and it is remembered.
            parse_addresses(flows.column(name).dictionary)
        answers = Answers(flows, reference)
        started = time.perf_counter_ns()
        for name in _SHARED:
            getattr(answers, name)
        took["shared"] += time.perf_counter_ns() - started
        added: dict[str, pa.Array] = {}
        for enricher in ENRICHERS:
            seen = _append(flows, {column: added[column] for column in enricher.needs})
            started = time.perf_counter_ns()
            added |= enricher.add(seen, answers)
            took[enricher.name] += time.perf_counter_ns() - started
    return took


def _append(flows: pa.RecordBatch, added: dict[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [*flows.columns, *added.values()], names=[*flows.schema.names, *added]
    )


if __name__ == "__main__":
    main()
