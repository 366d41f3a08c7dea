"""The books: every record found is accounted for once."""

from __future__ import annotations

import pyarrow as pa
import pytest

from vpcflow.errors import BooksError
from vpcflow.rejects import reject
from vpcflow.sources import Fault
from vpcflow.stats import Books


def flows(*statuses: str | None) -> pa.RecordBatch:
    column = pa.array(statuses, pa.string()).dictionary_encode()
    return pa.RecordBatch.from_pydict({"log_status": column})


def test_flows_are_found_and_counted_by_log_status_where_it_is_not_ok() -> None:
    books = Books()

    books.count_flows(flows("OK", "NODATA", "OK", None, "SKIPDATA"))
    books.count_flows(flows("NODATA", "MAYBE"))
    books.count_flows(pa.RecordBatch.from_pydict({"srcport": pa.array([1])}))
    books.count_flows(flows())

    assert books.found == 8
    assert books.log_status == {"NODATA": 2, "SKIPDATA": 1, "MAYBE": 1}


def test_rejects_are_found_and_counted_by_reason() -> None:
    books = Books()

    books.count_rejects([reject("x", i, "bad_number", b"") for i in range(3)])
    books.count_rejects([reject("x", 4, "bad_time", b"")])
    books.count_rejects([])

    assert (books.found, books.missed) == (4, 4)
    assert books.rejected == {"bad_number": 3, "bad_time": 1}


def test_what_was_lost_with_a_fault_is_found_and_failed() -> None:
    books = Books()

    books.count_fault(Fault("x", "ends in the middle", 5))
    books.count_fault(Fault("y", "cannot be read", 0))

    assert (books.found, books.failed, books.missed, len(books.faults)) == (5, 5, 5, 2)
    books.check()


def test_books_balance_when_each_record_went_one_way() -> None:
    books = Books(found=21, delivered=1, filtered=2, failed=3, requeued=4, duplicates=5)
    books.rejected["bad_number"] = 6

    books.check()

    assert books.balance() == (
        "21 records found = 1 delivered + 2 filtered + 6 rejected + 3 failed + 4 requeued"
        " + 5 duplicates"
    )


@pytest.mark.parametrize("found", [9, 11])
def test_books_that_do_not_balance_are_a_defect_that_is_told(found: int) -> None:
    books = Books(found=found, delivered=10, headers=1, blanks=1, controls=1)

    with pytest.raises(BooksError, match=f"do not balance: {found} records found = 10 delivered"):
        books.check()


def test_the_balance_has_thousands_and_leaves_out_what_a_door_has_not() -> None:
    books = Books(found=1_234_567, delivered=1_234_567)

    assert books.balance() == (
        "1,234,567 records found = 1,234,567 delivered + 0 filtered + 0 rejected + 0 failed"
    )


def test_the_text_of_a_reject_is_at_most_4_kib_of_the_line() -> None:
    kept = reject("x", 1, "bad_text", b"\xff" + b"a" * 10_000)

    assert kept.text == "\\xff" + "a" * 4095
