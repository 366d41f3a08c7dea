"""Parquet rows of every shape found in the wild become flows by the same checks as lines."""

from __future__ import annotations

import datetime
import decimal
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpcflow import careful
from vpcflow.errors import FormatError
from vpcflow.fields import FIELD_BY_COLUMN
from vpcflow.layout import parse_log_format
from vpcflow.pipeline import read_flows
from vpcflow.rejects import Reject
from vpcflow.sources import Input
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books
from vpcflow.tables import parse_rows

ROW: dict[str, Any] = {
    "version": 2,
    "account_id": "012345678901",
    "interface_id": "eni-0a",
    "srcaddr": "10.0.1.20",
    "dstaddr": "2001:db8::1",
    "srcport": 40001,
    "dstport": 443,
    "protocol": 6,
    "packets": 10,
    "bytes": 840,
    "start": 1766000000,
    "end": 1766000059,
    "action": "ACCEPT",
    "log_status": "OK",
}


def rows_of(**columns: pa.Array) -> pa.RecordBatch:
    """Give rows of ``ROW`` with some columns replaced."""
    count = len(next(iter(columns.values())))
    arrays = {name: pa.array([value] * count) for name, value in ROW.items()}
    return pa.RecordBatch.from_pydict(arrays | columns)


def values_of(rows: pa.RecordBatch, column: str) -> list[Any]:
    parsed = parse_rows(rows, "flows.parquet", 1)
    assert parsed.rejects == ()
    values: list[Any] = parsed.batch.column(column).to_pylist()
    return values


def reasons_of(rows: pa.RecordBatch) -> list[tuple[int, str]]:
    return [(r.line, r.reason) for r in parse_rows(rows, "flows.parquet", 1).rejects]


def read(path: Path) -> tuple[list[dict[str, Any]], list[Reject], Books]:
    books, rejects = Books(), list[Reject]()
    [source] = find_inputs([str(path)])
    batches = read_flows(read_input(source), books, on_rejects=rejects.extend)
    return [row for batch in batches for row in batch.to_pylist()], rejects, books


def test_a_row_as_aws_writes_it_is_a_flow() -> None:
    parsed = parse_rows(rows_of(bytes=pa.array([840])), "flows.parquet", 7)

    [flow] = parsed.batch.to_pylist()
    assert flow == {**ROW, "source_object": "flows.parquet", "source_line": 7}
    assert parsed.batch.schema.field("srcaddr").type == pa.dictionary(pa.int32(), pa.string())
    assert parsed.batch.schema.field("version").type == pa.int32()
    assert parsed.unknown == ()


@pytest.mark.parametrize(
    "ports",
    [
        pa.array([443, None], pa.int16()),
        pa.array([443, None], pa.uint64()),
        pa.array([443.0, None], pa.float64()),
        pa.array([443.0, float("nan")], pa.float32()),
        pa.array([decimal.Decimal("443"), None], pa.decimal128(10, 0)),
        pa.array(["443", "-"]),
        pa.array([" 443 ", "None"]),
        pa.array(["000000000000000000000443", ""], pa.large_string()),
        pa.array(["443.0", "nan"]),
        pa.array(["443", None], pa.string_view()),
        pa.array(["443", "-"]).dictionary_encode(),
        pa.array([443, None]).dictionary_encode(),
    ],
    ids=lambda array: str(array.type),
)
def test_numbers_come_in_any_width_and_as_text(ports: pa.Array) -> None:
    assert values_of(rows_of(dstport=ports), "dstport") == [443, None]


@pytest.mark.parametrize(
    "ports",
    [
        pa.array([-1, 2**31, 2**63 - 1]),
        pa.array([2**31, 2**63, 2**64 - 1], pa.uint64()),
        pa.array([0.5, -1.0, float("inf")]),
        pa.array(["-1", "x", "0x1F"]),
        pa.array(["2147483648", "9" * 19, "1" * 40]),
        pa.array(["1_0", "4 3", "٣"]),
        pa.array([True, False, True]),
        pa.array([[1], [2], []]),
        pa.array([b"1", b"\xff", b""]),
    ],
    ids=lambda array: str(array.type),
)
def test_what_is_no_number_is_rejected(ports: pa.Array) -> None:
    assert reasons_of(rows_of(dstport=ports)) == [(i, "bad_number") for i in (1, 2, 3)]


@pytest.mark.parametrize("type_", [pa.string(), pa.uint64()], ids=str)
def test_bytes_fit_64_bits_or_are_rejected(type_: pa.DataType) -> None:
    most = 2**63 - 1
    numbers = [most, most + 1, most - 1, 2**64 - 1]
    array = pa.array(numbers, pa.uint64()).cast(type_)

    parsed = parse_rows(rows_of(bytes=array), "flows.parquet", 1)

    assert parsed.batch.column("bytes").to_pylist() == [most, most - 1]
    assert [(r.line, r.reason) for r in parsed.rejects] == [(2, "bad_number"), (4, "bad_number")]


@pytest.mark.parametrize(
    "accounts",
    [
        pa.array([12345678901, None, 123456789012]),
        pa.array([12345678901.0, float("nan"), 123456789012.0]),
        pa.array([12345678901, None, 123456789012], pa.decimal128(12, 0)),
        pa.array([12345678901, None, 123456789012]).dictionary_encode(),
        pa.array(["012345678901", "-", "123456789012"]),
    ],
    ids=lambda array: str(array.type),
)
def test_an_account_that_became_a_number_gets_its_leading_zeros_back(accounts: pa.Array) -> None:
    assert values_of(rows_of(account_id=accounts), "account_id") == [
        "012345678901",
        None,
        "123456789012",
    ]


def test_an_account_in_text_stays_as_it_is() -> None:
    accounts = pa.array(["unknown", "1", "012345678901"])

    assert values_of(rows_of(account_id=accounts), "account_id") == accounts.to_pylist()


@pytest.mark.parametrize(
    "times",
    [
        pa.array([1766000000, 1766000000999]),
        pa.array(["1766000000", "1766000000000"]),
        pa.array([1766000000, 1766000000], pa.timestamp("s")),
        pa.array([1766000000123, 1766000000000], pa.timestamp("ms", "UTC")),
        pa.array([1766000000123456789, 1766000000000000000], pa.timestamp("ns")),
    ],
    ids=lambda array: str(array.type),
)
def test_times_are_seconds_whatever_they_were(times: pa.Array) -> None:
    assert values_of(rows_of(start=times), "start") == [1766000000, 1766000000]


def test_a_column_may_have_bad_numbers_and_bad_times() -> None:
    times = pa.array([10**14, -1, None, 1766000000])

    assert reasons_of(rows_of(start=times)) == [(1, "bad_time"), (2, "bad_number")]


@pytest.mark.parametrize(
    "addresses",
    [pa.array(["10.0.0.1", "-", "", "x"]), pa.array([b"10.0.0.1", b"-", None, b"10.0.0.256"])],
    ids=lambda array: str(array.type),
)
def test_addresses_are_checked(addresses: pa.Array) -> None:
    parsed = parse_rows(rows_of(srcaddr=addresses), "flows.parquet", 1)

    assert parsed.batch.column("srcaddr").to_pylist() == ["10.0.0.1", None, None]
    assert [(r.line, r.reason) for r in parsed.rejects] == [(4, "bad_address")]


def test_bytes_that_are_no_text_are_rejected() -> None:
    assert reasons_of(rows_of(action=pa.array([b"ACCEPT", b"\xff"]))) == [(2, "bad_text")]


def test_tags_are_percent_decoded_as_in_lines() -> None:
    tags = pa.array(["a%2Db", "a-b", "%FF", "-"])

    assert values_of(rows_of(instance_tag=tags), "instance_tag") == ["a-b", "a-b", "%FF", None]


def test_dash_and_nothing_are_null_in_every_column() -> None:
    rows = pa.RecordBatch.from_pydict({name: pa.array(["-", "", None]) for name in ROW})

    parsed = parse_rows(rows, "flows.parquet", 1)

    assert parsed.rejects == ()
    for name in ROW:
        assert parsed.batch.column(name).to_pylist() == [None] * 3


def test_columns_are_known_in_any_case_order_and_spelling() -> None:
    rows = pa.RecordBatch.from_pydict(
        {"SRCADDR": pa.array(["10.0.0.1"]), "TCP-Flags": pa.array([2]), " version ": pa.array([2])}
    )

    assert parse_rows(rows, "x", 1).batch.schema.names[:3] == ["srcaddr", "tcp_flags", "version"]


def test_a_column_that_is_there_twice_is_an_error_that_names_it() -> None:
    rows = pa.RecordBatch.from_arrays([pa.array([1])] * 2, names=["Start", "start"])

    with pytest.raises(FormatError, match="'start' more than once"):
        parse_rows(rows, "x", 1)


@pytest.mark.parametrize(
    "names", [["a", "b"], ["version", "b", "c"], ["event_id", "direction"], []], ids=str
)
def test_a_table_that_is_no_flow_log_is_refused(names: list[str]) -> None:
    rows = pa.RecordBatch.from_pydict({name: pa.array([1]) for name in names})

    with pytest.raises(FormatError, match="is no flow log"):
        parse_rows(rows, "x", 1)


def test_unknown_columns_are_text_and_our_own_are_left_out() -> None:
    rows = rows_of(team=pa.array([5]), event_id=pa.array(["0" * 32]), nested=pa.array([{"a": 1}]))

    parsed = parse_rows(rows, "x", 1)

    assert parsed.unknown == ("team",)
    assert parsed.batch.column("team").to_pylist() == ["5"]
    assert not {"event_id", "nested"} & set(parsed.batch.schema.names)


def test_a_reject_says_its_row_and_holds_it_as_json() -> None:
    rows = rows_of(srcport=pa.array([1, -1]), start=pa.array([2**62] * 2, pa.timestamp("s")))

    rejects = parse_rows(rows, "flows.parquet", 100).rejects

    assert [(r.source, r.line, r.reason) for r in rejects] == [
        ("flows.parquet", 100, "bad_time"),
        ("flows.parquet", 101, "bad_number"),
    ]
    assert '"srcport":-1' in rejects[1].text


ODD_COLUMNS = st.sampled_from(
    [
        pa.array([1, None], pa.int8()),
        pa.array([2**63 - 1, -1]),
        pa.array([2**64 - 1, None], pa.uint64()),
        pa.array(np.array([1.5, np.nan], np.float16)),
        pa.array([float("inf"), 1e300]),
        pa.array([decimal.Decimal("1.5"), decimal.Decimal(10) ** 30], pa.decimal128(38, 1)),
        pa.array([True, None]),
        pa.array([b"\xff", b"-"]),
        pa.array([b"\xff", b"-"], pa.large_binary()),
        pa.array([b"\xff\xff", b"ab"], pa.binary(2)),
        pa.array([b"\xff", None]).dictionary_encode(),
        pa.array([datetime.date(9999, 1, 1), None]),
        pa.array([2**62, -(2**62)], pa.timestamp("s")),
        pa.array([2**62, None], pa.timestamp("ns", "UTC")),
        pa.array([1, 2], pa.time64("us")),
        pa.array([2**62, None], pa.duration("s")),
        pa.nulls(2),
        pa.array([[b"\xff"], None]),
        pa.array([{"a": b"\xff"}, None]),
        pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int32())),
        pa.array(["a b", "\0"]),
    ]
)


@given(st.dictionaries(st.sampled_from([*ROW, "instance_tag", "team"]), ODD_COLUMNS, max_size=4))
def test_no_type_of_column_is_too_strange(odd: dict[str, pa.Array]) -> None:
    parsed = parse_rows(rows_of(**{"version": pa.array([2, 2]), **odd}), "x", 1)

    assert parsed.batch.num_rows + len(parsed.rejects) == 2


TOKENS = st.one_of(
    st.sampled_from(["-", "2", "0443", "10.0.0.1", "::1", "1766000000999", "9" * 19, "ACCEPT"]),
    st.sampled_from([str(2**31 - 1), str(2**31), str(2**63 - 1), str(2**63), "1" + "0" * 14]),
    st.text(st.characters(codec="ascii", exclude_categories=["C", "Z"]), min_size=1, max_size=6),
)


@given(st.sampled_from(["srcport", "bytes", "end", "dstaddr", "action"]), TOKENS)
def test_a_text_column_is_checked_as_a_line_is(column: str, token: str) -> None:
    kind = FIELD_BY_COLUMN[column].kind
    # Through pandas, numbers come as 443.0, nulls as None.
    if kind not in ("text", "address") and token.removesuffix(".0") != token:
        return

    by_line = careful.check_line(token.encode(), parse_log_format(column.replace("_", "-")))
    parsed = parse_rows(rows_of(**{column: pa.array([token])}), "x", 1)

    if isinstance(by_line, str) and token not in ("None", "none", "null", "NULL", "nan", "NaN"):
        assert [reject.reason for reject in parsed.rejects] == [by_line]
    else:
        assert parsed.rejects == ()


# ---- files


def test_a_file_is_read_in_row_groups_with_its_rows_numbered(tmp_path: Path) -> None:
    path = tmp_path / "flows.log.parquet"
    table = pa.table({"srcport": pa.array(range(1000)), "srcaddr": ["10.0.0.1"] * 1000})
    pq.write_table(table, path, row_group_size=300)

    flows, rejects, books = read(path)

    assert [flow["source_line"] for flow in flows] == list(range(1, 1001))
    assert [flow["srcport"] for flow in flows] == list(range(1000))
    assert (rejects, books.found, books.faults) == ([], 1000, [])


@pytest.mark.parametrize("compression", ["gzip", "snappy", "zstd", "none"])
def test_parquet_is_known_by_content_whatever_its_compression(
    tmp_path: Path, compression: str
) -> None:
    path = tmp_path / "flows.log"
    pq.write_table(pa.table({"srcport": [1], "srcaddr": ["-"]}), path, compression=compression)

    flows, _, _ = read(path)

    assert [(flow["srcport"], flow["srcaddr"]) for flow in flows] == [(1, None)]


def parquet_bytes() -> bytes:
    out = io.BytesIO()
    ports = pa.array(range(20_000), pa.int32())
    pq.write_table(pa.table({"srcport": ports, "action": ports.cast(pa.string())}), out)
    return out.getvalue()


@pytest.mark.parametrize("cut", [4, 8, 100, 5_000, -1, -4, -8, -100])
def test_a_file_without_its_footer_gives_nothing_and_is_reported(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "flows.parquet"
    path.write_bytes(parquet_bytes()[:cut])

    flows, rejects, books = read(path)

    assert (flows, rejects, books.found) == ([], [], 0)
    [fault] = books.faults
    assert fault.source == str(path)
    assert fault.reason.startswith("is no whole Parquet file (")


@pytest.mark.parametrize("at", range(4, 60_000, 1717))
def test_a_damaged_page_loses_no_row_in_silence(at: int) -> None:
    data = bytearray(parquet_bytes())
    data[at : at + 40] = b"\xff" * len(data[at : at + 40])
    books, rejects = Books(), list[Reject]()

    source = Input("damaged", len(data), lambda: io.BytesIO(bytes(data)))
    flows = sum(
        b.num_rows for b in read_flows(read_input(source), books, on_rejects=rejects.extend)
    )

    assert books.faults or flows + len(rejects) == 20_000
    assert books.found == flows + len(rejects) + books.failed
    assert books.found in (0, 20_000)


def test_a_table_that_is_no_flow_log_is_a_fault_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"name": ["x"], "age": [5]}), path)

    flows, rejects, books = read(path)

    assert (flows, rejects) == ([], [])
    assert "is no flow log: of its 2 columns 0 are fields of one" in books.faults[0].reason
    assert books.found == books.failed
