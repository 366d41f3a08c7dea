"""
Nanoseconds and bytes a record for the documents of each schema, in one process: ``python -m bench.schemas``, as JSON.

The flows are parsed, and enriched by all enrichers, before. The schemas take turns.
"""

from __future__ import annotations

import json
import os
import time
from statistics import median

from bench.enrichers import batches, options, reference_of
from vpcflow.enrich import enrich
from vpcflow.schemas import SCHEMAS

_MOST_RECORDS = 250_000
_ROUNDS = 5


def main() -> None:
    chosen = options()
    os.sched_setaffinity(0, {chosen.core})
    reference = reference_of(chosen)
    flows = [enrich(batch, reference) for batch in batches(chosen.logs, _MOST_RECORDS)]
    records = sum(batch.num_rows for batch in flows)
    took: dict[str, list[int]] = {name: [] for name in SCHEMAS}
    written = dict.fromkeys(SCHEMAS, 0)
    for _ in range(_ROUNDS + 1):
        for name, schema in SCHEMAS.items():
            started = time.perf_counter_ns()
            written[name] = sum(text.size for batch in flows for text in schema.encode(batch))
            took[name].append(time.perf_counter_ns() - started)
    found = {
        name: {"warm_ns": median(rounds[1:]) / records, "bytes": written[name] / records}
        for name, rounds in took.items()
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
