"""Layouts: read from --log-format and from header lines, never guessed."""

from __future__ import annotations

import pyarrow as pa
import pytest

from vpcflow.errors import FormatError
from vpcflow.fields import DEFAULT_LAYOUT, TGW_LAYOUT, VPC_FIELDS
from vpcflow.layout import DEFAULT, Layout, header_layout, parse_log_format, schema_of


@pytest.mark.parametrize(
    "text",
    [
        "${version} ${account-id} ${tcp-flags}",
        "version account-id tcp-flags",
        "VERSION,Account_Id,tcp_flags",
        "  ${version}\t${ACCOUNT_ID}\n${tcp-flags} ",
    ],
)
def test_a_log_format_is_read_in_any_spelling(text: str) -> None:
    assert parse_log_format(text) == Layout(("version", "account-id", "tcp-flags"))


def test_a_layout_is_written_as_aws_spells_it_and_read_again() -> None:
    layout = Layout(tuple(field.name for field in VPC_FIELDS))

    text = str(layout)

    assert text.startswith("${version} ${account-id} ${interface-id} ")
    assert parse_log_format(text) == layout


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "does not name fields"),
        (" , ", "does not name fields"),
        ("2 123456789012 eni-1", "'2' is no field name"),
        ("${version} ${src addr}", "'${src' is no field name"),
        ("version srcaddr, dst.addr", "'dst.addr' is no field name"),
        ("version start version end start", "more than once: version, start"),
        ("pkt_srcaddr pkt-srcaddr", "more than once: pkt-srcaddr"),
    ],
)
def test_a_log_format_that_makes_no_sense_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(FormatError) as refused:
        parse_log_format(text)

    assert named in str(refused.value)


@pytest.mark.parametrize(
    "line",
    [
        b"version account-id interface-id",
        b"interface-id version account-id",
        b"VERSION ACCOUNT_ID INTERFACE_ID",
        b"${version} ${account-id} ${interface-id}",
        b"version\taccount-id  interface-id\r\n",
        b"srcaddr",
        b"my-field srcaddr",
    ],
)
def test_a_header_is_known_by_its_names_whichever_comes_first(line: bytes) -> None:
    layout = header_layout(line)

    assert layout is not None
    assert set(layout.names) <= {"version", "account-id", "interface-id", "srcaddr", "my-field"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"   ",
        b"2 123456789012 eni-1 srcaddr dstaddr",
        b"- - -",
        b"ACCEPT OK",
        b"some words about the version",
        b"version 2",
        b"version src\xffaddr",
        "version srcaddr größe".encode(),
    ],
)
def test_a_record_or_other_text_is_no_header(line: bytes) -> None:
    assert header_layout(line) is None


def test_a_header_that_names_a_field_twice_is_an_error_that_names_it() -> None:
    with pytest.raises(FormatError, match="more than once: srcaddr"):
        header_layout(b"version srcaddr dstaddr SrcAddr")


def test_unknown_names_are_text_and_known_by_a_layout() -> None:
    layout = parse_log_format("team-name version")

    assert layout.unknown == ("team-name",)
    assert layout.columns == ("team_name", "version")
    assert layout.kinds == ("text", "int32")


def test_a_schema_has_aws_column_names_and_parquet_widths() -> None:
    schema = schema_of(parse_log_format("version srcaddr bytes start instance-tag x"))

    text = pa.dictionary(pa.int32(), pa.string())
    assert schema.names == ["version", "srcaddr", "bytes", "start", "instance_tag", "x"]
    assert schema.types == [pa.int32(), text, pa.int64(), pa.int64(), text, text]


def test_the_default_is_version_2s_layout_and_no_other_name_is_unknown() -> None:
    assert DEFAULT.names == DEFAULT_LAYOUT
    assert DEFAULT.unknown == Layout(TGW_LAYOUT).unknown == ()
