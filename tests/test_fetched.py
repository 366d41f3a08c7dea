"""What lies in S3, read as files: under its own names, and gone afterwards."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from stores import MODIFIED_AT, FakeStore

from vpcflow.cli.here import snapshots_of
from vpcflow.errors import AwsError, InventoryError, SourceError
from vpcflow.fetched import fetched
from vpcflow.inventory import snapshot_file_name
from vpcflow.object_store import StoredObject
from vpcflow.time_range import TimeRange


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def store(*keys: str) -> FakeStore:
    return FakeStore({"data": {key: key.encode() for key in keys}})


def test_an_object_is_a_file_of_its_name_and_time(temporary: Path) -> None:
    with fetched(store("a/city.mmdb"), "s3://data/a/city.mmdb") as here:
        assert here.path.name == "city.mmdb"
        assert here.path.read_bytes() == b"a/city.mmdb"
        assert here.path.stat().st_mtime == MODIFIED_AT

    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("url", ["s3://data/a", "s3://data/a/", "s3://data/a/*"])
def test_a_folder_is_a_folder_with_its_folders(url: str) -> None:
    objects = store("a/1.json", "a/b/2.json", "a//c//3.json", "a/.hidden", "a/../4.json", "b/5")

    with fetched(objects, url) as here:
        files = [p.relative_to(here.path).as_posix() for p in here.path.rglob("*") if p.is_file()]

    assert sorted(files) == ["1.json", "b/2.json", "c/3.json"]


@pytest.mark.parametrize(
    ("url", "name"),
    [("s3://data/a/1", "s3://data/a/1"), ("s3://data/a", "s3://data/a/1"), ("s3://data", "s3://data/a/1")],
)  # fmt: skip
def test_words_and_errors_name_what_is_in_s3(url: str, name: str, temporary: Path) -> None:
    with pytest.raises(InventoryError) as caught, fetched(store("a/1"), url) as here:
        [file] = [here.path] if here.path.is_file() else list(here.path.rglob("1"))
        said = here.named(f"{file} is odd")
        raise InventoryError(f"{file}: is bad")

    assert said == f"{name} is odd"
    assert str(caught.value) == f"{name}: is bad"
    assert list(temporary.iterdir()) == []


def test_only_what_is_chosen_is_fetched() -> None:
    objects = store("a/1", "a/2", "a/3")

    with fetched(objects, "s3://data/a", choose=lambda found: found[1:2]) as here:
        assert [file.name for file in here.path.iterdir()] == ["2"]

    assert objects.opened == ["a/2"]


def test_what_is_not_there_or_refused_is_an_error(temporary: Path) -> None:
    objects = store("a/1", "a/2")
    objects.refused.add("a/2")

    with pytest.raises(SourceError, match="no such object"), fetched(objects, "s3://data/b"):
        pass
    with (
        pytest.raises(AwsError, match="s3://data/a/2: AccessDenied"),
        fetched(objects, "s3://data/a"),
    ):
        pass

    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("keys", [("a/b", "a/b/c"), ("a/b", "a//b")])
def test_objects_that_cannot_be_files_side_by_side_are_refused(keys: tuple[str, str]) -> None:
    with (
        pytest.raises(SourceError, match=r"s3://data/a/.* cannot be fetched"),
        fetched(store(*keys), "s3://data/a"),
    ):
        pass


@pytest.mark.parametrize(
    ("since", "until", "chosen"),
    [
        (None, None, [0, 1, 2, 3, 4, 5]),
        (20_000, 40_000, [1, 2, 3, 4, 5]),
        (25_000, 35_000, [2, 3, 4]),
        (None, 4_000, [0, 1]),
        (50_000, None, [4, 5]),
        (90_000, None, [5]),
    ],
)
def test_of_a_history_only_the_snapshots_around_a_time_are_fetched(
    since: float | None, until: float | None, chosen: list[int]
) -> None:
    names = [snapshot_file_name(10_000 * i) for i in range(6)]
    objects = [StoredObject(f"inv/{name}", 1, 0) for name in [*names, "other.json"]]

    found = snapshots_of(objects, TimeRange(since, until))

    assert [one.key for one in found] == [f"inv/{names[i]}" for i in chosen] + ["inv/other.json"]
