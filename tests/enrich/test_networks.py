import pyarrow as pa
import pytest

from vpcflow.addresses import parse_addresses
from vpcflow.errors import ReferenceDataError
from vpcflow.networks import load_networks

CSV = "cidr,name,kind\n192.0.2.0/24,Oslo office,office\n192.0.2.128/25,Oslo guests,office\n"
JSON = """[{"cidr": "192.0.2.0/24", "name": "Oslo office", "kind": "office"},
           {"cidr": "192.0.2.128/25", "name": "Oslo guests", "kind": "office"}]"""


def names_of(networks, *addresses):
    found = networks.lookup(parse_addresses(pa.array(addresses)))
    return [networks.names[i].as_py() if i >= 0 else None for i in found.tolist()]


@pytest.mark.parametrize("text", [CSV, JSON, "\ufeff" + CSV.replace("\n", "\r\n")])
def test_the_longest_named_block_gives_the_name(tmp_path, text):
    file = tmp_path / "networks"
    file.write_text(text, "utf-8", newline="")

    networks = load_networks(file)

    assert names_of(networks, "192.0.2.1", "192.0.2.200", "198.51.100.1", None) == [
        "Oslo office",
        "Oslo guests",
        None,
        None,
    ]
    assert networks.kinds.to_pylist() == ["office", "office"]


def test_blocks_may_share_a_name_and_leave_the_kind_out(tmp_path):
    file = tmp_path / "networks.csv"
    file.write_text("cidr,name\n192.0.2.0/24,Oslo\n\n2001:db8:1::/48,Oslo\n")

    networks = load_networks(file)

    assert networks.names.to_pylist() == ["Oslo"]
    assert networks.kinds.to_pylist() == [""]
    assert names_of(networks, "2001:db8:1::1", "2001:db8:2::1") == ["Oslo", None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("192.0.2.0/24,Oslo,office\n", "line 1: no header"),
        ("", "line 1: no header"),
        ("cidr,name,kind\n192.0.2.1/24,Oslo,office\n", "line 2: 192.0.2.1/24 has host bits set"),
        ("cidr,name,kind\nOslo,192.0.2.0/24,office\n", "line 2: 'Oslo' does not appear"),
        ("cidr,name,kind\n192.0.2.0/24,,office\n", "line 2: '192.0.2.0/24' has no name"),
        ("cidr,name,kind\n192.0.2.0/24\n", "line 2: 1 values, expected 3"),
        (CSV + "192.0.2.0/24,Bergen,office\n", "line 4: '192.0.2.0/24' stands in line 2"),
        (CSV + "198.51.100.0/24,Oslo office,x\n", "line 4: 'Oslo office' is of kind 'office'"),
        ('[{"cidr": "192.0.2.0/24"}]', "entry 1: '192.0.2.0/24' has no name"),
        ('[{"cidr": 7, "name": "Oslo"}]', "entry 1: cidr, name and kind are texts"),
        ('[{"cidr": "192.0.2.0/24", "nmae": "Oslo"}]', "entry 1: no object of"),
        ('{"cidr": "192.0.2.0/24", "name": "Oslo"}', "the JSON is no list"),
        ("[", "unexpected end of data"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, text, said):
    file = tmp_path / "networks"
    file.write_text(text)

    with pytest.raises(ReferenceDataError) as raised:
        load_networks(file)

    assert said in str(raised.value)
    assert repr(str(file)) in str(raised.value)


def test_all_faulty_blocks_are_named_at_once(tmp_path):
    file = tmp_path / "networks.csv"
    file.write_text("cidr,name\nx,Oslo\n192.0.2.0/24,Oslo\ny,Bergen\n")

    with pytest.raises(ReferenceDataError, match=r"line 2: 'x' .*; line 4: 'y' "):
        load_networks(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ReferenceDataError, match=r"missing\.csv"):
        load_networks(tmp_path / "missing.csv")
