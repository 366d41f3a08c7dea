"""Outputs in S3: whole or not there at all, and nothing left on the way."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from flow_batches import V2, batch, flows
from stores import FakeStore

from vpcflow.errors import AwsError, FormatError, SinkError
from vpcflow.schemas import encode_flat
from vpcflow.sinks import Sink, open_sink

FILES = ["a.ndjson", "a.ndjson.gz", "x/a.csv.zst", "a.parquet"]
HOUR_S = 3600


@pytest.fixture
def store() -> FakeStore:
    return FakeStore({"lake": {"a.ndjson": b"old"}})


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def opened(store: FakeStore, to: str, format: str | None = None) -> Sink:
    url = f"s3://lake/{to}"
    return open_sink(url, encode=encode_flat, run_id="r", format=format, store=lambda: store)


def hours(count: int) -> list[dict[str, object]]:
    return [V2 | {"end": HOUR_S * hour} for hour in range(count)]


@pytest.mark.parametrize("name", FILES)
def test_an_object_is_the_file_that_would_be_here(
    store: FakeStore, name: str, tmp_path: Path
) -> None:
    local = tmp_path / Path(name).name
    for sink in (opened(store, name), open_sink(str(local), encode=encode_flat, run_id="r")):
        with sink:
            taken = sink.write(flows(500))

    assert taken == 500
    assert store.buckets["lake"][name] == local.read_bytes()


@pytest.mark.parametrize("name", [*FILES, "d/"])
def test_nothing_appears_before_the_end(store: FakeStore, name: str) -> None:
    with opened(store, name) as sink:
        sink.write(flows(500))
        before = dict(store.buckets["lake"])

    assert before == {"a.ndjson": b"old"}
    assert store.buckets["lake"] != before


@pytest.mark.parametrize("name", [*FILES, "d/"])
def test_an_exception_leaves_what_was_there(store: FakeStore, name: str, temporary: Path) -> None:
    with pytest.raises(ZeroDivisionError), opened(store, name) as sink:
        sink.write(batch(hours(60)))
        raise ZeroDivisionError

    assert store.buckets["lake"] == {"a.ndjson": b"old"}
    assert store.pending == set()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("name", [*FILES, "d/"])
def test_nothing_is_left_in_the_temporary_folder(
    store: FakeStore, name: str, temporary: Path
) -> None:
    with opened(store, name) as sink:
        sink.write(flows(3))

    assert list(temporary.iterdir()) == []
    assert store.pending == set()


@pytest.mark.parametrize("name", [*FILES, "d/"])
def test_a_bucket_that_refuses_is_found_before_the_work(
    store: FakeStore, name: str, temporary: Path
) -> None:
    store.refused.add("lake")

    with pytest.raises(AwsError, match="AccessDenied"):
        opened(store, name)

    assert list(temporary.iterdir()) == []


def test_a_dataset_has_the_files_it_would_have_here(store: FakeStore, tmp_path: Path) -> None:
    here = tmp_path / "here"
    for sink in (opened(store, "d/e/"), open_sink(f"{here}/", encode=encode_flat, run_id="r")):
        with sink:
            sink.write(batch(hours(3)))

    files = {f"d/e/{p.relative_to(here)}": p.read_bytes() for p in here.rglob("*.parquet")}
    assert len(files) == 3
    assert store.buckets["lake"] == {"a.ndjson": b"old"} | files


def test_finished_files_of_a_dataset_are_sent_before_the_end(
    store: FakeStore, temporary: Path
) -> None:
    with opened(store, "d/") as sink:
        sink.write(batch(hours(60)))
        here = [path for path in temporary.rglob("*") if path.is_file()]
        sent = store.calls["send"]

    assert (sent, here) == (36, [])
    assert sum(key.startswith("d/") for key in store.buckets["lake"]) == 60


@pytest.mark.parametrize("call", ["complete", "send"])
def test_a_dataset_of_which_one_file_is_refused_leaves_none(
    store: FakeStore, call: str, temporary: Path
) -> None:
    with pytest.raises(AwsError), opened(store, "d/") as sink:
        sink.write(batch(hours(30)))
        if call == "complete":
            store.refuse_call = ("complete", "hour=17")
        else:
            store.refuse_call = ("send", "hour=17")

    assert store.buckets["lake"] == {"a.ndjson": b"old"}
    assert store.pending == set()
    assert list(temporary.iterdir()) == []


def test_an_object_that_is_refused_at_the_end_leaves_what_was_there(store: FakeStore) -> None:
    with pytest.raises(AwsError), opened(store, "a.ndjson") as sink:
        sink.write(flows(3))
        store.refused.add("a.ndjson")

    assert store.buckets["lake"] == {"a.ndjson": b"old"}
    assert store.pending == set()


def test_batches_of_different_columns_go_to_one_object(store: FakeStore) -> None:
    with opened(store, "a.parquet") as sink:
        sink.write(batch([V2]))
        sink.write(batch([V2 | {"tcp_flags": 2}]))

    table = pq.read_table(io.BytesIO(store.buckets["lake"]["a.parquet"]))
    assert table.column("tcp_flags").to_pylist() == [None, 2]


@pytest.mark.parametrize("name", ["a.txt", "", "a"])
def test_a_name_that_tells_no_format_is_refused(store: FakeStore, name: str) -> None:
    with pytest.raises(FormatError, match="no format is known"):
        open_sink(f"s3://lake/{name}".rstrip("/"), encode=encode_flat, run_id="r")


def test_a_folder_takes_no_documents(store: FakeStore) -> None:
    with pytest.raises(FormatError, match="takes parquet alone"):
        opened(store, "d/", "ndjson")


def test_without_a_store_nothing_is_written() -> None:
    with pytest.raises(SinkError, match=r"s3://lake/a\.csv"):
        open_sink("s3://lake/a.csv", encode=encode_flat, run_id="r")
