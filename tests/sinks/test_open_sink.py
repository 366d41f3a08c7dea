"""The name of an output chooses its sink."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from flow_batches import flows

from vpcflow.errors import FormatError, SinkError
from vpcflow.schemas import encode_flat
from vpcflow.sinks import Sink, open_sink
from vpcflow.sinks.csv import CsvFileSink, CsvSink
from vpcflow.sinks.dataset import DatasetSink
from vpcflow.sinks.ndjson import NdjsonFileSink, NdjsonSink
from vpcflow.sinks.parquet import ParquetSink


def opened(to: str | None, format: str | None = None) -> Sink:
    return open_sink(to, encode=encode_flat, run_id="r", format=format, stdout=io.BytesIO())


@pytest.mark.parametrize(
    ("name", "format", "sink"),
    [
        ("a.ndjson", None, NdjsonFileSink),
        ("a.jsonl", None, NdjsonFileSink),
        ("a.JSONL", None, NdjsonFileSink),
        ("a.ndjson.gz", None, NdjsonFileSink),
        ("a.2026.ndjson.zst", None, NdjsonFileSink),
        ("a.csv", None, CsvFileSink),
        ("a.csv.gz", None, CsvFileSink),
        ("a.parquet", None, ParquetSink),
        ("a.txt", "csv", CsvFileSink),
        ("a.ndjson", "parquet", ParquetSink),
        ("a", "ndjson", NdjsonFileSink),
        ("folder/", None, DatasetSink),
        ("folder/", "parquet", DatasetSink),
        ("new/folder.parquet/", None, DatasetSink),
        (".", None, DatasetSink),
    ],
)
def test_a_name_and_a_format_choose(name: str, format: str | None, sink: type, tmp_path: Path):
    with opened(f"{tmp_path}/{name}", format) as found:
        pass

    assert type(found) is sink


@pytest.mark.parametrize("name", [None, "-"])
def test_standard_output_has_documents_unless_told_otherwise(name: str | None):
    assert type(opened(name)) is NdjsonSink
    assert type(opened(name, "csv")) is CsvSink
    with pytest.raises(FormatError, match="parquet does not go to standard output"):
        opened(name, "parquet")


@pytest.mark.parametrize(
    "name", ["a.txt", "a", "a.gz", "a.parquet.gz", ".gz", "a.json", "a.gz.csv.x"]
)
def test_an_unknown_suffix_is_an_error_that_lists_the_known(name: str, tmp_path: Path):
    with pytest.raises(FormatError, match=r"\.ndjson, \.jsonl, \.csv, \.parquet; .*\.gz"):
        opened(f"{tmp_path}/{name}")

    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_an_error_that_lists_the_known():
    with pytest.raises(FormatError, match=r"'xml'.*ndjson, csv, parquet"):
        opened("a.xml", "xml")


@pytest.mark.parametrize("name", ["https://search.example.com/flows/", "opensearch://h/flows"])
def test_an_unknown_scheme_is_an_error_and_no_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(
        FormatError, match=r"no output is known by the name .* \(known: s3://, firehose:"
    ):
        opened(name)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_takes_no_documents(tmp_path: Path):
    with pytest.raises(FormatError, match="takes parquet alone"):
        opened(str(tmp_path), "ndjson")


def test_a_file_where_a_folder_is_wanted_is_an_error(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(SinkError, match="cannot make folder"):
        opened(f"{tmp_path}/file/")


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "folder/"])
def test_only_the_columns_asked_for_are_written(name: str, tmp_path: Path):
    path = f"{tmp_path}/{name}"

    with open_sink(path, encode=encode_flat, run_id="r", columns=["end", "srcport"]) as sink:
        sink.write(flows(3))

    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    text = b"".join(file.read_bytes() for file in files)
    assert b"srcport" in text
    assert b"dstport" not in text
