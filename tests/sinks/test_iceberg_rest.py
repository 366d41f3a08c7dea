"""A table whose catalog is reached over HTTP, with answers that do not come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from iceberg_tables import catalog_of, data_files, rows_of, some, table_of
from rest_catalog import TOKEN, Fault, RestCatalog, rest_catalog

from vpcflow.errors import SinkError
from vpcflow.sinks import Settled
from vpcflow.sinks.iceberg.address import TableAddress
from vpcflow.sinks.iceberg.sink import open_iceberg_sink

pytestmark = pytest.mark.integration


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RestCatalog]:
    with catalog_of(tmp_path) as catalog, rest_catalog(catalog) as server:
        yield server


def write(server: RestCatalog, count: int, run_id: str = "run", token: str = TOKEN) -> Settled:
    properties = {"type": "rest", "uri": server.url, "token": token}
    address = TableAddress("rest", None, ("network", "flows"), properties)
    with open_iceberg_sink(address, run_id) as sink:
        sink.write(some(count))
    return sink.settled()


def test_a_table_is_made_widened_and_appended_to(served: RestCatalog, tmp_path: Path):
    settled = [write(served, 3), write(served, 4, "second"), write(served, 3, "third")]

    assert settled == [Settled(), Settled(), Settled(duplicates=3)]
    assert len(rows_of(tmp_path, "bytes")) == 7
    with table_of(tmp_path) as table:
        assert str(table.spec().fields[0].transform) == "day"
        assert len(table.sort_order().fields) == 2


@pytest.mark.parametrize("status", [0, 409, 503, 504])
@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
def test_whatever_is_answered_a_batch_is_added_once(
    status: int, is_done: bool, served: RestCatalog, tmp_path: Path
):
    write(served, 1, "first")
    served.commits = 0
    served.faults.append(Fault(status, is_done))

    settled = write(served, 3)

    assert settled == Settled()
    assert rows_of(tmp_path, "bytes") == [(0,), (0,), (1,), (2,)]
    assert served.commits == (1 if is_done else 2)


def test_who_may_not_commit_leaves_nothing(served: RestCatalog, tmp_path: Path):
    write(served, 1, "first")
    served.faults.append(Fault(403, False))

    with pytest.raises(SinkError, match="was not committed"):
        write(served, 3)

    assert len(data_files(tmp_path)) == 1


def test_who_is_not_known_is_told_so_and_his_token_is_not(served: RestCatalog):
    with pytest.raises(SinkError, match=r"who\?") as error:
        write(served, 1, token="hush-a-bye")

    assert "hush-a-bye" not in str(error.value)


def test_a_catalog_that_shows_the_last_snapshot_alone_is_asked_for_all(served: RestCatalog):
    """Batches before the last would not be found."""
    properties = {"type": "rest", "uri": served.url, "token": TOKEN}
    lazy = properties | {"snapshot-loading-mode": "refs"}
    address = TableAddress("rest", None, ("network", "flows"), lazy)

    with open_iceberg_sink(address, "run") as sink:
        pass

    assert sink._catalog.properties["snapshot-loading-mode"] == "all"
