"""Whatever is on the stream: every record is answered once, in order, the books balance, and nothing is raised."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from transforming import (
    FakeReferences,
    FakeStream,
    a_set,
    checked,
    cloudwatch,
    event,
    line,
    results,
    wrapped,
    zipped,
)

from vpcflow.errors import AwsError
from vpcflow.layout import DEFAULT, parse_log_format
from vpcflow.pipeline import Layouts
from vpcflow.schemas import SCHEMAS

LOST = AwsError("no answer", code="ReadTimeoutError", permanent=False)
LAYOUTS = [
    Layouts(),
    Layouts([parse_log_format("version srcaddr srcport")]),
    Layouts(of_group={"g": (parse_log_format("srcaddr bytes"), DEFAULT)}, others=[DEFAULT]),
]

lines = st.sampled_from(
    [
        line(1),
        line(2, action="REJECT"),
        line(3, src="300.0.0.1"),
        "2 123456789012 eni-0a1b2c3d4e5f60718 - - - - - - - 1700000001 1700000059 - NODATA",
        "2 192.0.2.1 5",
        "192.0.2.1 5",
        "bad",
        "",
        "version srcaddr srcport",
        "version version",
        "6 TransitGateway",
        "\ud800",
    ]
)
odd = st.text(max_size=20) | st.none() | st.integers() | st.sampled_from(["g", "${version}", "?"])
envelopes = st.fixed_dictionaries(
    {"v": st.just(1)},
    optional={
        "id": odd,
        "line": lines | odd,
        "layout": st.sampled_from([None, "version srcaddr srcport", "no layout!", "?"]) | odd,
        "attempt": st.integers(-1, 4) | odd,
        "document": st.sampled_from(["{}", "[]", '{"a":\n1}', "x"]) | odd,
        "message": lines,
    },
)
values = st.recursive(
    envelopes | st.builds(lambda m: {"message": m}, lines) | odd,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
pieces = (
    st.binary(max_size=40)
    | lines.map(lambda one: one.encode("utf-8", "surrogatepass"))
    | values.map(lambda one: json.dumps(one).encode())
    | st.lists(lines.filter(lambda one: one.isascii()), max_size=3).map(
        lambda some: cloudwatch(*some, group="g")
    )
    | st.just(cloudwatch(kind="CONTROL"))
    | st.builds(lambda text: wrapped(text).encode(), lines)
)
texts = st.lists(pieces, max_size=4).flatmap(
    lambda some: st.sampled_from([b"", b"\n", b" ", b","]).map(lambda by: by.join(some))
)
records = st.lists(texts | texts.map(zipped) | texts.map(lambda one: zipped(one)[:-5]), max_size=6)
answers = st.sampled_from([None, "ServiceUnavailableException", LOST, "odd"])


def refuse_odd(record: bytes) -> str | None:
    return "InternalFailure" if len(record) % 2 else None


@given(
    records=records,
    answer=answers,
    layouts=st.sampled_from(LAYOUTS),
    one_document=st.booleans(),
    schema=st.sampled_from([*SCHEMAS]),
    limit=st.sampled_from([400, 1500, 5_000_000]),
    more=st.sampled_from([{}, {}, {"sourceKinesisStreamArn": "arn:aws:kinesis:::stream/s"}]),
    actions=st.sampled_from([None, frozenset({"REJECT"})]),
)
def test_any_records_are_answered_once_in_order_and_the_books_balance(
    records: list[bytes],
    answer: Any,
    layouts: Layouts,
    one_document: bool,
    schema: str,
    limit: int,
    more: dict[str, str],
    actions: frozenset[str] | None,
) -> None:
    how = a_set(
        stream=FakeStream(refuse_odd if answer == "odd" else answer),
        references=FakeReferences(layouts=layouts),
        schema=schema,
        one_document=one_document,
        response_limit_bytes=limit,
        actions=actions,
    )
    event_ = event(*records, **more)

    done = checked(event_, how, remaining_s=2)

    for given_, answered in zip(event_["records"], done.response["records"]):
        if answered["result"] == "ProcessingFailed":
            assert answered.get("data", given_["data"]) == given_["data"]
        if answered["result"] == "Ok":
            found = base64.b64decode(answered["data"])
            assert all(isinstance(json.loads(one), dict) for one in found.splitlines())
            assert len(found.splitlines()) == 1 or not one_document
    bare = [{"recordId": r["recordId"], "result": "ProcessingFailed"} for r in event_["records"]]
    least = len(json.dumps({"records": bare}))
    assert done.counts["response_bytes"] <= max(limit, least)
    assert results(done).count("Ok") == done.counts["answered_ok"]


@given(records=records, layouts=st.sampled_from(LAYOUTS), one_document=st.booleans())
def test_what_goes_back_ends_with_its_third_return(
    records: list[bytes], layouts: Layouts, one_document: bool
) -> None:
    """Nothing goes round for ever: what comes back is answered for good, or comes back less often than is allowed."""
    how = a_set(
        references=FakeReferences(layouts=layouts),
        one_document=one_document,
        response_limit_bytes=1500,
    )
    rounds = 0
    given_ = event(*records)
    while given_["records"]:
        checked(given_, how)
        back = [one for call in how.stream.calls for one in call]
        how.stream.calls.clear()
        given_ = event(*back)
        rounds += 1
        assert rounds <= 8


@given(
    records=st.lists(
        st.dictionaries(
            st.sampled_from(["recordId", "data", "x"]), st.text(max_size=9) | st.none()
        ),
        max_size=4,
    )
)
def test_records_that_lack_what_they_should_have_do_no_harm(records: list[dict[str, Any]]) -> None:
    done = a_set().transformation({"records": records})

    assert [one["recordId"] for one in done.response["records"]] == [
        one.get("recordId") for one in records
    ]
