"""``vpcflow parse``: documents out, books and words on standard error, the exit status."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commands import Vpcflow

from vpcflow.fields import DEFAULT_LAYOUT

FLOW = (
    b"2 123456789012 eni-0a1b2c3d4e5f60718 203.0.113.12 10.0.1.24 52144 443 6 12 4840"
    b" 1700000000 1700000058 ACCEPT OK\n"
)
QUIET = b"2 123456789012 eni-0a1b2c3d4e5f60718 - - - - - - - 1700000000 1700000058 - NODATA\n"


def test_standard_input_becomes_documents_in_order(vpcflow: Vpcflow) -> None:
    done = vpcflow("parse", given=FLOW + QUIET)

    assert done.status == 0
    assert [d["log_status"] for d in done.documents] == ["OK", "NODATA"]
    assert done.documents[0] == {
        "version": 2, "account_id": "123456789012", "interface_id": "eni-0a1b2c3d4e5f60718",
        "srcaddr": "203.0.113.12", "dstaddr": "10.0.1.24", "srcport": 52144, "dstport": 443,
        "protocol": 6, "packets": 12, "bytes": 4840, "start": 1700000000, "end": 1700000058,
        "action": "ACCEPT", "log_status": "OK",
    }  # fmt: skip


def test_the_summary_balances_and_counts_apart_what_is_no_record(vpcflow: Vpcflow) -> None:
    header = (" ".join(DEFAULT_LAYOUT) + "\n").encode()

    done = vpcflow("parse", given=header + b"\n" + FLOW + QUIET)

    assert "2 records found = 2 delivered + 0 filtered + 0 rejected + 0 failed" in done.err
    assert "among the records: 1 NODATA" in done.err
    assert "beside the records: 1 header line, 1 blank line" in done.err


def test_the_summary_comes_also_when_nothing_was_found(vpcflow: Vpcflow) -> None:
    done = vpcflow("parse", given=b"")

    assert done.status == 0
    assert "0 records found = 0 delivered" in done.err


def test_quiet_says_nothing(vpcflow: Vpcflow) -> None:
    done = vpcflow("parse", "--quiet", given=FLOW)

    assert done.status == 0
    assert done.err == ""
    assert len(done.documents) == 1


def test_a_bad_line_costs_itself_alone_and_is_told_with_its_place(
    vpcflow: Vpcflow, tmp_path: Path
) -> None:
    bad = FLOW.replace(b"52144", b"-1")

    done = vpcflow("parse", "--rejects", "rejects.ndjson", given=FLOW + bad + FLOW)

    assert done.status == 3
    assert len(done.documents) == 2
    assert "rejected: 1 bad_number" in done.err
    assert json.loads((tmp_path / "rejects.ndjson").read_bytes()) == {
        "source": "-", "line": 2, "reason": "bad_number", "text": bad.decode().rstrip("\n"),
    }  # fmt: skip


def test_nothing_but_rejects_is_status_1(vpcflow: Vpcflow) -> None:
    done = vpcflow("parse", given=b"no flow record\n")

    assert done.status == 1
    assert done.out == b""


def test_a_truncated_file_delivers_what_came_before_and_is_named(
    vpcflow: Vpcflow, tmp_path: Path
) -> None:
    whole = gzip.compress(FLOW * 100, mtime=0)
    (tmp_path / "cut.log.gz").write_bytes(whole[:-20])

    done = vpcflow("parse", "cut.log.gz")

    assert done.status == 3
    assert 0 < len(done.documents) <= 100
    assert "cut.log.gz ends in the middle of its gzip data" in done.err


def test_a_file_that_is_not_there_is_status_1_and_named(vpcflow: Vpcflow) -> None:
    done = vpcflow("parse", "missing.log", "gone/")

    assert done.status == 1
    assert done.err == "vpcflow: no such file, directory or match: 'missing.log', 'gone/'\n"


def test_wrong_usage_is_status_2(vpcflow: Vpcflow) -> None:
    done = vpcflow("parse", "--no-such-option")

    assert done.status == 2


def test_a_layout_without_header_is_stated(vpcflow: Vpcflow) -> None:
    done = vpcflow(
        "parse", "--log-format", "${srcaddr} ${dstaddr} ${bytes}", given=b"192.0.2.1 10.0.0.1 7\n"
    )

    assert done.documents == [{"srcaddr": "192.0.2.1", "dstaddr": "10.0.0.1", "bytes": 7}]


def test_a_log_format_that_names_a_field_twice_is_refused(vpcflow: Vpcflow) -> None:
    done = vpcflow("parse", "--log-format", "srcaddr,bytes,srcaddr", given=FLOW)

    assert done.status == 2
    assert "names a field more than once: srcaddr" in done.err


def test_a_header_wins_over_the_log_format_and_says_so_once(vpcflow: Vpcflow) -> None:
    given = b"dstport srcport\n1 2\ndstport srcport\n3 4\n"

    done = vpcflow("parse", "--log-format", "srcport dstport", given=given)

    assert done.documents == [{"dstport": 1, "srcport": 2}, {"dstport": 3, "srcport": 4}]
    assert done.err.count("differs from --log-format") == 1


def test_an_unknown_field_is_kept_and_named_once(vpcflow: Vpcflow) -> None:
    given = b"srcaddr new-field dstport\n192.0.2.1 x 1\n192.0.2.1 y 2\n"

    done = vpcflow("parse", given=given)

    assert [d["new_field"] for d in done.documents] == ["x", "y"]
    assert done.err.count("unknown field 'new_field'") == 1


def test_parquet_by_suffix(vpcflow: Vpcflow, tmp_path: Path) -> None:
    done = vpcflow("parse", "--to", "flows.parquet", given=FLOW + QUIET)

    table = pq.read_table(tmp_path / "flows.parquet")
    assert done.status == 0
    assert done.out == b""
    assert table.column("bytes").to_pylist() == [4840, None]


def test_an_unknown_suffix_is_refused_before_anything_is_read(vpcflow: Vpcflow) -> None:
    done = vpcflow("parse", "--to", "flows.xlsx", given=FLOW)

    assert done.status == 2
    assert "no format is known by the name 'flows.xlsx'" in done.err


@pytest.mark.parametrize(
    "outputs",
    [
        ("--rejects", "in/flows.log"),
        ("--to", "in/flows.log", "--format", "ndjson"),
        ("--to", "in/"),
    ],
)
def test_an_input_is_never_written_over(
    vpcflow: Vpcflow, tmp_path: Path, outputs: tuple[str, ...]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/flows.log").write_bytes(FLOW)

    done = vpcflow("parse", "in/flows.log", *outputs)

    assert done.status == 1
    assert "is or holds the input 'in/flows.log'" in done.err
    assert (tmp_path / "in/flows.log").read_bytes() == FLOW


def test_even_quiet_names_a_file_that_could_not_be_read(vpcflow: Vpcflow, tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no footer")

    done = vpcflow("parse", "--quiet", "bad.parquet")

    assert done.status == 1
    assert "bad.parquet is no whole Parquet file" in done.err


def test_a_time_range_chooses_records_of_files_too(vpcflow: Vpcflow, tmp_path: Path) -> None:
    lines = [FLOW.replace(b"1700000058", b"17000000%d" % second) for second in (58, 59, 60)]
    (tmp_path / "flows.log").write_bytes(b"".join(lines))

    done = vpcflow("parse", "--since", "2023-11-14T22:14:19Z", "--until", "1700000060", "flows.log")

    assert done.status == 0
    assert [d["end"] for d in done.documents] == [1700000059]
    assert "3 records found = 1 delivered + 2 filtered" in done.err


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [("1700000060", "1700000060", "nothing lies between"), ("yesterday", "1", "is no time")],
)
def test_a_time_range_that_makes_no_sense_is_wrong_usage(
    vpcflow: Vpcflow, since: str, until: str, said: str
) -> None:
    done = vpcflow("parse", "--since", since, "--until", until, given=FLOW)

    assert done.status == 2
    assert said in done.err
