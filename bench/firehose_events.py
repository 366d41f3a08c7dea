"""Events as Firehose hands them to a transformation, of the lines that ``bench.data`` made."""

from __future__ import annotations

import base64
import gzip
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from vpcflow.flow_envelope import Wrapped, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STREAM_ARN = "arn:aws:firehose:us-east-1:123456789012:deliverystream/VPCFlowLogsToElasticSearch"

# A batch with any other line (IPv6, NODATA) fails whole in the original.
_TAKEN_BY_THE_ORIGINAL = re.compile(rb"\d \d+ eni-\w+ [\d.]+ [\d.]+ \d+ .* OK$")
_FIRST_EVENT_ID = 39 * 10**54
_FIRST_RECORD_ID = 49546986683135544286507457936321625675700192471156785154


def events(
    logs: Path, form: Callable[[bytes, int], bytes], *, records: int, count: int
) -> list[dict[str, Any]]:
    """Make so many events of so many records: each line in its form, in the order of the logs, none twice."""
    lines = enumerate(_lines(logs))
    return [
        {
            "invocationId": f"8a7f6c5d-0b1e-4c3d-9e2f-{number:012d}",
            "deliveryStreamArn": STREAM_ARN,
            "region": "us-east-1",
            "records": [
                {
                    "recordId": f"{_FIRST_RECORD_ID + at}",
                    "approximateArrivalTimestamp": 1768467900000,
                    "data": base64.b64encode(form(line, at)).decode(),
                }
                for at, line in islice(lines, records)
            ],
        }
        for number in range(count)
    ]


def bare(line: bytes, _: int) -> bytes:
    """Give a line as the original's ingestor, and ours with ``RAW_LINES=true``, puts it on the stream."""
    return line + b"\n"


def in_envelope(line: bytes, at: int) -> bytes:
    """Give a line as our ingestor puts it on the stream."""
    return wrap(Wrapped(line, f"{_FIRST_EVENT_ID + at}"))


def _lines(logs: Path) -> Iterator[bytes]:
    for path in sorted(logs.rglob("*.gz")):
        with gzip.open(path) as file:
            yield from filter(_TAKEN_BY_THE_ORIGINAL.match, map(bytes.rstrip, file))
