"""Objects and arrays within documents: the same as encoding row by row, by compiled code and by Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pytest
from flow_batches import array, batches, documents
from hypothesis import given, settings
from hypothesis import strategies as st

from vpcflow.fragments import Close, Member, Open, column_parts, constant_parts, member, nested
from vpcflow.json_lines import lines, lines_in_pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.fragments import AnyPart

_LEAVES = st.integers(0, 6)
_SHAPES = st.recursive(
    _LEAVES, lambda inner: st.tuples(st.booleans(), st.lists(inner, max_size=4)), max_leaves=12
)
"""A column by its number, or what lies within an array (true) or an object."""


def written(parts: Sequence[AnyPart], rows: int) -> list[Any]:
    """Write both ways, which must agree; give the documents."""
    fast = b"".join(lines(parts, rows))
    plain = b"".join(lines_in_pieces(parts, rows))

    assert fast == plain
    return [orjson.loads(line) for line in fast.splitlines()]


@given(batches(min_rows=1), st.lists(_SHAPES, max_size=5))
@settings(max_examples=300, deadline=None)
def test_nested_documents_are_those_of_encoding_row_by_row(rows: pa.RecordBatch, shapes: list[Any]):
    plain = [orjson.loads(row) for row in documents(rows, rows.schema.names).splitlines()]
    names = rows.schema.names

    found = b"".join(lines(shaped(shapes, rows), rows.num_rows))

    expected = [shaped_row(shapes, row, names) for row in plain]
    assert found == b"".join(orjson.dumps(row) + b"\n" for row in expected)
    assert found == b"".join(lines_in_pieces(shaped(shapes, rows), rows.num_rows))


def shaped(shapes: list[Any], rows: pa.RecordBatch, *, listed: bool = False) -> list[AnyPart]:
    parts: list[AnyPart] = []
    for place, shape in enumerate(shapes):
        around = Member(",") if listed else member(f"m{place}")
        if isinstance(shape, int):
            parts += column_parts(around, rows.column(shape % rows.num_columns))
            continue
        is_array, inside = shape
        first, last = "[]" if is_array else "{}"
        parts += [
            Open(around.before + first),
            *shaped(inside, rows, listed=is_array),
            Close(last),
        ]
    return parts


def shaped_row(shapes: list[Any], row: dict[str, Any], names: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for place, shape in enumerate(shapes):
        if isinstance(shape, int):
            value = row.get(names[shape % len(names)])
            is_there = value is not None
        else:
            is_array, inside = shape
            members = shaped_row(inside, row, names)
            value = list(members.values()) if is_array else members
            is_there = bool(value)
        if is_there:
            found[f"m{place}"] = value
    return found


def test_an_object_without_members_is_not_written():
    column = array("action", ["ACCEPT", None, "REJECT"])
    parts = nested([("a.b.c", column), ("d", array("srcport", [1, 2, None]))])

    found = written(parts, 3)

    assert found == [{"a": {"b": {"c": "ACCEPT"}}, "d": 1}, {"d": 2}, {"a": {"b": {"c": "REJECT"}}}]


def test_paths_of_an_object_that_lie_apart_are_written_together():
    columns = [array("srcport", [number]) for number in range(4)]

    found = written(nested(zip(("a.x", "b", "a.y.z", "a.y.w"), columns, strict=True)), 1)

    assert found == [{"a": {"x": 0, "y": {"z": 2, "w": 3}}, "b": 1}]


def test_an_array_holds_objects_and_values():
    ports = array("srcport", [1, None, None])
    parts: list[AnyPart] = [Open(',"all":[')]
    for _ in range(2):
        parts += [Open(",{"), *column_parts(member("port"), ports), Close("}")]
    parts += [*column_parts(Member(","), array("action", ["A", "B", None])), Close("]")]

    found = written(nested([("in.all", parts)]), 3)

    assert found == [{"in": {"all": [{"port": 1}, {"port": 1}, "A"]}}, {"in": {"all": ["B"]}}, {}]


def test_what_is_the_same_in_all_rows_may_come_first_and_last_in_an_object():
    column = array("action", [None, "ACCEPT"])
    always = constant_parts(',"kind":"event"', 2)

    found = written(nested([("a.kind", always), ("a.b", column), ("c.b", column)]), 2)

    assert found == [
        {"a": {"kind": "event"}},
        {"a": {"kind": "event", "b": "ACCEPT"}, "c": {"b": "ACCEPT"}},
    ]


def test_an_object_longer_than_a_buffer_is_written_whole():
    rows = 200
    text = array("eni_description", ["x" * 9_000 + str(row) for row in range(rows)])

    found = written(nested([("a.b", text), ("a.c.d", text)]), rows)

    assert found == [{"a": {"b": one, "c": {"d": one}}} for one in text.to_pylist()]


@pytest.mark.parametrize("paths", [("a.b", "a.b"), ("a", "a.b"), ("a.b", "a")])
def test_a_path_that_meets_another_is_an_error(paths: tuple[str, str]):
    column = array("action", ["ACCEPT"])

    with pytest.raises(ValueError, match=f"'{paths[1]}'"):
        nested((path, column) for path in paths)


@pytest.mark.parametrize(
    "parts",
    [
        [Open(',"a":{')],
        [Close("}")],
        [Close("}"), Open(',"a":{')],
        [*[Open(',"a":{')] * 33, *[Close("}")] * 33],
    ],
    ids=["left open", "closed twice", "the wrong way round", "too deep"],
)
def test_what_is_not_nested_is_an_error(parts: list[AnyPart]):
    with pytest.raises(ValueError, match="not nested"):
        next(lines(parts, 1))
