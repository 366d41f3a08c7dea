"""What a rules command found, written for the eye and for programs."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from vpcflow.cli.rules.output import Result, Shown, Table, open_output, rows_of
from vpcflow.errors import FormatError, SinkError

SCHEMA = pa.schema(
    [
        pa.field("rule_id", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("reasons", pa.list_(pa.string())),
        pa.field("peers", pa.list_(pa.struct({"peer": pa.string(), "connections": pa.int64()}))),
    ]
)
ROWS: list[dict[str, Any]] = [
    {
        "rule_id": "sgr-1",
        "bytes": 7,
        "reasons": ["a", 'b "c"'],
        "peers": [{"peer": "sg-1", "connections": 1}],
    },
    {"rule_id": "sgr-2", "bytes": None, "reasons": [], "peers": None},
]
RESULT = Result(
    {
        "rules": Table(
            rows_of(ROWS, SCHEMA),
            (Shown("rule", lambda row: row["rule_id"]), Shown("why", lambda r: r["reasons"][0])),
            most=1,
        ),
        "groups": Table(rows_of([{"rule_id": "sg-1"}], SCHEMA)),
    },
    {"coverage": {"share": 0.5}},
    ("1 rule of 2 is unused",),
)


def test_json_is_an_object_of_lists_and_facts(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    open_output(None, "json").write(RESULT)

    assert orjson.loads(capsysbinary.readouterr().out) == {
        "rules": ROWS,
        "groups": [{"rule_id": "sg-1", "bytes": None, "reasons": None, "peers": None}],
        "coverage": {"share": 0.5},
    }


def test_json_of_no_rows_is_json(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    open_output("-", "json").write(Result({"rules": Table(rows_of([], SCHEMA))}))

    assert orjson.loads(capsysbinary.readouterr().out) == {"rules": []}


def test_csv_and_parquet_hold_the_main_table(tmp_path: Path) -> None:
    for name in ("out.csv", "out.parquet", "out.csv.gz"):
        open_output(str(tmp_path / name), None).write(RESULT)

    table = pyarrow.csv.read_csv(tmp_path / "out.csv").to_pylist()
    assert table[0] == {
        "rule_id": "sgr-1",
        "bytes": 7,
        "reasons": '["a","b \\"c\\""]',
        "peers": '[{"peer":"sg-1","connections":1}]',
    }
    assert [row["bytes"] for row in table] == [7, None]
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == ROWS
    packed = gzip.decompress((tmp_path / "out.csv.gz").read_bytes())
    assert packed == (tmp_path / "out.csv").read_bytes()


def test_csv_of_no_rows_has_its_header(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    open_output(None, "csv").write(Result({"rules": Table(rows_of([], SCHEMA))}))

    assert capsysbinary.readouterr().out == b'"rule_id","bytes","reasons","peers"\n'


def test_a_table_has_what_is_to_be_seen(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    open_output(None, None).write(RESULT)

    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert [line.rstrip() for line in lines] == [
        "rule   why",
        "sgr-1  a",
        "… and 1 more: --format json or csv has all",
        "",
        "1 rule of 2 is unused",
    ]


def test_a_table_that_goes_to_no_terminal_is_a_hundred_columns_wide(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    wide = Table(RESULT.tables["rules"].data, [Shown("text", lambda _: "word " * 40)])

    open_output(None, "table").write(Result({"rules": wide}))

    lengths = [len(line) for line in capsysbinary.readouterr().out.decode().splitlines()]
    assert 90 < max(lengths) <= 100


def test_what_looks_like_markup_is_text(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    marked = Table(RESULT.tables["groups"].data, [Shown("name", lambda _: "[red]sg[/red]")])

    open_output(None, "table").write(Result({"groups": marked}, notes=("[b]note",)))

    out = capsysbinary.readouterr().out.decode()
    assert "[red]sg[/red]" in out
    assert "[b]note" in out


@pytest.mark.parametrize(
    ("to", "format_", "words"),
    [
        (None, "yaml", "unknown format 'yaml'"),
        ("out.ndjson", None, "no format is known by the name 'out.ndjson'"),
        ("out.parquet.gz", None, "no format is known"),
        ("s3://bucket/", "json", "is a folder"),
        ("https://example.com/x.json", None, "no output is known"),
    ],
)
def test_a_wrong_form_is_said_before_any_work(to: str, format_: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        open_output(to, format_)


def test_a_missing_folder_is_said_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="no folder"):
        open_output(str(tmp_path / "none" / "out.json"), None)


def test_parquet_does_not_go_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdout", Terminal())

    with pytest.raises(FormatError, match="not for a terminal"):
        open_output(None, "parquet")


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("old")
    broken = Result(RESULT.tables, {"coverage": object()})

    with pytest.raises(TypeError):
        open_output(str(tmp_path / "out.json"), None).write(broken)

    assert (tmp_path / "out.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
