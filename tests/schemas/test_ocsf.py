"""Events of OCSF: as its own schema allows, the same as made row by row, and flows again when they are read back."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.json
import pytest
from flow_batches import batch
from golden_documents import cases, corpus
from hypothesis import given, settings
from hypothesis import strategies as st
from ocsf_events import SPARED, event_of, faults, without
from simulated import log_files, simulated

from vpcflow.enrich import Reference, enrich
from vpcflow.fields import ADDED, FIELDS
from vpcflow.inventory import load_inventory
from vpcflow.pipeline import read_flows
from vpcflow.schemas import SCHEMAS, encode_ocsf
from vpcflow.schemas.ocsf import encode_spare
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books
from vpcflow.tables import parse_rows

GROUPS = {"cases": cases, "corpus": corpus}
NEWER = {
    "1.7.0": ["network_observation_point"],
    "1.6.0": ["observation_point_id", "observation_point", "metadata.original_event_uid"]
    + [f"{end}.network_scope{suffix}" for end in ("src_endpoint", "dst_endpoint") for suffix in ("", "_id")],
    "1.5.0": ["is_src_dst_assignment_known"],
}  # fmt: skip
"""What each version of the schema lacks that the next one has."""


def events(flows: pa.RecordBatch) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(map(bytes, encode_ocsf(flows))).splitlines()]


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> list[pa.RecordBatch]:
    """The company's flows, enriched from its inventory."""
    report = simulated(tmp_path_factory.mktemp("company"), minutes=1)
    inventory = load_inventory(report.inventory, warn=lambda _: None)
    inputs = find_inputs([str(path) for path in log_files(report)])
    batches = [flows for one in inputs for flows in read_flows(read_input(one), Books())]
    return [enrich(flows, Reference(inventory=inventory)) for flows in batches]


TEXTS = st.sampled_from(["a", "b", 'x"y', "é"])
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "version": st.sampled_from([2, 3, 5, 11]),
    "srcaddr": st.sampled_from(["10.0.1.20", "198.51.100.7", "2001:db8::1"]),
    "dstaddr": st.sampled_from(["10.0.1.20", "203.0.113.5", "2001:db8::2"]),
    "pkt_srcaddr": st.sampled_from(["10.0.1.20", "198.51.100.7", "2001:db8::1"]),
    "pkt_dstaddr": st.sampled_from(["10.0.1.20", "203.0.113.5"]),
    "srcport": st.sampled_from([0, 443, 65535, 65536, 2**31 - 1]),
    "dstport": st.sampled_from([0, 53, 70000]),
    "protocol": st.sampled_from([1, 6, 17, 58]),
    "packets": st.integers(0, 2**62),
    "bytes": st.integers(0, 2**62),
    "start": st.integers(0, 10**11),
    "end": st.integers(0, 10**11),
    "action": st.sampled_from(["ACCEPT", "REJECT", "ACCEPTED"]),
    "log_status": st.sampled_from(["OK", "NODATA", "SKIPDATA"]),
    "type": st.sampled_from(["IPv4", "IPv6", "EFA"]),
    "flow_direction": st.sampled_from(["ingress", "egress", "sideways"]),
    "direction": st.sampled_from(["ingress", "egress"]),
    "traffic_path": st.integers(0, 10),
    "tcp_flags": st.sampled_from([0, 2, 19]),
    "encryption_status": st.sampled_from([0, 3]),
    "duration_s": st.integers(-60, 600),
    "eni_tags": st.just([{"key": "Name", "value": "web"}]),
    "inventory_age_s": st.integers(-60, 600),
    "peer_addr": st.sampled_from(["198.51.100.7", "203.0.113.5"]),
    "peer_port": st.sampled_from([443, 50000]),
    "local_port": st.sampled_from([443, 50000]),
    "initiator_confidence": st.sampled_from([0.7, 0.95, 1.0]),
    "peer_scope": st.sampled_from(["internet", "aws_service", "vpc", "link_local", "unknown"]),
    **{
        f"{side}_geo_{name}": st.integers(-most * 100, most * 100).map(lambda n: n / 100)
        for side in ("src", "dst")
        for name, most in (("latitude", 90), ("longitude", 180))
    },
    "src_as_number": st.integers(0, 2**32 - 1),
    "dst_as_number": st.integers(0, 2**32 - 1),
}
LISTS = {a.column for a in ADDED if str(a.type) == "list<item: string>"}
COLUMNS = [f.column for f in FIELDS] + [a.column for a in ADDED]
GATEWAY = {f.column for f in FIELDS if f.since == 6}


@st.composite
def rows(draw: st.DrawFn, *, of_gateway: bool) -> dict[str, Any]:
    """Draw a row of some of all columns, those of a Transit Gateway or of an interface."""
    names = [
        name
        for name in COLUMNS
        if name not in ("source_object", "source_line") and (of_gateway or name not in GATEWAY)
    ]
    kinds = {f.column: f.kind for f in FIELDS}
    row = {}
    for name in names:
        if draw(st.booleans()):
            number = kinds.get(name) in ("int32", "int64")
            default = st.integers(0, 9) if number else TEXTS
            if name in LISTS:
                default = st.lists(TEXTS, max_size=2)
            row[name] = draw(VALUES.get(name, default))
    return row


@pytest.mark.parametrize("group", GROUPS)
def test_every_golden_flow_is_a_valid_event(group: str) -> None:
    for case, flows in GROUPS[group]():
        found = events(flows)

        assert [(case, faults(event)) for event in found] == [(case, [])] * flows.num_rows
        assert found == [event_of(row) for row in flows.to_pylist()]


def test_flows_of_a_company_with_its_inventory_are_valid_events(
    company: list[pa.RecordBatch],
) -> None:
    for flows in company:
        some = flows.slice(0, 100)

        found = events(some)

        assert found == [event_of(row) for row in some.to_pylist()]
        assert [faults(event) for event in found[:20]] == [[]] * len(found[:20])


@given(st.lists(rows(of_gateway=False) | rows(of_gateway=True), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_whatever_is_known_of_flows_their_events_are_valid(some: list[dict[str, Any]]) -> None:
    flows = batch([{"version": 2, **row} for row in some])

    found = events(flows)

    assert found == [event_of(row) for row in flows.to_pylist()]
    assert [faults(event) for event in found] == [[]] * len(found)


def flows_again(flows: pa.RecordBatch) -> list[dict[str, Any]]:
    """Write flows as events, read these as rows, and give AWS's fields of what the reader makes of them."""
    written = b"".join(map(bytes, encode_ocsf(flows)))
    table = pyarrow.json.read_json(io.BytesIO(written)).combine_chunks()
    parsed = parse_rows(table.to_batches()[0], "x", 1)
    assert parsed.rejects == ()
    return logged(parsed.batch)


def logged(flows: pa.RecordBatch) -> list[dict[str, Any]]:
    names = {field.column for field in FIELDS}
    return [
        # In rows a dash is null: a tag of that value does not come back.
        {name: value for name, value in row.items() if name in names and value not in (None, "-")}
        for row in flows.to_pylist()
    ]


def test_flows_of_a_company_are_the_same_when_their_events_are_read_back(
    company: list[pa.RecordBatch],
) -> None:
    for flows in company:
        assert flows_again(flows) == logged(flows)


@pytest.mark.parametrize("group", GROUPS)
def test_golden_events_are_the_same_flows_when_they_are_read_back(group: str) -> None:
    for case, flows in GROUPS[group]():
        assert (case, flows_again(flows)) == (case, logged(flows))


def test_an_event_without_its_captions_is_valid_and_else_the_same(
    company: list[pa.RecordBatch],
) -> None:
    flows = company[0].slice(0, 5)

    spare = [json.loads(line) for line in b"".join(map(bytes, encode_spare(flows))).splitlines()]

    expected = events(flows)
    for path in SPARED:
        expected = [without(event, path) for event in expected]
    assert spare == expected
    assert [faults(event) for event in spare] == [[]] * len(spare)


def test_an_event_is_valid_by_older_versions_without_what_these_lack() -> None:
    for _, flows in cases():
        found = events(flows)
        for version, lacking in NEWER.items():
            for path in lacking:
                found = [without(event, path) for event in found]

            assert [faults(event, version) for event in found] == [[]] * len(found)


def paths_in(value: Any, path: str = "") -> Iterator[str]:
    """Give the dotted paths of all that is in an event, but for the keys of tags."""
    if isinstance(value, dict) and not path.endswith("eni_tags"):
        for name, inside in value.items():
            yield from paths_in(inside, f"{path}.{name}".removeprefix("."))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for inside in value:
            yield from paths_in(inside, path)
    else:
        yield path


def indexed(properties: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, kind in properties.items():
        inner = f"{path}.{name}".removeprefix(".")
        yield from indexed(kind["properties"], inner) if "properties" in kind else [inner]


@given(rows(of_gateway=False) | rows(of_gateway=True))
@settings(max_examples=60, deadline=None)
def test_all_that_an_event_holds_is_in_the_index_mapping(row: dict[str, Any]) -> None:
    known = set(indexed(SCHEMAS["ocsf"].mapping()))

    [event] = events(batch([{"version": 2, **row}]))

    assert set(paths_in(event)) <= known
