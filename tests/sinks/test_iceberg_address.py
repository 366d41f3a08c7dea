"""Where a table is: the address, and what it may not hold."""

from __future__ import annotations

import pytest

from vpcflow.errors import FormatError
from vpcflow.sinks.iceberg.address import is_table_url, parse_table_url
from vpcflow.sinks.iceberg.faults import told


@pytest.mark.parametrize(
    ("url", "catalog", "folder", "table"),
    [
        ("iceberg://network.flows", "default", None, ("network", "flows")),
        ("iceberg://lake/network.flows", "lake", None, ("network", "flows")),
        ("ICEBERG://lake/network.flows", "lake", None, ("network", "flows")),
        ("iceberg://lake/a.b.flows", "lake", None, ("a", "b", "flows")),
        ("iceberg:///data/lake/network.flows", "default", "/data/lake", ("network", "flows")),
        ("iceberg://./lake/network.flows", "default", "./lake", ("network", "flows")),
        ("iceberg://../lake/network.flows", "default", "../lake", ("network", "flows")),
        ("iceberg://./network.flows", "default", ".", ("network", "flows")),
        ("iceberg:///network.flows", "default", "/", ("network", "flows")),
        ("iceberg:///data/my lake/network.flows", "default", "/data/my lake", ("network", "flows")),
    ],
)
def test_an_address_names_catalog_or_folder_and_table(
    url: str, catalog: str, folder: str | None, table: tuple[str, ...]
):
    address = parse_table_url(url)

    assert address[:3] == (catalog, folder, table)


@pytest.mark.parametrize(
    "url",
    [
        "iceberg://",
        "iceberg://flows",
        "iceberg://lake/flows",
        "iceberg://lake/network.",
        "iceberg://lake/.flows",
        "iceberg://lake/a..b",
        "iceberg://lake/net work.flows",
        "iceberg://lake/deep/network.flows",
        "iceberg://la.ke/network.flows",
        "iceberg:///data/lake/",
        "iceberg://lake/network.flows?warehouse",
        "iceberg:///data/network.flows?warehouse=x",
    ],
)
def test_what_is_no_address_is_an_error_that_says_how_to_write_one(url: str):
    with pytest.raises(FormatError, match="iceberg:"):
        parse_table_url(url)


def test_properties_add_to_the_configuration():
    address = parse_table_url("iceberg://aws/net.flows?type=glue&warehouse=s3://example-lake/w")

    assert dict(address.properties) == {"type": "glue", "warehouse": "s3://example-lake/w"}
    assert address.name == "aws/net.flows"


@pytest.mark.parametrize(
    "name", ["token", "s3.secret-access-key", "credential", "PASSWORD", "s3.access-key-id"]
)
def test_a_secret_in_the_address_is_refused_and_not_repeated(name: str):
    with pytest.raises(FormatError, match="PYICEBERG_CATALOG__") as error:
        parse_table_url(f"iceberg://lake/network.flows?{name}=hush")

    assert "hush" not in str(error.value)


def test_what_is_said_of_an_error_holds_no_secret_and_is_one_line():
    error = ValueError("no\nanswer: https://user:hush@example.com said hush-hush " + "x" * 1000)

    said = told(error, {"token": "hush-hush", "uri": "https://example.com"})

    assert said.startswith("no answer: https://***@example.com said *** xxx")
    assert len(said) < 400


@pytest.mark.parametrize("to", [None, "-", "flows.parquet", "s3://iceberg/x", "firehose://x"])
def test_other_outputs_are_no_tables(to: str | None):
    assert not is_table_url(to)
