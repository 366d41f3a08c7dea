import pyarrow as pa
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from vpcflow.enrich.answers import Answers, added_type
from vpcflow.enrich.geo import add_dst_geo, add_src_geo
from vpcflow.enrich.reference import Reference
from vpcflow.fields import ADDED
from vpcflow.geo import open_geo

TEXT = pa.dictionary(pa.int32(), pa.string())
# A documentation address has no place: this one is reachable, and no host has it (RFC 7534).
SEATTLE, NOWHERE = "192.175.48.1", "192.31.196.1"


@pytest.fixture
def reference(tmp_path):
    place = {
        "country": {"iso_code": "US", "names": {"en": "United States"}},
        "subdivisions": [{"iso_code": "WA", "names": {"en": "Washington"}}],
        "city": {"names": {"en": "Seattle"}},
        "location": {"latitude": 47.6, "longitude": -122.3},
    }
    system = {"autonomous_system_number": 64496, "autonomous_system_organization": "Example"}
    return Reference(
        geo=open_geo(write(tmp_path / "city.mmdb", "Test-City", place)),
        asn=open_geo(write(tmp_path / "asn.mmdb", "Test-ASN", system)),
    )


def write(path, type_, record):
    writer = MMDBWriter(4, type_, languages=["en"], description="test")
    writer.insert_network(IPSet(["192.175.48.0/24", "10.0.0.0/8", "192.0.2.0/24"]), record)
    writer.to_db_file(str(path))
    return path


def flows_of(srcaddr, dstaddr):
    return pa.RecordBatch.from_pydict(
        {
            "srcaddr": pa.array(srcaddr, pa.string()).dictionary_encode(),
            "dstaddr": pa.array(dstaddr, pa.string()).dictionary_encode(),
        }
    )


def added_by(enricher, flows, reference):
    return enricher(flows, Answers(flows, reference))


def test_source_and_destination_have_their_place_and_their_autonomous_system(reference):
    flows = flows_of([SEATTLE, "10.0.0.1"], ["10.0.0.1", SEATTLE])

    source = added_by(add_src_geo, flows, reference)
    destination = added_by(add_dst_geo, flows, reference)

    place = ["US", "United States", "WA", "Washington", "Seattle", 47.6, -122.3, 64496, "Example"]
    assert [column.to_pylist() for column in source.values()] == [[v, None] for v in place]
    assert [column.to_pylist() for column in destination.values()] == [[None, v] for v in place]


@pytest.mark.parametrize("srcaddr", [NOWHERE, "10.0.0.1", "192.0.2.1", "2001:db8::1", None])
def test_private_documentation_and_unknown_addresses_have_nulls(reference, srcaddr):
    flows = flows_of([srcaddr, SEATTLE], ["10.0.0.1", "10.0.0.1"])

    added = added_by(add_src_geo, flows, reference)

    assert {column[0].as_py() for column in added.values()} == {None}
    assert {column.null_count for column in added.values()} == {1}


@pytest.mark.parametrize(("enricher", "name"), [(add_src_geo, "src_geo"), (add_dst_geo, "dst_geo")])
@pytest.mark.parametrize("has_databases", [False, True])
def test_the_columns_are_those_of_the_table_with_and_without_databases(
    reference, enricher, name, has_databases
):
    flows = flows_of([SEATTLE], [SEATTLE])

    added = added_by(enricher, flows, reference if has_databases else Reference())

    declared = [a.column for a in ADDED if a.enricher == name]
    assert list(added) == declared
    assert [column.type for column in added.values()] == [added_type(c) for c in declared]
    assert {column.null_count for column in added.values()} == {0 if has_databases else 1}


def test_a_layout_without_addresses_has_nulls(reference):
    flows = pa.RecordBatch.from_pydict({"version": [2, 2]})

    added = added_by(add_src_geo, flows, reference)

    assert {column.null_count for column in added.values()} == {2}
