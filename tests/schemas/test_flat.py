"""Plain documents: the same as encoding row by row, whatever is in the columns and however rows are cut."""

from __future__ import annotations

import orjson
import pyarrow as pa
import pytest
from flow_batches import ENRICHED, QUIET, V2, batch, batches, documents, flows
from hypothesis import given, settings
from hypothesis import strategies as st

from vpcflow.errors import FormatError
from vpcflow.file_schema import TEXT
from vpcflow.schemas import SCHEMAS, encode_flat


def encoded(rows: pa.RecordBatch, columns: list[str] | None = None) -> bytes:
    return b"".join(encode_flat(rows, columns))


@given(batches())
@settings(max_examples=120, deadline=None)
def test_documents_are_those_of_encoding_row_by_row(rows: pa.RecordBatch):
    expected = documents(rows)

    found = encoded(rows)

    assert found == expected


@given(batches(min_rows=2), st.data())
@settings(max_examples=60, deadline=None)
def test_the_cut_of_batches_changes_no_byte(rows: pa.RecordBatch, data: st.DataObject):
    cut = data.draw(st.integers(1, rows.num_rows - 1))

    parts = encoded(rows.slice(0, cut)) + encoded(rows.slice(cut))

    assert parts == encoded(rows)


def test_a_batch_longer_than_a_buffer_comes_in_whole_lines():
    rows = flows(20_000)

    buffers = [bytes(buffer) for buffer in encode_flat(rows)]

    assert len(buffers) > 1
    assert all(buffer.endswith(b"}\n") for buffer in buffers)
    assert b"".join(buffers) == documents(rows)


def test_numbers_of_every_length_are_written_in_full():
    numbers = [10**digits + change for digits in range(18) for change in (-1, 0, 1)]
    rows = batch([{"bytes": number} for number in numbers * 20])

    lines = encoded(rows).splitlines()

    assert [orjson.loads(line)["bytes"] for line in lines] == numbers * 20


@pytest.mark.parametrize("numbers", [[-5, 70000], [-(2**63), 2**63 - 1], [-1, 0], [0, 2**32]])
def test_negative_and_very_large_numbers_are_written_in_full(numbers: list[int]):
    rows = batch([{"duration_s": number} for number in numbers] * 3)

    found = encoded(rows)

    assert found == documents(rows)


@pytest.mark.parametrize("first", [2**32, 2_300_000_000, 2**62, -(2**63), -3])
def test_neighbouring_numbers_are_written_in_full_wherever_they_lie(first: int):
    rows = batch([{"version": 2, "end": end} for end in [*range(first, first + 9), None] * 4])

    found = encoded(rows)

    assert found == documents(rows)


def test_a_row_of_nulls_is_an_empty_object_between_its_neighbours():
    rows = batch([V2, {}, V2])

    lines = encoded(rows).splitlines()

    assert lines[1] == b"{}"
    assert lines[0] == lines[2] == orjson.dumps(V2)


def test_where_only_some_rows_have_the_first_columns_no_comma_is_too_many():
    rows = batch([{"srcaddr": "192.0.2.1"}, {"bytes": 12345}, {"srcaddr": "192.0.2.1", "bytes": 1}])

    lines = encoded(rows, ["srcaddr", "bytes"]).splitlines()

    assert lines == [
        b'{"srcaddr":"192.0.2.1"}',
        b'{"bytes":12345}',
        b'{"srcaddr":"192.0.2.1","bytes":1}',
    ]


def test_text_is_escaped_and_kept_as_utf8():
    rows = batch([{"eni_description": 'say "hi" \\ \x07\n é \U0001f600'}])

    line = encoded(rows)

    assert line == '{"eni_description":"say \\"hi\\" \\\\ \\u0007\\n é \U0001f600"}\n'.encode()


def test_tags_are_an_object_and_lists_are_arrays():
    rows = batch(
        [{"eni_tags": [{"key": "Name", "value": "web"}], "tcp_flag_names": ["fin", "syn"]}]
    )

    line = encoded(rows)

    assert line == b'{"eni_tags":{"Name":"web"},"tcp_flag_names":["fin","syn"]}\n'


def test_lists_of_the_same_elements_in_another_order_stay_apart():
    lists = [["sg-1", "sg-2"], ["sg-2", "sg-1"], [], None, ["sg-1", "sg-2"]]
    rows = batch([{"version": 2, "security_group_ids": found} for found in lists])

    found = [orjson.loads(line).get("security_group_ids") for line in encoded(rows).splitlines()]

    assert found == lists


def test_nan_and_infinity_are_null():
    rows = batch([{"version": 2, "src_geo_latitude": x} for x in (float("nan"), float("inf"), 1.5)])

    lines = encoded(rows).splitlines()

    assert lines == [b'{"version":2}', b'{"version":2}', b'{"version":2,"src_geo_latitude":1.5}']


def test_where_a_record_was_read_is_told_only_when_asked_for():
    rows = batch([{"version": 2, "source_object": "a.log", "source_line": 1}])

    assert encoded(rows) == b'{"version":2}\n'
    assert (
        encoded(rows, ["source_line", "version", "tcp_flags"]) == b'{"source_line":1,"version":2}\n'
    )


def test_quiet_records_lack_what_the_log_lacks():
    rows = batch([ENRICHED, V2 | QUIET])

    assert encoded(rows) == documents(rows)


def test_a_slice_of_a_batch_with_a_long_dictionary_has_the_same_documents():
    rows = batch([V2 | {"srcaddr": f"192.0.2.{i}"} for i in range(200)]).slice(90, 3)

    found = encoded(rows)

    assert found == documents(rows)


def test_no_rows_are_no_bytes():
    rows = batch([V2]).slice(0, 0)

    assert encoded(rows) == b""


def test_columns_in_lists_of_a_slice_are_those_of_its_rows():
    rows = batch([{"security_group_ids": [f"sg-{i}", f"sg-{i % 3}"]} for i in range(50)]).slice(
        20, 9
    )

    assert encoded(rows) == documents(rows)


def test_a_column_of_a_type_without_a_json_form_is_an_error_that_names_it():
    rows = pa.RecordBatch.from_arrays([pa.array([b"x"])], names=["blob"])

    with pytest.raises(FormatError, match=r"blob.*binary"):
        encoded(rows)


def test_names_of_unknown_columns_are_escaped():
    rows = pa.RecordBatch.from_arrays([pa.array(["x"]).cast(TEXT)], names=['a"b'])

    assert encoded(rows) == b'{"a\\"b":"x"}\n'


def test_a_column_lies_under_its_own_name():
    schema = SCHEMAS["flat"]
    rows = batch([ENRICHED | {"source_line": 1}])

    line = orjson.loads(encoded(rows))

    assert list(filter(None, map(schema.place, rows.schema.names))) == list(line)
    assert schema.time_field in line
    assert schema.place("source_line") is None
    assert schema.place("no_such_column") is None
