"""A security lake: the same events as the documents, in the folders Security Lake wants, and flows when read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from flow_batches import V2, batch
from golden_documents import cases, corpus

from vpcflow.cli.sink import sink_opener
from vpcflow.errors import FormatError
from vpcflow.fields import FIELDS
from vpcflow.schemas import encode_ocsf
from vpcflow.schemas.ocsf.rows import row_schema, rows_of
from vpcflow.tables import parse_rows

GROUPS = {"cases": cases, "corpus": corpus}
DAY_S = 86_400


def event_in(row: Any) -> Any:
    """Make of a row the event as a document: without nulls, maps as objects, JSON read."""
    if isinstance(row, dict):
        found = {name: event_in(value) for name, value in row.items() if value is not None}
        if "unmapped" in found:
            found["unmapped"] = dict(row["unmapped"])
        if {"provider", "data"} <= set(found):
            found["data"] = json.loads(found["data"])
        return {name: value for name, value in found.items() if value not in ([], {})}
    return [event_in(item) for item in row] if isinstance(row, list) else row


def as_texts(document: dict[str, Any]) -> dict[str, Any]:
    """Spell what is unmapped as a map of texts does."""
    spelled = {}
    for name, value in document.get("unmapped", {}).items():
        if name == "other":
            spelled |= {f"other.{inner}": text for inner, text in value.items()}
        elif isinstance(value, list):
            spelled[name] = json.dumps(value, separators=(",", ":"))
        else:
            # A text of Arrow's has no .0 behind a whole number.
            spelled[name] = f"{value:.15g}" if isinstance(value, float) else str(value)
    return {**document, "unmapped": spelled} if spelled else document


@pytest.mark.parametrize("group", GROUPS)
def test_rows_are_the_events_that_documents_are(group: str) -> None:
    for case, flows in GROUPS[group]():
        documents = b"".join(map(bytes, encode_ocsf(flows))).splitlines()

        rows = rows_of(flows)

        assert rows.schema.equals(row_schema())
        assert [(case, event_in(row)) for row in rows.to_pylist()] == [
            (case, as_texts(json.loads(document))) for document in documents
        ]


def write(to: Path, *rows: dict[str, Any]) -> list[str]:
    with sink_opener(f"{to}/", None, "ocsf")() as sink:
        sink.write(batch([V2 | row for row in rows]))
    return sorted(str(path.parent.relative_to(to)) for path in to.rglob("*.parquet"))


def test_a_file_is_of_a_region_an_account_and_the_day_of_the_start(tmp_path: Path) -> None:
    first = {"region": "eu-west-1", "start": 20_000 * DAY_S - 1, "end": 20_000 * DAY_S + 5}
    second = {"region": "eu-west-1", "start": 20_000 * DAY_S, "account_id": "210987654321"}

    folders = write(tmp_path, first, second, first, {"start": 0})

    assert folders == [
        "region=eu-west-1/accountId=123456789012/eventDay=20241003",
        "region=eu-west-1/accountId=210987654321/eventDay=20241004",
        "region=unknown/accountId=123456789012/eventDay=19700101",
    ]


def test_what_a_log_calls_a_region_makes_no_folder_of_its_own(tmp_path: Path) -> None:
    folders = write(tmp_path, {"region": "../x", "start": 0})

    assert folders == ["region=..%2Fx/accountId=123456789012/eventDay=19700101"]


def test_events_of_a_file_are_in_order_of_time(tmp_path: Path) -> None:
    starts = [1700000000 + 7 * i % 50 for i in range(50)]
    write(tmp_path, *({"start": s, "interface_id": f"eni-{s % 3}"} for s in starts))

    [path] = tmp_path.rglob("*.parquet")
    times = pq.read_table(path, partitioning=None).column("time").to_pylist()

    assert times == sorted(times) and len(set(times)) == 50


def test_a_query_engine_reads_nested_columns(tmp_path: Path) -> None:
    write(tmp_path, {"bytes": 40, "reject_reason": "BPA"}, {"bytes": 2})

    found = duckdb.sql(
        "select accountId, sum(traffic.bytes), max(unmapped['reject_reason']), max(src_endpoint.ip)"
        f" from read_parquet('{tmp_path}/**/*.parquet', hive_partitioning = true) group by all"
    ).fetchall()

    assert found == [(123456789012, 42, "BPA", "198.51.100.7")]


def test_rows_read_back_are_the_flows_they_were_made_of() -> None:
    names = {field.column for field in FIELDS}
    for case, flows in cases():
        parsed = parse_rows(rows_of(flows), "x", 1)

        found, expected = (
            [
                {n: v for n, v in row.items() if n in names and v is not None}
                for row in rows.to_pylist()
            ]
            for rows in (parsed.batch, flows)
        )

        assert (case, found) == (case, expected)


@pytest.mark.parametrize("to", ["events.parquet", "-"])
def test_a_lake_is_a_folder(to: str) -> None:
    with pytest.raises(FormatError, match="but for ocsf in a folder"):
        sink_opener(to, "parquet", "ocsf")
