"""Event ids: the same by every route, different for different records, and never to change."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpcflow.enrich import Reference, enrich
from vpcflow.layout import Layout, parse_log_format
from vpcflow.linewise import BY_PLACE
from vpcflow.pipeline import Layouts, read_flows
from vpcflow.sources import Input
from vpcflow.sources.files import read_input
from vpcflow.stats import Books

NAMES = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end"
    " action log-status"
).split()
LINES = [
    "2 123456789012 eni-0a1b2c3d 10.0.1.20 203.0.113.5 20641 22 6 20 4249 1766000000 1766000059 ACCEPT OK",
    "2 123456789012 eni-0a1b2c3d - - - - - - - 1766000060 1766000119 - NODATA",
    "2 123456789012 eni-0a1b2c3d 2001:db8:1234:a100:8d6e:3477:df66:f105"
    " 2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1766000000 1766000112 ACCEPT OK",
]
GATEWAY = (
    "6 TransitGateway 123456789012 tgw-0a tgw-attach-0a - - - - - - - - - - - 10.1.0.5 10.2.0.9"
    " 43210 443 6 10 1200 1766000000 1766000058 OK IPv4 0 0 0 0"
)


def ids_of(
    data: bytes | str,
    *,
    name: str = "flows.log",
    block_bytes: int = 1 << 24,
    layouts: Sequence[Layout] = (),
) -> list[str]:
    raw = data.encode() if isinstance(data, str) else data
    source = Input(name, len(raw), lambda: io.BytesIO(raw))
    books = Books()
    blocks = read_input(source, block_bytes=block_bytes)
    found: list[str] = []
    for batch in read_flows(blocks, books, layouts=Layouts(layouts)):
        found += enriched(batch).column("event_id").to_pylist()
    assert books.found == len(found)
    return found


def enriched(flows: pa.RecordBatch) -> pa.RecordBatch:
    return enrich(flows, Reference(), columns=["event_id", "duration_s"])


def text(lines: Sequence[str] = LINES, names: Sequence[str] = NAMES) -> str:
    """Write lines of the default layout with their fields in the order of ``names``, after a header."""
    places = [NAMES.index(name) for name in names]
    return "\n".join(
        [" ".join(names), *(" ".join(line.split()[at] for at in places) for line in lines)]
    )


def rows(lines: Sequence[str] = LINES) -> dict[str, list[Any]]:
    tokens = [line.split() for line in lines]
    return {name.replace("-", "_"): list(column) for name, column in zip(NAMES, zip(*tokens))}


def parquet(columns: dict[str, list[Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def typed(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Give the columns as AWS writes them: numbers as numbers, nulls as nulls."""
    texts = {"account_id", "interface_id", "srcaddr", "dstaddr", "action", "log_status"}
    return {
        name: [None if v == "-" else v if name in texts else int(v) for v in values]
        for name, values in columns.items()
    }


def envelope(lines: Sequence[str]) -> str:
    events = [{"id": f"{i:056}", "message": line} for i, line in enumerate(lines)]
    return json.dumps({"logGroup": "g", "logEvents": events})


# These are a part of the format: stores find by them what they have. They may never change.
GOLDEN = [
    "215df92bff2561fe75bcf8ebd37d2ab0",
    "53e8ebaf3b189f55cd6398f00af624ac",
    "3745389923a41bd8951b8536610747af",
]


def test_ids_never_change() -> None:
    assert ids_of("\n".join(LINES)) == GOLDEN


def test_the_id_of_a_record_that_only_its_place_identifies_never_changes() -> None:
    data = "version srcaddr instance-tag\n2 10.0.0.1 " + "x" * 200 + "\n2 10.0.0.1 y"

    assert ids_of(data, name="AWSLogs/flows.log.gz") == [
        "2f22dbc61efff9ebc5b17f8a02af6dc2",
        "cfc878593482ca909528116001f1a5f9",
    ]
    assert ids_of(envelope([GATEWAY])) == ["c0c10c1d3f6985c0450876612f23a5fe"]


@pytest.mark.parametrize(
    "make",
    [
        text,
        lambda: "\n".join(LINES),
        lambda: text(names=NAMES[::-1]),
        lambda: text(names=sorted(NAMES)),
        lambda: "\r\n".join(line.replace(" ", "\t ") for line in LINES),
        lambda: "\n".join("2018-09-22T20:28:14.000Z " + line for line in LINES),
        lambda: "\n".join(json.dumps({"message": line}) for line in LINES),
        lambda: envelope(LINES),
        lambda: "timestamp,message\n" + "\n".join("0," + line for line in LINES),
        lambda: parquet(rows()),
        lambda: parquet(typed(rows())),
        lambda: parquet(dict(reversed(typed(rows()).items()))),
        lambda: parquet(typed(rows()) | {"instance_tag": ["-"] * 3, "vpc_id": [None] * 3}),
        lambda: text().replace("1766000060", "1766000060999").replace(" 22 ", " 0022 "),
    ],
    ids=[
        *("header", "bare", "reversed", "alphabetical", "white space", "export", "messages"),
        *("envelope", "csv", "text parquet", "parquet", "reversed parquet", "null columns"),
        "other spellings",
    ],
)
def test_a_record_has_the_same_id_by_every_route(make: Callable[[], bytes | str]) -> None:
    assert ids_of(make(), name="other.log") == GOLDEN


@pytest.mark.parametrize("block_bytes", [1, 1 << 10, 1 << 24])
def test_block_size_changes_no_id(block_bytes: int) -> None:
    lines = [LINES[0].replace("20641", str(i)) for i in range(6_000)]
    data = "\n".join([*lines, "version srcaddr", *("2 10.0.0.1" for _ in range(6_000))])

    assert ids_of(data, block_bytes=block_bytes) == ids_of(data)


def test_null_is_as_good_as_absent() -> None:
    line = LINES[0]

    wide = ids_of(" ".join([*NAMES, "vpc-id tcp-flags instance-tag\n"]) + line + " - - -")
    null_bytes = ids_of(line.replace(" 4249 ", " - "))
    absent = text([line], [name for name in NAMES if name != "bytes"])

    assert wide == GOLDEN[:1]
    assert null_bytes == ids_of(absent)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_part_of_the_id(name: str) -> None:
    at = NAMES.index(name)
    tokens = LINES[0].split()
    other = {"srcaddr": "10.0.0.9", "dstaddr": "10.0.0.9", "action": "REJECT"}.get(name, "7")

    changed = ids_of(" ".join([*tokens[:at], other, *tokens[at + 1 :]]))
    nulled = ids_of(" ".join([*tokens[:at], "-", *tokens[at + 1 :]]))

    assert len({GOLDEN[0], *changed, *nulled}) == 3


def test_values_count_with_their_column() -> None:
    ports = ids_of(LINES[0].replace("20641 22", "22 20641"))
    ends = ids_of(LINES[0].replace("10.0.1.20 203.0.113.5", "203.0.113.5 10.0.1.20"))

    assert len({GOLDEN[0], *ports, *ends}) == 3


# ---- layouts that do not identify a record


@pytest.mark.parametrize(
    "layout", ["version srcaddr dstaddr", "action", "srcport dstport start", "instance-id x bytes"]
)
def test_a_layout_of_a_few_columns_loses_no_record(layout: str) -> None:
    names = layout.split()
    data = "\n".join(" ".join("-" for _ in names) for _ in range(3_000))

    found = ids_of(data, layouts=[parse_log_format(layout)])

    assert len(set(found)) == 3_000


@pytest.mark.parametrize("missing", ["interface-id", "srcport", "protocol", "end", "action"])
def test_where_one_identifying_field_is_missing_the_place_counts(missing: str) -> None:
    data = text(LINES[:1] * 5, [name for name in NAMES if name != missing])

    first, second = ids_of(data, name="a.log"), ids_of(data, name="b.log")

    assert len({*first, *second}) == 10
    assert first == ids_of(data, name="a.log")


@pytest.mark.parametrize("missing", ["version", "account-id", "packets", "bytes", "log-status"])
def test_where_another_field_is_missing_the_place_does_not_count(missing: str) -> None:
    data = text(LINES[:1] * 5, [name for name in NAMES if name != missing])

    assert len({*ids_of(data, name="a.log"), *ids_of(data, name="b.log")}) == 1


def test_the_place_of_an_event_is_its_id_not_its_file() -> None:
    data = envelope([GATEWAY] * 3)

    first = ids_of(data, name="a.log")

    assert len(set(first)) == 3
    assert ids_of("\n\n" + data + data, name="b.log") == first * 2


def test_two_records_in_one_event_have_two_ids() -> None:
    found = ids_of(envelope([f"{GATEWAY}\n{GATEWAY}\n{GATEWAY}"]))

    assert len(set(found)) == 3


@pytest.mark.parametrize("block_bytes", [1, 1 << 24])
def test_records_have_the_same_ids_among_those_of_another_layout(block_bytes: int) -> None:
    alone = ids_of("\n" + GATEWAY) + ids_of("\n\n\n" + GATEWAY)

    mixed = ids_of(
        "\n".join([LINES[0], GATEWAY, LINES[1], GATEWAY, LINES[2]]), block_bytes=block_bytes
    )

    assert mixed == [GOLDEN[0], alone[0], GOLDEN[1], alone[1], GOLDEN[2]]


def test_the_mark_of_a_mixed_batch_is_gone_when_its_ids_are_there() -> None:
    data = f"{LINES[0]}\n{GATEWAY}".encode()
    [flows] = read_flows(read_input(Input("x", None, lambda: io.BytesIO(data))), Books())

    without = enrich(flows, Reference(), columns=["duration_s"])
    twice = enrich(without, Reference(), columns=["event_id"])

    assert [BY_PLACE in batch.schema.names for batch in (flows, without, twice)] == [
        True,
        True,
        False,
    ]
    assert twice.column("event_id") == enriched(flows).column("event_id")


# ---- distinct


def batch_ids(**columns: list[Any]) -> list[str]:
    arrays = {
        name: pa.array(values).dictionary_encode()
        if isinstance(values[0], str)
        else pa.array(values)
        for name, values in columns.items()
    }
    count = len(next(iter(arrays.values())))
    missing = {*rows()} - {*arrays}
    filled = {name: pa.nulls(count, pa.int64()) for name in missing}
    ids: list[str] = (
        enriched(pa.RecordBatch.from_pydict(arrays | filled)).column("event_id").to_pylist()
    )
    return ids


def test_many_numbers_have_as_many_ids() -> None:
    numbers = (
        list(range(100_000))
        + [2**63 - 1 - i for i in range(1_000)]
        + [2**40 + i for i in range(1_000)]
    )

    assert len(set(batch_ids(bytes=numbers))) == len(numbers)


def test_pairs_of_small_numbers_have_as_many_ids() -> None:
    pairs = [(i, j) for i in range(300) for j in range(300)]

    found = batch_ids(srcport=[i for i, _ in pairs], dstport=[j for _, j in pairs])

    assert len(set(found)) == len(pairs)
    # Both halves are hashes of their own.
    assert len({one[:16] for one in found}) == len({one[16:] for one in found}) == len(pairs)


def test_many_texts_of_every_length_have_as_many_ids() -> None:
    rng = random.Random(1)
    texts = {"".join(rng.choices("ab", k=rng.randrange(1, 400))) for _ in range(5_000)}
    texts |= {"a" * length for length in range(1, 600)}
    texts |= {"x" * 128 + str(i) for i in range(500)} | {"y" * 136 + str(i) for i in range(500)}
    texts |= {"é" * length for length in range(1, 200)}

    found = batch_ids(interface_id=sorted(texts))

    assert len(set(found)) == len(texts)
    assert len({one[:16] for one in found}) == len({one[16:] for one in found}) == len(texts)


def test_a_text_has_the_same_id_whatever_stands_beside_it() -> None:
    texts = ["a" * length for length in (1, 7, 8, 9, 16, 127, 128, 129, 500)]

    together = batch_ids(interface_id=texts)

    assert together == [batch_ids(interface_id=[one])[0] for one in texts]
    assert together == batch_ids(interface_id=texts[::-1])[::-1]


@given(st.lists(st.text(min_size=1, max_size=150), min_size=2, max_size=5, unique=True))
def test_texts_that_differ_have_ids_that_differ(texts: list[str]) -> None:
    assert len(set(batch_ids(interface_id=texts))) == len(texts)


def test_a_slice_of_a_batch_has_the_ids_of_its_rows() -> None:
    data = "\n".join(LINES * 3)
    source = Input("flows.log", None, lambda: io.BytesIO(data.encode()))
    [batch] = read_flows(read_input(source), Books())

    assert enriched(batch.slice(4, 3)).column("event_id").to_pylist() == [
        GOLDEN[1],
        GOLDEN[2],
        GOLDEN[0],
    ]


def test_the_duration_is_end_less_start() -> None:
    flows = pa.RecordBatch.from_pydict(
        {"start": pa.array([10, 20, None, 5]), "end": pa.array([70, 10, 5, None])}
    )

    assert enriched(flows).column("duration_s").to_pylist() == [60, -10, None, None]
    assert enriched(flows.select(["start"])).column("duration_s").to_pylist() == [None] * 4
