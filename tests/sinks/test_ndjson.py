"""Documents in files and streams."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pyarrow as pa
import pytest
from flow_batches import documents, flows

from vpcflow.schemas import encode_flat
from vpcflow.sinks.ndjson import NdjsonFileSink, NdjsonSink


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_file_holds_the_documents_in_order(suffix: str, tmp_path: Path):
    path = tmp_path / f"flows.ndjson{suffix}"
    batches = [flows(300), flows(20, action="REJECT")]

    with NdjsonFileSink(path, encode_flat) as sink:
        for batch in batches:
            sink.write(batch)

    with pa.input_stream(str(path), compression="detect") as stream:
        assert stream.read() == b"".join(documents(batch) for batch in batches)


def test_a_gzip_file_names_no_time_and_no_file(tmp_path: Path):
    path = tmp_path / "flows.ndjson.gz"

    with NdjsonFileSink(path, encode_flat) as sink:
        sink.write(flows(1))

    header = path.read_bytes()[:10]
    assert header[3] == 0
    assert header[4:8] == bytes(4)
    assert gzip.decompress(path.read_bytes()).count(b"\n") == 1


@pytest.mark.parametrize("count", [1, 1000])
def test_a_reader_that_has_gone_is_told_once_and_never_again(count: int):
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "wb")

    with pytest.raises(BrokenPipeError), NdjsonSink(stream, encode_flat) as sink:
        sink.write(flows(count))

    stream.flush()
    stream.close()
