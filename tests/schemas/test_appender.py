"""The original's documents, and where ours differ on purpose."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa
from flow_batches import ENRICHED, QUIET, V2, batch, flows

from vpcflow.schemas import SCHEMAS

# What the original answered to this record, but for "@timestamp", "account-id" and the order of groups.
ORIGINAL = {
    "@timestamp": "2023-11-14T22:14:18.000Z",
    "version": 2,
    "account-id": "123456789012",
    "interface-id": "eni-0a1b2c3d4e5f60718",
    "srcaddr": "198.51.100.7",
    "destaddr": "10.0.1.24",
    "srcport": 52144,
    "dstport": 443,
    "protocol": 6,
    "packets": 12,
    "bytes": 4840,
    "start": 1700000000,
    "end": 1700000058,
    "action": "ACCEPT",
    "log-status": "OK",
    "security-group-ids": ["sg-01b2c3d4e5f607182", "sg-0a1b2c3d4e5f60718"],
    "direction": "inbound",
    "source-country-code": "US",
    "source-country-name": "United States",
    "source-region-code": "WA",
    "source-region-name": "Washington",
    "source-city": "Seattle",
    "source-location": {"lat": 47.6062, "lon": -122.3321},
}
GEO = [name for name in ORIGINAL if name.startswith("source-") and name != "source-location"]


def documents(rows: pa.RecordBatch) -> list[dict[str, Any]]:
    encoded = b"".join(SCHEMAS["appender"].encode(rows))
    return [orjson.loads(line) for line in encoded.splitlines()]


def test_a_record_is_the_original_document_key_by_key():
    rows = batch([ENRICHED])

    (document,) = documents(rows)

    assert list(document.items()) == list(ORIGINAL.items())


def test_egress_is_outbound():
    rows = batch([ENRICHED | {"direction": "egress"}])

    (document,) = documents(rows)

    assert document["direction"] == "outbound"


def test_geographic_texts_are_empty_and_the_location_absent_where_unknown():
    rows = batch([{k: v for k, v in ENRICHED.items() if "geo" not in k}, ENRICHED])

    unknown, known = documents(rows)

    assert [unknown[name] for name in GEO] == [""] * 5
    assert "source-location" not in unknown
    assert known["source-location"] == {"lat": 47.6062, "lon": -122.3321}


def test_geographic_texts_are_there_without_a_database():
    rows = batch([V2])

    (document,) = documents(rows)

    assert [document[name] for name in GEO] == [""] * 5


def test_half_a_location_is_none():
    rows = batch(
        [
            ENRICHED | {"src_geo_longitude": None},
            ENRICHED | {"src_geo_latitude": float("nan")},
            ENRICHED,
        ]
    )

    found = [document.get("source-location") for document in documents(rows)]

    assert found == [None, None, {"lat": 47.6062, "lon": -122.3321}]


def test_groups_and_direction_are_absent_where_the_eni_is_unknown():
    rows = batch([ENRICHED | {"security_group_ids": None}, ENRICHED | {"security_group_ids": []}])

    unknown, without_groups = documents(rows)

    assert "security-group-ids" not in unknown
    assert "direction" not in unknown
    assert without_groups["security-group-ids"] == []
    assert without_groups["direction"] == "inbound"


def test_quiet_records_are_documents_without_traffic():
    rows = batch([V2 | QUIET])

    (document,) = documents(rows)

    assert document["log-status"] == "NODATA"
    assert not {"srcaddr", "destaddr", "srcport", "dstport", "protocol", "packets"} & set(document)


def test_an_account_keeps_its_leading_zeros():
    rows = batch([ENRICHED | {"account_id": "012345678901"}])

    assert documents(rows)[0]["account-id"] == "012345678901"


def test_a_time_no_date_has_leaves_the_timestamp_out():
    rows = batch(
        [ENRICHED | {"end": end} for end in (None, -1, 253402300800, 2**63 - 1, 253402300799, 0)]
    )

    found = [document.get("@timestamp") for document in documents(rows)]

    assert found == [None] * 4 + ["9999-12-31T23:59:59.000Z", "1970-01-01T00:00:00.000Z"]


def test_no_other_columns_are_in_the_document():
    rows = flows(30, tcp_flags=2, vpc_id="vpc-1")

    assert all(list(document) == list(ORIGINAL) for document in documents(rows))


def test_the_schema_names_the_columns_it_is_made_of():
    needed = SCHEMAS["appender"].columns

    assert needed is not None
    assert set(ENRICHED) <= set(needed)
    assert SCHEMAS["flat"].columns is None


def test_a_column_lies_where_the_schema_says():
    schema = SCHEMAS["appender"]
    rows = batch([ENRICHED])

    (document,) = documents(rows)

    places = {schema.place(name) for name in rows.schema.names}
    assert places == set(paths_of(document)) - {schema.time_field}
    assert schema.place("vpc_id") is None


def paths_of(document: dict[str, Any], before: str = "") -> list[str]:
    return [
        path
        for name, value in document.items()
        for path in (
            paths_of(value, f"{before}{name}.") if isinstance(value, dict) else [before + name]
        )
    ]
