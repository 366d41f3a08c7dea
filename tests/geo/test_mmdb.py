import ipaddress
import random

import maxminddb
import numpy as np
import pyarrow as pa
import pytest
from mmdb_writer import METADATA_MAGIC, Encoder

from vpcflow import native
from vpcflow.addresses import parse_addresses
from vpcflow.errors import ReferenceDataError
from vpcflow.geo.mmdb import Mmdb
from vpcflow.geo.mmdb_metadata import metadata_of, read_metadata

SEPARATOR = bytes(16)


def random_networks(rng, ip_version, count=60):
    """Networks of all lengths, some nested, and of IPv4 too where the database is of IPv6."""
    for _ in range(count):
        if ip_version == 4 or rng.random() < 0.5:
            number, bits = rng.getrandbits(32), rng.randint(2, 32)
            yield str(ipaddress.IPv4Network((number, bits), strict=False))
        else:
            number, bits = rng.getrandbits(125) | 1 << 125, rng.randint(4, 128)
            yield str(ipaddress.IPv6Network((number, bits), strict=False))


def addresses_near(rng, networks, count=300):
    for _ in range(count):
        network = ipaddress.ip_network(rng.choice(networks))
        step = rng.choice([-1, 0, 1, rng.randrange(network.num_addresses)])
        number = (int(network.network_address) + step) % (1 << network.max_prefixlen)
        yield str(type(network.network_address)(number))
        yield str(ipaddress.IPv4Address(rng.getrandbits(32)))
        yield str(ipaddress.IPv6Address(rng.getrandbits(128)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("record_size", [24, 28, 32])
@pytest.mark.parametrize("ip_version", [4, 6])
def test_records_are_those_maxminddb_finds(write_mmdb, ip_version, record_size, seed):
    rng = random.Random(seed)
    networks = sorted(set(random_networks(rng, ip_version)), key=lambda n: int(n.split("/")[1]))
    path = write_mmdb(
        {network: {"network": network} for network in networks},
        ip_version=ip_version,
        record_size=record_size,
    )
    texts = [text for text in addresses_near(rng, networks) if ip_version == 6 or ":" not in text]
    reader = maxminddb.open_database(path)

    records = Mmdb(path).records(parse_addresses(pa.array(texts))).tolist()

    expected = [reader.get(text) for text in texts]
    by_record = dict(zip(records, expected))
    assert reader.metadata().record_size == record_size
    assert [by_record[record] for record in records] == expected
    assert [record == 0 for record in records] == [found is None for found in expected]
    assert len({found["network"] for found in expected if found}) == len(set(records) - {0})


@pytest.mark.parametrize("record_size", [24, 28, 32])
@pytest.mark.parametrize("ip_version", [4, 6])
def test_metadata_is_what_maxminddb_reads(write_mmdb, ip_version, record_size):
    path = write_mmdb({"0.0.0.0/1": {"a": 1}}, ip_version=ip_version, record_size=record_size)

    metadata = Mmdb(path).metadata

    assert metadata == metadata_of(maxminddb.open_database(path).metadata())
    assert metadata.description == "Places of test"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [(b"record_size", b"record_bits"), (b"Test-City", b"Test-C\xc3ty"), (METADATA_MAGIC, b"")],
)
def test_unusual_metadata_are_left_to_maxminddb(write_mmdb, right, wrong):
    data = write_mmdb({"0.0.0.0/1": {"a": 1}}).read_bytes()
    damaged = data.replace(right, wrong)

    is_read = read_metadata(np.frombuffer(data, np.uint8)) is not None

    assert is_read == native.is_available()
    assert read_metadata(np.frombuffer(damaged, np.uint8)) is None


def write_large(path, record_size, left, right):
    """Write a tree of one node over data so large that records need the bits above the 24th; the file is sparse."""
    places = [1 + len(SEPARATOR) + at for at in (left, right)]
    if record_size == 28:
        high = (places[0] >> 24 << 4 | places[1] >> 24).to_bytes(1)
        node = high.join((place & 0xFFFFFF).to_bytes(3) for place in places)
    else:
        node = b"".join(place.to_bytes(4) for place in places)
    metadata = {
        "node_count": 1,
        "record_size": record_size,
        "ip_version": 4,
        "database_type": "Test",
        "languages": ["en"],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "description": {"en": "test"},
        "build_epoch": 1767225600,
    }
    with path.open("wb") as file:
        file.write(node + SEPARATOR)
        for text, at in ((b"\x44left", left), (b"\x45right", right)):
            file.seek(len(node + SEPARATOR) + at)
            file.write(text)
        file.write(METADATA_MAGIC + Encoder(cache=False).encode_meta(metadata))


@pytest.mark.parametrize("record_size", [28, 32])
def test_records_of_a_large_database_are_whole(tmp_path, record_size):
    path = tmp_path / "large.mmdb"
    left, right = 0x1000005, 0x2000007
    write_large(path, record_size, left, right)
    database = Mmdb(path)

    records = database.records(parse_addresses(pa.array(["10.0.0.1", "192.0.2.1"])))

    assert records.tolist() == [1 + len(SEPARATOR) + left, 1 + len(SEPARATOR) + right]
    assert database.decode(ipaddress.IPv4Address("10.0.0.1")) == "left"
    assert database.decode(ipaddress.IPv4Address("192.0.2.1")) == "right"


def test_a_database_of_ipv4_has_no_record_of_ipv6_addresses(write_mmdb):
    path = write_mmdb({"0.0.0.0/1": {"a": 1}, "128.0.0.0/1": {"a": 2}}, ip_version=4)

    records = Mmdb(path).records(parse_addresses(pa.array(["::1", "2001:db8::1", "192.0.2.1"])))

    assert [record > 0 for record in records] == [False, False, True]


def test_what_is_no_address_has_no_record(write_mmdb):
    path = write_mmdb({"0.0.0.0/1": {"a": 1}})

    records = Mmdb(path).records(parse_addresses(pa.array([None, "no address"])))

    assert records.tolist() == [0, 0]


@pytest.mark.parametrize("content", [b"", b"no database", b"\x1f\x8b" + b"\0" * 200_000])
def test_a_file_that_is_no_mmdb_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / "places.mmdb"
    path.write_bytes(content)

    with pytest.raises(ReferenceDataError, match=r"places\.mmdb' is no MMDB file"):
        Mmdb(path)


def test_a_missing_file_is_an_error_that_says_what_to_do(tmp_path):
    path = tmp_path / "places.mmdb"

    with pytest.raises(ReferenceDataError, match="vpcflow geo fetch"):
        Mmdb(path)


def test_a_directory_is_an_error(tmp_path):
    with pytest.raises(ReferenceDataError, match=str(tmp_path)):
        Mmdb(tmp_path)


def test_a_tree_cut_out_of_its_file_is_an_error(write_mmdb):
    path = write_mmdb({f"{i}.0.0.0/16": {"a": i} for i in range(1, 200)})
    data = path.read_bytes()
    path.write_bytes(data[-2000:])

    with pytest.raises(ReferenceDataError, match=r"test\.mmdb"):
        Mmdb(path)


@pytest.mark.parametrize("record_size", [24, 28, 32])
def test_a_tree_that_never_ends_is_an_error(write_mmdb, record_size):
    path = write_mmdb({"192.0.2.0/24": {"a": 1}}, ip_version=4, record_size=record_size)
    data = path.read_bytes()
    # Both records of the first node lead back to it.
    path.write_bytes(bytes(record_size // 4) + data[record_size // 4 :])

    with pytest.raises(ReferenceDataError, match="corrupt"):
        Mmdb(path).records(parse_addresses(pa.array(["192.0.2.1"])))


def test_a_record_outside_of_the_data_is_an_error(write_mmdb):
    path = write_mmdb({"0.0.0.0/1": {"a": 1}}, ip_version=4)
    data = path.read_bytes()
    path.write_bytes(b"\xff\xff\xff" + data[3:])

    with pytest.raises(ReferenceDataError, match="corrupt"):
        Mmdb(path).decode(ipaddress.IPv4Address("10.0.0.1"))
