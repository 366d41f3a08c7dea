"""The table of fields holds what AWS documents, once."""

from __future__ import annotations

from itertools import accumulate

import pytest

from vpcflow import fields
from vpcflow.fields import ADDED, FIELDS, TGW_DEFAULT_LAYOUT, TGW_LAYOUT, VPC_FIELDS

# https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html: all fields up to a version. 6 is of
# Transit Gateways alone.
FIELDS_UP_TO = {2: 14, 3: 21, 4: 25, 5: 29, 7: 39, 8: 40, 9: 41, 10: 42, 11: 54}

# Two are none: the reader writes where a record was read from, and attribution sees a whole recording.
ENRICHERS = (
    "reader",
    "identity",
    "eni",
    "security_groups",
    "direction",
    "peer",
    "attribution",
    "initiator",
    "rules",
    "src_geo",
    "dst_geo",
    "aws_service",
    "names",
)


def test_every_version_has_the_fields_aws_documents() -> None:
    counts = [sum(field.since == version for field in VPC_FIELDS) for version in FIELDS_UP_TO]

    totals = dict(zip(FIELDS_UP_TO, accumulate(counts), strict=True))

    assert totals == FIELDS_UP_TO
    assert len(VPC_FIELDS) == 54


def test_the_default_layout_is_version_2s_fields_in_order() -> None:
    assert " ".join(fields.DEFAULT_LAYOUT) == (
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes"
        " start end action log-status"
    )


def test_a_transit_gateway_log_has_31_fields_and_36_in_all() -> None:
    assert len(set(TGW_DEFAULT_LAYOUT)) == len(TGW_DEFAULT_LAYOUT) == 31
    assert len(set(TGW_LAYOUT)) == len(TGW_LAYOUT) == 36
    assert TGW_LAYOUT[:31] == TGW_DEFAULT_LAYOUT


def test_the_transit_gateway_layouts_hold_what_the_table_says() -> None:
    default = {field.name for field in FIELDS if "t" in field.logs}
    optional = {field.name for field in FIELDS if "o" in field.logs}

    assert set(TGW_DEFAULT_LAYOUT) == default
    assert set(TGW_LAYOUT) == default | optional


def test_names_and_columns_are_unique() -> None:
    names = [field.name for field in FIELDS]
    columns = [field.column for field in FIELDS] + [added.column for added in ADDED]

    assert len(set(names)) == len(names)
    assert len(set(columns)) == len(columns)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_field_says_all_about_itself(field: fields.Field) -> None:
    assert field.logs and set(field.logs) <= set("vto")
    assert field.description and field.dash
    assert field.ecs and field.ocsf
    assert str(field.type) in {"string", "int32", "int64"}


def test_tag_fields_are_the_ones_aws_percent_encodes() -> None:
    tags = {field.name for field in FIELDS if field.kind == "tag"}

    assert tags == {f"{of}-tag{n}" for of in ("instance", "interface", "asg") for n in ("", "-2")}


def test_every_added_column_has_a_known_enricher() -> None:
    assert {added.enricher for added in ADDED} == set(ENRICHERS)
    assert all(added.description for added in ADDED)
