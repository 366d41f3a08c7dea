"""What every sink of the registry promises, whatever it writes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from flow_batches import ENRICHED, V2, batch, flows

from vpcflow.errors import SinkError
from vpcflow.schemas import encode_flat
from vpcflow.sinks import FORMATS, Output, Sink

OUTPUT = Output(encode_flat, None, "run-1")
READERS = {"ndjson": "read_json_auto", "csv": "read_csv_auto", "parquet": "read_parquet"}


class Kind(NamedTuple):
    """A sink that writes to a path, the SQL that reads it, and the path's name."""

    open: Callable[[Path], Sink]
    name: str
    sql: Callable[[Path], str]


def kinds() -> dict[str, Kind]:
    found = {}
    for name, form in FORMATS.items():
        suffixes = [form.suffixes[0]]
        if form.may_be_compressed:
            suffixes += [f"{form.suffixes[0]}.gz", f"{form.suffixes[0]}.zst"]
        for suffix in suffixes:
            found[suffix] = Kind(
                lambda path, form=form: form.file(path, OUTPUT),
                f"flows{suffix}",
                lambda path, name=name: f"{READERS[name]}('{path}')",
            )
        if form.folder is not None:
            found["folder"] = Kind(
                lambda path, form=form: form.folder(path, OUTPUT, lambda file: file),
                "flows",
                lambda path: (
                    f"read_parquet('{path}/**/*.parquet', hive_partitioning=true, union_by_name=true)"
                ),
            )
    return found


KINDS = kinds()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def written_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def rows_of(kind: Kind, path: Path, columns: str) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"select {columns} from {kind.sql(path)} order by all").fetchall()


def test_all_rows_are_taken_and_can_be_read_back(kind: Kind, tmp_path: Path):
    path = tmp_path / kind.name

    with kind.open(path) as sink:
        taken = [sink.write(flows(500)), sink.write(flows(30, srcaddr="192.0.2.1"))]

    assert taken == [500, 30]
    found = rows_of(
        kind, path, "count(*), sum(bytes), count(distinct srcaddr), min(src_geo_latitude)"
    )
    assert found == [(530, 40 * 530 + 97 * (499 * 250 + 29 * 15), 2, 47.6062)]


def test_nothing_appears_before_the_end(kind: Kind, tmp_path: Path):
    with kind.open(tmp_path / kind.name) as sink:
        sink.write(flows(2000))
        before = [path for path in written_files(tmp_path) if not path.name.startswith(".")]

    assert before == []
    assert written_files(tmp_path)


def test_nothing_but_the_output_is_left(kind: Kind, tmp_path: Path):
    with kind.open(tmp_path / kind.name) as sink:
        sink.write(batch([V2]))
        sink.write(batch([ENRICHED]))

    assert not [path for path in written_files(tmp_path) if path.name.startswith(".")]


def test_an_exception_leaves_no_file(kind: Kind, tmp_path: Path):
    with pytest.raises(ZeroDivisionError), kind.open(tmp_path / kind.name) as sink:
        sink.write(flows(1000))
        sink.write(batch([V2 | {"tcp_flags": 2}]))
        raise ZeroDivisionError

    assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays_until_the_new_is_whole(kind: Kind, tmp_path: Path):
    path = tmp_path / kind.name
    with kind.open(path) as sink:
        sink.write(flows(3))
    before = [file.read_bytes() for file in written_files(tmp_path)]

    with pytest.raises(ZeroDivisionError), kind.open(path) as sink:
        sink.write(flows(70))
        raise ZeroDivisionError

    assert [file.read_bytes() for file in written_files(tmp_path)] == before


def test_a_second_run_replaces_the_first_of_the_same_name(kind: Kind, tmp_path: Path):
    path = tmp_path / kind.name
    for count in (3, 5):
        with kind.open(path) as sink:
            sink.write(flows(count))

    assert rows_of(kind, path, "count(*)") == [(5,)]


def test_batches_of_different_columns_go_to_the_same_output(kind: Kind, tmp_path: Path):
    path = tmp_path / kind.name
    layouts = [
        {"end": 1, "srcaddr": "192.0.2.1"},
        {"end": 2, "tcp_flags": 18},
        {"end": 3, "x_y": "z"},
    ]

    with kind.open(path) as sink:
        for row in [*layouts, layouts[0]]:
            sink.write(batch([row]))

    found = rows_of(kind, path, '"end", srcaddr, tcp_flags, x_y')
    assert found == [
        (1, "192.0.2.1", None, None),
        (1, "192.0.2.1", None, None),
        (2, None, 18, None),
        (3, None, None, "z"),
    ]


def test_the_same_flows_give_the_same_bytes(kind: Kind, tmp_path: Path):
    contents = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        with kind.open(folder / kind.name) as sink:
            sink.write(flows(400))
        contents.append([file.read_bytes() for file in written_files(folder)])

    assert contents[0] == contents[1]


def test_no_flows_are_an_empty_output(kind: Kind, tmp_path: Path):
    with kind.open(tmp_path / kind.name) as sink:
        sink.write(flows(1).slice(0, 0))

    assert not [path for path in written_files(tmp_path) if path.name.startswith(".")]


@pytest.mark.parametrize("name", FORMATS)
def test_a_missing_folder_is_an_error_that_names_it(name: str, tmp_path: Path):
    path = tmp_path / "missing" / "flows"

    with pytest.raises(SinkError, match=r"no folder .*missing"):
        FORMATS[name].file(path, OUTPUT)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_no_ordinary_file_is_written_to_and_not_replaced(name: str):
    with FORMATS[name].file(Path("/dev/null"), OUTPUT) as sink:
        sink.write(flows(3))

    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("name", FORMATS)
def test_a_link_stays_and_leads_to_the_new_file(name: str, tmp_path: Path):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"old")
    link.symlink_to(file)

    with FORMATS[name].file(link, OUTPUT) as sink:
        sink.write(flows(3))

    assert link.is_symlink()
    assert file.read_bytes() not in (b"", b"old")


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.stream])
def test_a_stream_has_each_batch_at_once_and_stays_open(name: str):
    stream = io.BytesIO()
    open_stream = FORMATS[name].stream
    assert open_stream is not None

    with open_stream(stream, OUTPUT) as sink:
        taken = sink.write(flows(3))
        at_once = stream.getvalue()

    assert taken == 3
    assert at_once.count(b"203.0.113") == 0
    assert at_once.count(b"198.51.100.7") == 3
    assert stream.getvalue() == at_once
