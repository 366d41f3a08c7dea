"""What one line raises costs no other line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transforming import FakeReferences, FakeStream, a_set, checked, event, line, ports, results

from vpcflow.addresses import Addresses, parse_addresses
from vpcflow.enrich import Reference
from vpcflow.geo.lookup import no_places
from vpcflow.geo.place_table import Places
from vpcflow.schemas import SCHEMAS, encode_flat
from vpcflow.transform import Transformation

ODD = parse_addresses(pa.array(["203.0.113.66"])).low


class OddPlaces:
    """Places of no address; it is a defect that one address raises."""

    def places(self, addresses: Addresses) -> Places:
        if ODD in addresses.low:
            raise ZeroDivisionError
        return no_places(addresses)


def odd(port: int = 6) -> str:
    return line(port, src="203.0.113.66")


def raising(stream: FakeStream | None = None, **options: Any) -> Any:
    references = FakeReferences(Reference(geo=OddPlaces()))
    return a_set(references=references, stream=stream, **options)


@pytest.mark.parametrize("at", [0, 3, 20])
def test_a_line_that_raises_fails_alone(at: int) -> None:
    records = [line(port) for port in range(20)]
    records.insert(at, odd())
    told: list[str] = []

    done = checked(event(*records), raising(warn=told.append))

    assert results(done) == ["Ok"] * at + ["ProcessingFailed"] + ["Ok"] * (20 - at)
    assert done.counts["lines_raised"] == done.counts["failed_raised"] == 1
    (warning,) = told
    assert "ZeroDivisionError at vpcflow." in warning
    assert "203.0.113.66" not in warning


def test_a_line_that_raises_goes_back_from_among_others_and_fails_when_it_comes_again() -> None:
    stream = FakeStream()
    how = raising(stream)

    done = checked(event(line(1), f"{line(2)}\n{odd()}\n{line(3)}"), how)

    assert ports(done) == [[1], [2, 3]]
    assert (done.books.delivered, done.books.requeued) == (3, 1)
    again = map(json.dumps, stream.taken)
    assert results(checked(event(*again), how)) == ["ProcessingFailed"]


def test_where_it_cannot_go_back_its_record_fails_and_no_other() -> None:
    how = raising(FakeStream("InternalFailure"))

    done = checked(event(line(1), f"{line(2)}\n{odd()}", line(3)), how)

    assert results(done) == ["Ok", "ProcessingFailed", "Ok"]
    assert done.counts["failed_raised"] == 1


def test_a_line_that_raises_may_be_the_first_of_a_record_of_one_document() -> None:
    stream = FakeStream()

    done = checked(event(f"{odd()}\n{line(2)}", line(3)), raising(stream, one_document=True))

    assert results(done) == ["Dropped", "Ok"]
    assert len(stream.taken) == 2


def test_lines_left_out_by_a_filter_raise_no_more() -> None:
    filtered = line(6, src="203.0.113.66", action="REJECT")

    done = checked(event(line(1), filtered), raising(actions=frozenset({"ACCEPT"})))

    assert results(done) == ["Ok", "Dropped"]
    assert done.counts["lines_raised"] == 0


def test_what_cannot_be_encoded_fails_alone_too() -> None:
    def encode(flows: pa.RecordBatch) -> Iterator[pa.Buffer]:
        if 6 in flows.column("srcport").to_pylist():
            raise ZeroDivisionError
        return encode_flat(flows)

    schema = SCHEMAS["flat"]._replace(encode=encode)
    how = Transformation(FakeReferences(), lambda _: a_set().requeue, schema=schema)

    done = how(event(*map(line, range(10))))

    assert [i for i, result in enumerate(results(done)) if result != "Ok"] == [6]


@given(
    records=st.lists(st.lists(st.booleans(), min_size=1, max_size=4), max_size=30).filter(
        lambda records: sum(map(sum, records)) <= 8
    ),
    one_document=st.booleans(),
    limit=st.sampled_from([2_000, 5_000_000]),
    answer=st.sampled_from([None, "InternalFailure"]),
)
def test_whatever_lines_raise_all_are_accounted_for(
    records: list[list[bool]], one_document: bool, limit: int, answer: str | None
) -> None:
    texts = ["\n".join(odd() if raises else line(1) for raises in some) for some in records]
    how = raising(FakeStream(answer), one_document=one_document, response_limit_bytes=limit)

    done = checked(event(*texts), how)

    if limit > 2_000 and not one_document:
        fine = ["Ok" if not any(some) else None for some in records]
        assert [r if f else None for r, f in zip(results(done), fine)] == fine


def test_where_all_lines_raise_the_invocation_does() -> None:
    with pytest.raises(ZeroDivisionError):
        raising().transformation(event(*[odd()] * 20))
