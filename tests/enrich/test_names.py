import pyarrow as pa
import pytest

from vpcflow.codes import PROTOCOLS, TRAFFIC_PATHS
from vpcflow.enrich.answers import Answers, added_type
from vpcflow.enrich.names import add_names
from vpcflow.enrich.reference import Reference
from vpcflow.fields import ADDED


def added_by(**columns):
    flows = pa.RecordBatch.from_pydict(
        {name: pa.array(numbers, pa.int32()) for name, numbers in columns.items()}
    )
    return add_names(flows, Answers(flows, Reference()))


def test_every_assigned_protocol_has_its_keyword():
    added = added_by(protocol=list(PROTOCOLS))

    assert added["protocol_name"].to_pylist() == list(PROTOCOLS.values())


@pytest.mark.parametrize("protocol", [None, 200, 255, 256, 2**31 - 1])
def test_other_protocols_have_no_name(protocol):
    added = added_by(protocol=[protocol, 6])

    assert added["protocol_name"].to_pylist() == [None, "tcp"]


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (0, []),
        (1, ["fin"]),
        (19, ["fin", "syn", "ack"]),
        (255, ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"]),
        (256, None),
        (None, None),
    ],
)
def test_tcp_flags_are_named_lowest_bit_first(flags, names):
    added = added_by(protocol=[6], tcp_flags=[flags])

    assert added["tcp_flag_names"].to_pylist() == [names]


def test_flags_of_other_protocols_are_null_and_of_unknown_ones_are_not():
    added = added_by(protocol=[17, None, 6, 300], tcp_flags=[0, 2, 2, 2])

    assert added["tcp_flag_names"].to_pylist() == [None, ["syn"], ["syn"], None]


def test_a_layout_without_the_protocol_has_flags_all_the_same():
    added = added_by(tcp_flags=[2, None])

    assert added["tcp_flag_names"].to_pylist() == [["syn"], None]


def test_traffic_paths_have_names():
    added = added_by(traffic_path=[*TRAFFIC_PATHS, 0, 9, None])

    assert added["traffic_path_name"].to_pylist() == [*TRAFFIC_PATHS.values(), None, None, None]


@pytest.mark.parametrize("columns", [{"version": [2]}, {"protocol": [6], "tcp_flags": [2]}])
def test_the_columns_are_those_of_the_table(columns):
    added = added_by(**columns)

    declared = [a.column for a in ADDED if a.enricher == "names"]
    assert list(added) == declared
    assert [column.type for column in added.values()] == [added_type(c) for c in declared]


def test_dictionaries_hold_distinct_names():
    added = added_by(protocol=[6, 6], tcp_flags=[3, 3], traffic_path=[1, 1])

    for texts in (
        added["protocol_name"],
        added["tcp_flag_names"].values,
        added["traffic_path_name"],
    ):
        values = texts.dictionary.to_pylist()
        assert len(set(values)) == len(values)
