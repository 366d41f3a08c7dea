import pyarrow as pa
import pytest
from enriching import ACCOUNT, all_fields, eni, flows, inventory

from vpcflow.enrich import ENRICHERS, Answers, Reference, enrich
from vpcflow.fields import ADDED, FIELDS
from vpcflow.inventory import Vpc

TEXT = pa.dictionary(pa.int32(), pa.string())
IN_MEMORY = {pa.string(): TEXT, pa.list_(pa.string()): pa.list_(TEXT)}
EXPECTED = {a.column: IN_MEMORY.get(a.type, a.type) for a in ADDED} | {
    "event_id": pa.string(),
    "eni_tags": pa.list_(pa.struct([("key", TEXT), ("value", TEXT)])),
}
NO_ENRICHERS = ("reader", "attribution")
NOTHING = Reference()
SOMETHING = Reference(
    inventory=inventory(
        eni("x", "10.0.0.5", groups="sg-1", tags=(("Name", "web"),)),
        Vpc("vpc-a", cidrs=("10.0.0.0/16",)),
    )
)
REFERENCES = pytest.mark.parametrize(
    "reference", [NOTHING, SOMETHING], ids=["nothing", "inventory"]
)
EACH = pytest.mark.parametrize("enricher", ENRICHERS, ids=lambda e: e.name)


def faults(batch, reference):
    """Say what is wrong with the columns that each enricher adds to a batch."""
    answers, found = Answers(batch, reference), []
    for enricher in ENRICHERS:
        needed = enrich(batch, reference, columns=enricher.needs)
        columns = enricher.add(needed, answers)
        types = {name: column.type for name, column in columns.items()}
        if types != {column: EXPECTED[column] for column in enricher.columns}:
            found.append(f"{enricher.name}: {types}")
        for name, column in columns.items():
            column.validate(full=True)
            if len(column) != batch.num_rows:
                found.append(f"{name}: {len(column)} rows, {batch.num_rows} expected")
    return found


def test_each_added_column_has_its_enricher_in_table_order():
    names = [enricher.name for enricher in ENRICHERS]

    columns = [column for enricher in ENRICHERS for column in enricher.columns]

    assert columns == [a.column for a in ADDED if a.enricher not in NO_ENRICHERS]
    assert len(set(names)) == len(names)


@REFERENCES
@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("null", [False, True], ids=["values", "nulls"])
def test_each_enricher_adds_its_own_columns_in_full(reference, rows, null):
    batch = all_fields(rows, null=null)

    wrong = faults(batch, reference)

    assert wrong == []


@REFERENCES
def test_a_layout_may_lack_any_field(reference):
    batch = all_fields(2)
    without = [batch.drop_columns([f.column]) for f in FIELDS]

    wrong = [fault for less in without for fault in faults(less, reference)]

    assert wrong == []


@REFERENCES
def test_a_layout_may_have_any_one_field_alone(reference):
    batch = all_fields(2)
    alone = [batch.select([f.column]) for f in FIELDS]

    wrong = [fault for one in alone for fault in faults(one, reference)]

    assert wrong == []


@EACH
@pytest.mark.parametrize("null", [False, True], ids=["values", "nulls"])
def test_texts_added_have_distinct_dictionaries_without_null(enricher, null):
    batch = all_fields(2, null=null)

    result = enrich(batch, SOMETHING, columns=enricher.columns)

    texts = [result.column(name) for name in enricher.columns]
    for column in (c for c in texts if c.type == TEXT):
        assert column.dictionary.null_count == 0
        assert len(column.dictionary.unique()) == len(column.dictionary)


def test_flows_keep_their_rows_and_columns_and_the_added_follow_in_table_order():
    batch = flows(
        "interface_id srcaddr dstaddr start",
        "x 10.0.0.5 192.0.2.1 1700000000",
        "- - - 1700000001",
        "y 192.0.2.1 10.0.0.9 1700000002",
    )

    result = enrich(batch, SOMETHING)

    assert result.select(batch.schema.names).equals(batch)
    assert result.schema.names[batch.num_columns :] == [
        a.column for a in ADDED if a.enricher not in NO_ENRICHERS
    ]


def test_only_wanted_columns_are_added_in_table_order():
    batch = flows("interface_id srcaddr dstaddr", "x 10.0.0.5 192.0.2.1")

    result = enrich(batch, SOMETHING, columns={"peer_addr", "security_group_ids"})

    assert result.schema.names[3:] == ["security_group_ids", "peer_addr"]
    assert result.column("peer_addr").to_pylist() == ["192.0.2.1"]


def test_no_columns_wanted_leaves_the_flows_as_they_are():
    batch = flows("account_id", ACCOUNT)

    result = enrich(batch, SOMETHING, columns=())

    assert result.equals(batch)


@pytest.mark.parametrize("columns", [{"colour", "peer_addr"}, {"source_line", "srcaddr"}])
def test_a_column_no_enricher_adds_is_refused(columns):
    unknown = ", ".join(sorted(columns - {"peer_addr"}))

    with pytest.raises(ValueError, match=f"no enricher adds: {unknown}$"):
        enrich(flows("account_id", ACCOUNT), SOMETHING, columns=columns)


def test_flows_are_not_enriched_twice():
    batch = enrich(flows("srcaddr", "10.0.0.5"), SOMETHING, columns={"direction"})

    with pytest.raises(ValueError, match=r"the flows have already: direction$"):
        enrich(batch, SOMETHING, columns={"direction"})
