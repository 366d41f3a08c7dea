"""What a bulk request holds: documents byte for byte, each after its action."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from flow_batches import V2, batch, flows

from vpcflow.schemas import encode_appender, encode_flat
from vpcflow.sinks.opensearch import documents as module
from vpcflow.sinks.opensearch.documents import Documents, Placing, documents_of, joined

DAILY = Placing("flows")
DAY_S = 86_400


def identified(count: int, **changes: Any) -> pa.RecordBatch:
    made = flows(count, **changes)
    ids = pa.array([f"{i:032x}" for i in range(count)])
    return made.append_column("event_id", ids)


def of(given: pa.RecordBatch, placing: Placing = DAILY, encode: Any = encode_flat) -> Documents:
    return joined(list(documents_of(given, placing, encode)))


def lines(documents: Documents, places: list[int] | None = None) -> list[bytes]:
    chosen = range(documents.rows) if places is None else places
    return gzip.decompress(documents.body(np.array(chosen, np.int64))).splitlines()


def actions(given: pa.RecordBatch, placing: Placing = DAILY) -> list[Any]:
    return [json.loads(line) for line in lines(of(given, placing))[::2]]


@pytest.mark.parametrize("encode", [encode_flat, encode_appender])
def test_documents_are_those_of_the_encoder_byte_for_byte(encode: Any):
    given = identified(2500)

    found = lines(of(given, encode=encode))

    assert found[1::2] == b"".join(encode(given)).splitlines()
    assert len(found) == 5000


def test_an_action_names_the_day_of_the_end_the_id_and_the_version():
    given = batch([V2 | {"event_id": "0a", "end": 1_700_000_000}])

    assert actions(given) == [
        {
            "index": {
                "_index": "flows-2023.11.14",
                "_id": "0a",
                "version": 1,
                "version_type": "external",
            }
        }
    ]


def test_days_change_at_midnight_of_utc():
    given = batch(
        [V2 | {"event_id": str(i), "end": 20_000 * DAY_S + i} for i in (-1, 0, DAY_S - 1, DAY_S)]
    )

    found = [action["index"]["_index"][-5:] for action in actions(given)]

    assert found == ["10.03", "10.04", "10.04", "10.05"]


def test_the_start_stands_in_for_an_end_and_no_time_has_an_index_of_its_own():
    given = batch(
        [
            {"event_id": "1", "start": 0, "end": None},
            {"event_id": "2", "start": None, "end": None},
            {"event_id": "3", "start": 0, "end": 253_402_300_800},
        ]
    )

    found = [action["index"]["_index"] for action in actions(given)]

    assert found == ["flows-1970.01.01", "flows-undated", "flows-undated"]


def test_a_field_of_the_log_that_is_called_revision_is_no_version():
    texts = pa.array(["x1", "7", None], pa.string()).dictionary_encode()
    given = identified(3).append_column("revision", texts)

    assert [action["index"]["version"] for action in actions(given)] == [1, 1, 1]


def test_a_revision_is_the_version_and_there_is_none_below_the_first():
    given = identified(4).append_column("revision", pa.array([None, 7, 1, -3], pa.int64()))

    assert [action["index"]["version"] for action in actions(given)] == [1, 7, 1, 1]


@pytest.mark.parametrize(
    ("placing", "path", "action"),
    [
        (
            Placing("flows", "rollover"),
            "flows/_bulk",
            {"index": {"_id": "0" * 32, "version": 1, "version_type": "external"}},
        ),
        (
            Placing("flows", "single"),
            "flows/_bulk",
            {"index": {"_id": "0" * 32, "version": 1, "version_type": "external"}},
        ),
        (Placing("flows", "stream"), "flows/_bulk", {"create": {"_id": "0" * 32}}),
        (Placing("flows", "stream", has_ids=False), "flows/_bulk", {"create": {}}),
        (Placing("flows", "single", has_ids=False), "flows/_bulk", {"index": {}}),
    ],
)
def test_other_layouts_have_other_actions(placing: Placing, path: str, action: Any):
    assert placing.path == path
    assert actions(identified(1), placing) == [action]


def test_only_one_index_for_each_day_or_for_all_meets_itself():
    placings = [Placing("f", "daily"), Placing("f", "single"), Placing("f", "rollover")]
    placings += [Placing("f", "stream"), Placing("f", "daily", has_ids=False)]

    assert [placing.meets_itself for placing in placings] == [True, True, False, False, False]


def test_any_choice_of_documents_can_go_again():
    documents = of(identified(100))
    all_lines = lines(documents)

    found = lines(documents, [3, 99, 0])

    assert found == [*all_lines[6:8], *all_lines[198:200], *all_lines[:2]]


def test_a_slice_is_laid_out_as_the_whole_is():
    documents = of(identified(100))

    assert lines(documents.slice(40, 5)) == lines(documents)[80:90]


@pytest.mark.parametrize(("most_bytes", "most"), [(20_000, 1000), (1_000_000, 25)])
def test_documents_are_cut_to_the_limits_of_a_request(
    monkeypatch: pytest.MonkeyPatch, most_bytes: int, most: int
):
    given = identified(1000)
    whole = of(given)
    monkeypatch.setattr(module, "MAX_BYTES", most_bytes)
    monkeypatch.setattr(module, "MAX_DOCUMENTS", most)

    parts = list(documents_of(given, DAILY, encode_flat))

    assert max(part.rows for part in parts) <= most
    assert max(part.size_bytes for part in parts) <= most_bytes
    assert lines(joined(parts)) == lines(whole)


def test_a_document_over_the_limit_is_by_itself(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10)

    parts = list(documents_of(identified(3), DAILY, encode_flat))

    assert [part.rows for part in parts] == [1, 1, 1]


def test_where_a_flow_was_read_stays_beside_its_document():
    given = identified(3, source_object="a.log")
    given = given.append_column("source_line", pa.array([4, 5, None], pa.int64()))

    documents = of(given)

    assert documents.sources.to_pylist() == ["a.log"] * 3
    assert documents.numbers.to_pylist() == [4, 5, None]


def test_lines_of_any_buffers_are_told_apart():
    def encode(given: pa.RecordBatch) -> Iterator[pa.Buffer]:
        yield pa.py_buffer(b'{"a":"\xc3\xa9"}\n{}\n')
        yield pa.py_buffer(b'{"b":1}\n')

    assert lines(of(identified(3), encode=encode))[1::2] == [b'{"a":"\xc3\xa9"}', b"{}", b'{"b":1}']
