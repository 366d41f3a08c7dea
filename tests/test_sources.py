"""Sources: files, directories, globs and standard input, known by content, never lost in silence."""

from __future__ import annotations

import errno
import gzip
import io
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vpcflow.errors import SourceError
from vpcflow.lines import Lines
from vpcflow.pipeline import read_flows
from vpcflow.rejects import Reject
from vpcflow.sources import Fault, Input, Rows
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books

LINE = b"2 123456789012 eni-0a 10.0.1.20 198.51.100.%d 40001 443 6 1 100 1766000000 1766000059 ACCEPT OK\n"


def lines(count: int) -> bytes:
    return b"".join(LINE % (i % 256) for i in range(count))


def source_of(data: bytes) -> Input:
    return Input("flows.log", len(data), lambda: io.BytesIO(data))


class Outcome:
    """What reading sources gave."""

    def __init__(self, *sources: Input, block_bytes: int = 1 << 20) -> None:
        self.books = Books()
        self.rejects: list[Reject] = []
        self.flows: list[dict[str, Any]] = []
        for source in sources:
            blocks = read_input(source, block_bytes=block_bytes)
            for batch in read_flows(blocks, self.books, on_rejects=self.rejects.extend):
                self.flows.extend(batch.to_pylist())

    @property
    def faults(self) -> list[str]:
        return [fault.reason for fault in self.books.faults]


# ---- finding


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b/2.log", "b/1.log.gz", "a.log", "c/d/e.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for name in (".hidden", "_SUCCESS", ".d/x.log", "_tmp/x.log", "b/.x.crc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def names(tree: Path, *paths: str) -> list[str]:
    found = find_inputs([str(tree / path) for path in paths])
    return [os.path.relpath(source.name, tree) for source in found]


def test_a_directory_is_read_recursively_and_in_order_without_hidden_names(tree: Path) -> None:
    assert names(tree, "") == ["a.log", "b/1.log.gz", "b/2.log", "c/d/e.parquet"]


def test_a_hidden_file_is_read_where_it_is_named(tree: Path) -> None:
    assert names(tree, ".hidden", "_tmp") == [".hidden", "_tmp/x.log"]


def test_a_file_that_several_paths_lead_to_is_read_once_and_that_is_said(tree: Path) -> None:
    (tree / "b" / "link.log").symlink_to(tree / "a.log")
    said: list[str] = []

    found = find_inputs(
        [str(tree / path) for path in ("b/2.log", "a.log", "b", "b/../a.log")], warn=said.append
    )

    names = [os.path.relpath(source.name, tree) for source in found]
    assert names == ["b/2.log", "a.log", "b/1.log.gz"]
    assert said == ["3 of the inputs are named more than once; each is read once"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("b/*.log", ["b/2.log"]),
        ("b/*", ["b/1.log.gz", "b/2.log"]),
        ("**/*.log", ["a.log", "b/2.log", "_tmp/x.log"]),
        ("?", ["b/1.log.gz", "b/2.log", "c/d/e.parquet"]),
        ("b/[12].log*", ["b/1.log.gz", "b/2.log"]),
    ],
)
def test_a_glob_is_expanded_and_its_directories_are_read(
    tree: Path, pattern: str, found: list[str]
) -> None:
    assert sorted(names(tree, pattern)) == sorted(found)


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tree: Path) -> None:
    (tree / "[x]*.log").write_bytes(b"")

    assert names(tree, "[x]*.log") == ["[x]*.log"]


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system refuses such names")
def test_a_file_whose_name_is_no_utf_8_is_read_and_named(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.log")).write_bytes(lines(1) + b"broken\n")

    outcome = Outcome(*find_inputs([str(tmp_path)]))

    assert outcome.flows[0]["source_object"] == f"{tmp_path}/\\xff.log"
    assert outcome.rejects[0].source == f"{tmp_path}/\\xff.log"


def test_all_paths_that_match_nothing_are_named_at_once(tree: Path) -> None:
    with pytest.raises(SourceError) as missing:
        find_inputs([str(tree / "a.log"), str(tree / "no.log"), str(tree / "no/*.gz")])

    assert f"{str(tree / 'no.log')!r}, {str(tree / 'no/*.gz')!r}" in str(missing.value)
    assert "a.log" not in str(missing.value)


@pytest.mark.parametrize("path", ["x" * 5000, "a\0b"])
def test_a_path_that_can_be_none_is_an_error_that_names_it(path: str) -> None:
    with pytest.raises(SourceError, match=path[:1]):
        find_inputs([path])


def test_an_empty_directory_has_no_inputs(tmp_path: Path) -> None:
    assert find_inputs([str(tmp_path)]) == []


def test_links_to_directories_are_followed_though_not_round(tree: Path) -> None:
    (tree / "b" / "up").symlink_to(tree, target_is_directory=True)
    (tree / "c" / "b").symlink_to(tree / "b", target_is_directory=True)

    assert names(tree, "").count("a.log") == 1
    assert names(tree, "c/b") == [
        "c/b/1.log.gz",
        "c/b/2.log",
        "c/b/up/a.log",
        "c/b/up/c/d/e.parquet",
    ]


def test_an_input_says_its_size_where_it_has_one(tree: Path) -> None:
    (tree / "a.log").write_bytes(b"12345")
    os.mkfifo(tree / "pipe")

    sizes = {Path(s.name).name: s.size_bytes for s in find_inputs([str(tree)])}

    assert sizes["a.log"] == 5
    assert sizes["pipe"] is None


# ---- detection


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"srcaddr": ["10.0.1.20"], "source_line": [7]}), out)
    return out.getvalue()


@pytest.mark.parametrize("suffix", [".log", ".gz", ".parquet", ".zst", ".json", ""])
@pytest.mark.parametrize(
    "data",
    [
        lines(1),
        gzip.compress(lines(1)),
        pa.compress(lines(1), "zstd", asbytes=True),
        parquet(),
        b'{"message": "' + lines(1).strip() + b'"}',
        gzip.compress(b'{"logEvents": [{"message": "' + lines(1).strip() + b'"}]}') * 2,
        b"timestamp,message\n1,2 x eni-0a 10.0.1.20 - - - - - - 1 2 - OK\n",
    ],
    ids=["text", "gzip", "zstd", "parquet", "message", "envelopes", "csv"],
)
def test_what_a_file_is_shows_its_content_not_its_name(
    tmp_path: Path, data: bytes, suffix: str
) -> None:
    (tmp_path / f"flows{suffix}").write_bytes(data)

    outcome = Outcome(*find_inputs([str(tmp_path)]))

    assert {flow["srcaddr"] for flow in outcome.flows} == {"10.0.1.20"}
    assert (outcome.rejects, outcome.faults) == ([], [])


def test_flows_of_several_inputs_say_which_each_is_from(tree: Path) -> None:
    (tree / "a.log").write_bytes(lines(2))
    (tree / "b" / "1.log.gz").write_bytes(gzip.compress(lines(1)))

    outcome = Outcome(*find_inputs([str(tree / "a.log"), str(tree / "b" / "1.log.gz")]))

    assert [(Path(f["source_object"]).name, f["source_line"]) for f in outcome.flows] == [
        ("a.log", 1),
        ("a.log", 2),
        ("1.log.gz", 1),
    ]


def test_a_header_holds_for_its_own_input_alone() -> None:
    first = source_of(b"version srcaddr\n2 10.0.0.1\n")

    outcome = Outcome(first, source_of(lines(1)))

    assert len(outcome.flows) == 2
    assert outcome.rejects == []


# ---- blocks


def blocks(data: bytes, block_bytes: int) -> list[Lines]:
    found = list(read_input(source_of(data), block_bytes=block_bytes))
    assert all(isinstance(block, Lines) for block in found)
    return [block for block in found if isinstance(block, Lines)]


def test_blocks_are_whole_lines_of_about_the_size_asked_for() -> None:
    data = lines(60_000)

    found = blocks(data, 1 << 20)

    assert b"".join(block.data for block in found) == data
    assert len(found) >= 5
    assert all(block.data.endswith(b"\n") for block in found)
    assert max(len(block.data) for block in found) < (1 << 20) + (1 << 19)
    assert np.concatenate([b.numbers for b in found]).tolist() == list(range(1, 60_001))


def test_text_without_a_line_feed_at_its_beginning_loses_nothing() -> None:
    envelope = b'{"logEvents": [{"message": "%s"}]}' % lines(1).strip()

    outcome = Outcome(source_of(envelope * 5_000))

    assert len(outcome.flows) == 5_000


@pytest.mark.parametrize("block_bytes", [1, 1 << 18, 1 << 24])
@pytest.mark.parametrize("feed", [b"\n", b""])
def test_a_line_too_long_to_be_one_is_a_reject_and_costs_no_other(
    block_bytes: int, feed: bytes
) -> None:
    data = lines(1) + b"2 y " * (3 << 18) + feed + (lines(2) if feed else b"")

    outcome = Outcome(source_of(data), block_bytes=block_bytes)

    assert [flow["source_line"] for flow in outcome.flows] == ([1, 3, 4] if feed else [1])
    [reject] = outcome.rejects
    assert (reject.line, reject.reason, len(reject.text)) == (2, "line_too_long", 4096)


def test_events_are_handed_on_in_blocks_of_one_log_group() -> None:
    envelopes = [
        b'{"logGroup": "%s", "logEvents": [{"id": "1", "message": "2 a"}, {"message": "2 b"}]}'
        % group
        for group in (b"one", b"one", b"two", b"one")
    ]

    found = blocks(b"".join(envelopes), 1 << 20)

    assert [(b.log_group, b.data.count(b"\n")) for b in found] == [
        ("one", 4),
        ("two", 2),
        ("one", 2),
    ]
    assert found[0].event_ids == ["1", None, "1", None]
    assert np.concatenate([b.numbers for b in found]).tolist() == list(range(1, 9))


def test_an_event_id_that_is_no_utf_8_is_no_error() -> None:
    message = lines(1).strip()

    outcome = Outcome(
        source_of(
            b'{"id": "\xff\xfe", "message": "%s"}{"id": "\\ud800", "message": "%s"}'
            % (message, message)
        )
    )

    assert [flow["cloudwatch_event_id"] for flow in outcome.flows] == ["\\udcff\\udcfe", "\\ud800"]


def test_only_the_first_line_of_an_event_has_its_id() -> None:
    data = b'{"logEvents": [{"id": "1", "message": "2 a\\n2 b\\n"}]}'

    [block] = blocks(data, 1 << 20)

    assert (block.data, block.event_ids) == (b"2 a\n2 b\n", ["1", None])


@pytest.mark.parametrize(
    "first", [b'"message, ' + b"x" * 200_000, b'message,"\r"x', b'message,"\0\n"', b"message,\n"]
)
def test_a_first_line_that_may_be_a_csv_header_and_is_odd_is_no_error(first: bytes) -> None:
    outcome = Outcome(source_of(first + b"\n" + lines(1)))

    assert outcome.faults == []


@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_a_csv_export_is_read_in_blocks_with_its_lines_numbered(block_bytes: int) -> None:
    rows = [b"1766000000000," + line for line in lines(20_000).splitlines(keepends=True)]

    outcome = Outcome(source_of(b"timestamp,message\n" + b"".join(rows)), block_bytes=block_bytes)

    assert [flow["source_line"] for flow in outcome.flows] == list(range(2, 20_002))


# ---- faults


class Failing(io.RawIOBase):
    """A stream that fails after some bytes."""

    def __init__(self, data: bytes, error: OSError) -> None:
        self._stream = io.BytesIO(data)
        self._error = error

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if not data:
            raise self._error
        return data


def failing(data: bytes) -> Input:
    error = OSError(errno.EIO, "Input/output error")
    return Input("flows.log", None, lambda: Failing(data, error))  # type: ignore[arg-type,return-value]


def test_what_was_read_before_a_read_error_is_delivered() -> None:
    outcome = Outcome(failing(lines(5_000) + b"2 1234"))

    assert len(outcome.flows) == 5_000
    assert outcome.faults == ["cannot be read to its end (Input/output error)"]
    assert outcome.books.failed == 1


def test_a_file_that_may_not_be_read_is_a_fault_and_costs_no_other() -> None:
    def refuse() -> BinaryIO:
        raise PermissionError(errno.EACCES, "Permission denied")

    outcome = Outcome(Input("secret.log", 5, refuse), source_of(lines(1)))

    assert len(outcome.flows) == 1
    assert outcome.faults == ["cannot be read (Permission denied)"]
    assert outcome.books.found == 1


def test_a_file_that_went_away_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(lines(1))
    [source] = find_inputs([str(tmp_path)])
    (tmp_path / "a.log").unlink()

    assert Outcome(source).faults == ["cannot be read (No such file or directory)"]


def test_a_file_that_is_a_directory_by_now_is_a_fault(tmp_path: Path) -> None:
    source = Input("d", None, lambda: tmp_path.open("rb"))

    assert Outcome(source).faults == ["cannot be read (Is a directory)"]


def test_a_line_that_breaks_off_with_its_gzip_data_is_counted_as_failed() -> None:
    data = gzip.compress(lines(1) + LINE[:30])[:-8]

    outcome = Outcome(source_of(data))

    assert len(outcome.flows) == 1
    assert [(f.reason, f.lost) for f in outcome.books.faults] == [
        ("ends in the middle of its gzip data", 1)
    ]
    assert outcome.books.found == 2


def test_lines_and_then_envelopes_in_a_broken_file_are_delivered_and_the_fault_is_told() -> None:
    text = lines(2) + b'{"message": "%s"}\n' % lines(1).strip() + b'{"message": "2 '
    broken = gzip.compress(text)[:-8]

    for block_bytes in (1, 1 << 20):
        outcome = Outcome(source_of(broken), block_bytes=block_bytes)

        assert len(outcome.flows) == 3
        assert outcome.rejects == []
        assert [(f.reason, f.lost) for f in outcome.books.faults] == [
            ("ends in the middle of its gzip data", 1)
        ]


def test_whole_lines_before_a_wrong_checksum_are_delivered_and_none_is_lost() -> None:
    data = bytearray(gzip.compress(lines(100)))
    data[-8] ^= 1

    outcome = Outcome(source_of(bytes(data)))

    assert len(outcome.flows) == 100
    assert [fault.lost for fault in outcome.books.faults] == [0]


@pytest.mark.parametrize("data", [b"PK\x03\x04", "version".encode("utf-16"), b"BZh9"])
def test_a_foreign_file_is_a_fault_with_nothing_found(data: bytes) -> None:
    outcome = Outcome(source_of(data))

    assert (outcome.flows, outcome.rejects, outcome.books.found) == ([], [], 0)
    assert len(outcome.faults) == 1


def test_the_fault_is_the_last_of_an_input() -> None:
    found = list(read_input(source_of(gzip.compress(lines(50_000))[:-1]), block_bytes=1 << 18))

    assert isinstance(found[-1], Fault)
    assert all(isinstance(block, Lines) for block in found[:-1])


# ---- progress


@pytest.mark.parametrize("data", [lines(20_000), gzip.compress(lines(20_000)), b""])
def test_all_bytes_read_are_told(data: bytes) -> None:
    told: list[int] = []

    list(read_input(source_of(data), on_bytes=told.append))

    assert sum(told) == len(data)


def test_of_a_parquet_file_about_all_bytes_are_told() -> None:
    told: list[int] = []
    data = parquet()

    found = list(read_input(source_of(data), on_bytes=told.append))

    assert isinstance(found[0], Rows)
    assert len(data) <= sum(told) <= 2 * len(data)


# ---- standard input


def run(data: bytes, *paths: str) -> list[str]:
    program = (
        "import sys, vpcflow\n"
        "for flows in vpcflow.read(*sys.argv[1:]):\n"
        "    for flow in flows.to_pylist():\n"
        "        print(flow['source_object'], flow['source_line'], flow['dstport'])\n"
        "print(sys.stdin.closed)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *paths], input=data, capture_output=True, check=True
    )
    return done.stdout.decode().splitlines()


def stdin_parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"srcaddr": ["10.0.1.20"] * 2, "dstport": [443, 443]}), out)
    return out.getvalue()


@pytest.mark.integration
@pytest.mark.parametrize("paths", [[], ["-"]])
@pytest.mark.parametrize(
    "data", [lines(2), gzip.compress(lines(2)), stdin_parquet()], ids=["text", "gzip", "parquet"]
)
def test_standard_input_is_read_like_a_file_and_stays_open(data: bytes, paths: list[str]) -> None:
    assert run(data, *paths) == ["- 1 443", "- 2 443", "False"]


def test_a_named_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=_write, args=(pipe, LINE % 7, 2_000))
    writer.start()

    outcome = Outcome(*find_inputs([str(pipe)]))

    writer.join()
    assert len(outcome.flows) == 2_000


def _write(path: Path, line: bytes, count: int) -> None:
    with path.open("wb", buffering=0) as pipe:
        for _ in range(count):
            pipe.write(line)
