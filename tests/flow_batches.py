"""Batches of flows for tests: as parsing and enriching make them, and random ones; and documents made row by row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
from hypothesis import strategies as st

from vpcflow.file_schema import TEXT, TYPES

TEXTS = pa.list_(TEXT)
PROVENANCE = ("source_object", "source_line")
INT64 = st.integers(-(2**63), 2**63 - 1)

V2 = {
    "version": 2,
    "account_id": "123456789012",
    "interface_id": "eni-0a1b2c3d4e5f60718",
    "srcaddr": "198.51.100.7",
    "dstaddr": "10.0.1.24",
    "srcport": 52144,
    "dstport": 443,
    "protocol": 6,
    "packets": 12,
    "bytes": 4840,
    "start": 1700000000,
    "end": 1700000058,
    "action": "ACCEPT",
    "log_status": "OK",
}
ENRICHED = V2 | {
    "security_group_ids": ["sg-01b2c3d4e5f607182", "sg-0a1b2c3d4e5f60718"],
    "direction": "ingress",
    "src_geo_country_code": "US",
    "src_geo_country_name": "United States",
    "src_geo_region_code": "WA",
    "src_geo_region_name": "Washington",
    "src_geo_city": "Seattle",
    "src_geo_latitude": 47.6062,
    "src_geo_longitude": -122.3321,
}
QUIET = dict.fromkeys("srcaddr dstaddr srcport dstport protocol packets bytes action".split()) | {
    "log_status": "NODATA"
}


def array(name: str, values: Sequence[Any]) -> pa.Array:
    """Make a column of the type it has in memory, text with a dictionary of distinct values."""
    kind = TYPES.get(name, TEXT)
    if kind.equals(TEXT):
        return pa.array(values, pa.string()).dictionary_encode()
    if kind.equals(TEXTS):
        plain = pa.array(values, pa.list_(pa.string()))
        encoded = plain.values.dictionary_encode()
        return pa.ListArray.from_arrays(plain.offsets, encoded, mask=plain.is_null())
    return pa.array(values, kind)


def batch(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> pa.RecordBatch:
    """Make a batch of rows; a row lacks what is null."""
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    return pa.RecordBatch.from_arrays(
        [array(name, [row.get(name) for row in rows]) for name in names], names=names
    )


def flows(count: int, **changes: Any) -> pa.RecordBatch:
    """Make enriched flows that differ in port, bytes and times."""
    return batch(
        [
            ENRICHED
            | {"srcport": 1024 + i % 60000, "bytes": 40 + 97 * i, "start": 1700000000 + i % 50}
            | changes
            for i in range(count)
        ]
    )


def documents(flows: pa.RecordBatch, columns: Sequence[str] | None = None) -> bytes:
    """Encode row by row what ``encode_flat`` encodes by columns."""
    names = columns or [name for name in flows.schema.names if name not in PROVENANCE]
    rows = flows.select([name for name in names if name in flows.schema.names]).to_pylist()
    return b"".join(orjson.dumps(_document(row)) + b"\n" for row in rows)


def _document(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _value(value)
        for name, value in row.items()
        if value is not None and not (isinstance(value, float) and not math.isfinite(value))
    }


def _value(value: Any) -> Any:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return {tag["key"]: tag["value"] for tag in value}
    return value


def values_of(name: str) -> st.SearchStrategy[Any]:
    """Give values a column may have, null among them, few or many of them distinct."""
    kind = TYPES.get(name, TEXT)
    text = st.text(max_size=12) | st.sampled_from(
        ["", '"', "\\", "\x00", "\x1f", "é", "\U0001f600"]
    )
    if kind.equals(TEXT) or pa.types.is_string(kind):
        plain: st.SearchStrategy[Any] = text
    elif kind.equals(TEXTS):
        plain = st.lists(st.sampled_from(["sg-1", "sg-2", "sg-3", 'a"b']), max_size=4)
    elif pa.types.is_list(kind):
        tags = st.dictionaries(text, text, max_size=3)
        plain = tags.filter(bool).map(
            lambda found: [{"key": key, "value": value} for key, value in found.items()]
        )
    elif pa.types.is_floating(kind):
        plain = st.floats() | st.sampled_from([0.0, -0.0, 1.0, 47.6062, 1e300])
    elif kind.equals(pa.int32()):
        plain = st.integers(-(2**31), 2**31 - 1) | st.integers(0, 65535) | st.integers(0, 9)
    else:
        plain = INT64 | st.integers(0, 2**40) | st.integers(1700000000, 1700000600)
    return st.none() | plain


@st.composite
def batches(draw: st.DrawFn, min_rows: int = 0, max_rows: int = 24) -> pa.RecordBatch:
    """Draw a batch of some columns of all types, in any order."""
    choice = "version account_id srcaddr srcport bytes start end action eni_tags security_group_ids"
    names = draw(
        st.lists(
            st.sampled_from(
                [*choice.split(), "src_geo_latitude", "event_id", "source_line", "x-y"]
            ),
            min_size=1,
            max_size=7,
            unique=True,
        )
    )
    rows = draw(st.integers(min_rows, max_rows))
    columns = [draw(st.lists(values_of(name), min_size=rows, max_size=rows)) for name in names]
    return pa.RecordBatch.from_arrays(
        [array(name, values) for name, values in zip(names, columns, strict=True)], names=names
    )
