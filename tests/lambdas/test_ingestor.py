"""The ingestor: what it makes of an event, of the time left, and of a stream that refuses."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from vpcflow.errors import AwsError, SinkError, SourceError, VpcflowError
from vpcflow.lambdas.ingestion import Ingestor
from vpcflow.lambdas.settings import load_settings

LINE = "2 123456789012 eni-1 192.0.2.1 198.51.100.1 1 2 6 1 40 1700000000 1700000060 ACCEPT OK"
BUSY = "ServiceUnavailableException"


class Context:
    def __init__(self, left_s: float) -> None:
        self._left_s = left_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self._left_s * 1000)


class Stream:
    """Takes ``takes`` calls' worth of records at most; each call lasts a second."""

    name = "flows"

    def __init__(self, answer: str | AwsError | None = None, refuses: int = 0) -> None:
        self.now = 0.0
        self.calls: list[list[bytes]] = []
        self._answer = answer
        self._refuses = refuses

    def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
        self.now += 1
        self.calls.append(list(records))
        if isinstance(self._answer, AwsError):
            raise self._answer
        refused = self._answer if len(self.calls) <= self._refuses else None
        return [refused if i % 2 else None for i in range(len(records))]

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def event(*messages: str, kind: str = "DATA_MESSAGE") -> dict[str, Any]:
    events = [{"id": str(i), "timestamp": 0, "message": m} for i, m in enumerate(messages)]
    body = json.dumps({"messageType": kind, "logGroup": "flows", "logEvents": events})
    return {"awslogs": {"data": base64.b64encode(gzip.compress(body.encode())).decode()}}


def ran(
    given: Any, stream: Stream, left_s: float = 30, **environ: str
) -> tuple[list[dict[str, Any]], Exception | None]:
    written: list[str] = []
    function = Ingestor(
        load_settings("ingestor", {"DELIVERY_STREAM_NAME": "flows", **environ}),
        stream,
        write=written.append,
        clock=lambda: stream.now,
        sleep=stream.sleep,
        random=lambda: 1.0,
    )
    fault = None
    try:
        function(given, Context(left_s))
    except VpcflowError as error:
        fault = error
    return [json.loads(line) for line in written], fault


def test_lines_go_to_the_stream_and_the_log_tells_how_many():
    stream = Stream()

    log, fault = ran(event(LINE, "", f"{LINE}\n{LINE}"), stream)

    assert fault is None
    assert [json.loads(r)["id"] for r in stream.calls[0]] == ["0", "2", "2:2"]
    assert (log[0]["records_found"], log[0]["records_delivered"], log[0]["blank_lines"]) == (
        3,
        3,
        1,
    )
    assert (log[0]["output_records"], log[0]["event"]) == (3, "batch done")


def test_the_layout_is_that_of_the_settings():
    stream = Stream()

    ran(event("5 eni-1"), stream, LOG_FORMAT="version interface-id")

    assert json.loads(stream.calls[0][0])["layout"] == "${version} ${interface-id}"


def test_raw_lines_go_as_they_are():
    stream = Stream()

    ran(event(LINE), stream, RAW_LINES="true")

    assert stream.calls == [[f"{LINE}\n".encode()]]


@pytest.mark.parametrize("given", [event(), event(kind="CONTROL_MESSAGE"), event("")])
def test_an_event_with_nothing_for_the_stream_makes_no_call(given: dict[str, Any]):
    stream = Stream()

    _, fault = ran(given, stream)

    assert (stream.calls, fault) == ([], None)


def test_only_what_was_refused_goes_again():
    stream = Stream(BUSY, refuses=2)

    log, fault = ran(event(*[LINE] * 4), stream)

    assert fault is None
    assert [len(call) for call in stream.calls] == [4, 2, 1]
    assert (log[0]["puts"], log[0]["puts_refused"]) == (3, 3)


@pytest.mark.parametrize("left_s", [30, 10, 3, 0.5])
def test_a_stream_that_keeps_refusing_fails_the_invocation_while_there_is_time_to_say_so(
    left_s: float,
):
    stream = Stream(AwsError("slow down", code=BUSY, permanent=False))

    log, fault = ran(event(LINE), stream, left_s)

    assert isinstance(fault, SinkError)
    assert str(fault).startswith("the stream 'flows' has not taken 1 of 1 records (1 Service")
    assert stream.calls
    assert stream.now <= max(left_s, 1)
    assert (log[0]["records_failed"], log[0]["event"]) == (1, "batch raised")


def test_what_no_retry_can_mend_fails_at_once():
    stream = Stream(AwsError("not yours", code="AccessDeniedException", permanent=True))

    _, fault = ran(event(LINE), stream)

    assert isinstance(fault, SinkError)
    assert "AccessDeniedException" in str(fault) and "not yours" in str(fault)
    assert len(stream.calls) == 1


def test_the_same_event_brings_the_same_records_again_after_a_failure():
    given = event(LINE, f"{LINE}\n{LINE}")
    failing, well = Stream(BUSY, refuses=1000), Stream()

    ran(given, failing)
    ran(given, well)

    assert failing.calls[0] == well.calls[0]


def test_a_damaged_event_fails_with_one_clear_line():
    log, fault = ran({"awslogs": {"data": "H4sI"}}, Stream())

    assert isinstance(fault, SourceError)
    assert str(fault) == "the event's awslogs.data ends in the middle of its gzip data"
    assert log[0]["errors"] == {"SourceError": 1}


def test_a_line_that_no_record_can_hold_is_named_in_the_log_and_holds_nothing_up():
    stream = Stream()

    log, fault = ran(event(LINE, "x" * 1_100_000, LINE), stream)

    assert fault is None
    assert [len(call) for call in stream.calls] == [2]
    assert (log[0]["event"], log[0]["event_id"], log[0]["log_group"]) == (
        "line too long",
        "1",
        "flows",
    )
    assert log[1]["rejected_line_too_long"] == 1


def test_no_address_is_in_the_log():
    log, _ = ran(event(LINE), Stream(AwsError("slow", code=BUSY, permanent=False)))

    assert "192.0.2.1" not in json.dumps(log)


def started(program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if name != "DELIVERY_STREAM_NAME"}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=own | environ
    )


def test_without_a_stream_nothing_starts_and_one_line_says_why():
    done = started("import vpcflow.lambdas.ingestor")

    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "function": "ingestor",
        "level": "ERROR",
        "event": "wrong settings",
        "error": "DELIVERY_STREAM_NAME='': must be set",
    }


def test_importing_the_handler_makes_no_client_and_pulls_in_nothing_of_the_command_line():
    program = (
        "import sys, boto3\n"
        "boto3.Session = boto3.client = None\n"
        "from vpcflow.lambdas.ingestor import handler\n"
        "print(*sys.modules)"
    )

    done = started(program, DELIVERY_STREAM_NAME="flows")

    assert done.returncode == 0, done.stderr
    heavy = {"duckdb", "pyspark", "typer", "rich", "pandas", "vpcflow.cli", "pyarrow.dataset"}
    assert not heavy.intersection(done.stdout.split())
