"""
What is deployed, not what is checked out: built by sam, weighed, and run under Lambda's own runtime client.

The interpreter sees the built tree and the client and nothing else, so that an import of anything that only developers
have fails here.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from artefact import (
    HEADER,
    LINE,
    OWN,
    PYTHON,
    Built,
    build,
    install_client,
    start,
    subscription,
    transformation,
)
from aws_stub import GROUP_ID, Aws, running_aws
from build_code import MACHINES, SERVICES
from runtime_api import Function, Outcome

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[1]
LIMIT_BYTES = 250 * 1024 * 1024
ROOM_BYTES = 50 * 1024 * 1024
ELF_MACHINES = {"aarch64": 0xB7, "x86_64": 0x3E}


@pytest.fixture(scope="session", params=[*MACHINES])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The tree for this machine."""
    return build(OWN, tmp_path_factory.mktemp("own"))


# -- What it weighs, and whether it is for the machine -----------------------------------------------------------------


def test_the_code_fits_with_room_to_spare(built: Built):
    size = sum(path.stat().st_size for path in built.python.rglob("*") if path.is_file())

    assert size < LIMIT_BYTES - ROOM_BYTES, f"{size / 1024 / 1024:.0f} MB"


def test_every_wheel_is_for_the_machine_and_its_system(built: Built):
    machine = MACHINES[built.architecture]

    tags = {
        path.parent.name: re.findall(r"^Tag: (\S+)$", path.read_text(), re.MULTILINE)
        for path in built.python.glob("*.dist-info/WHEEL")
    }

    assert tags
    version = PYTHON.replace(".", "")
    fits = re.compile(
        rf"(cp{version}|cp3\d+|py2\.py3|py3|py2)-(cp{version}|abi3|none)-(any|manylinux\S*_{machine})"
    )
    assert not {name: own for name, own in tags.items() if not any(map(fits.fullmatch, own))}


def test_every_library_is_for_the_machine(built: Built):
    wrong = []
    for path in built.python.rglob("*"):
        if ".so" in path.suffixes or path.suffix == ".so":
            header = path.read_bytes()[:20]
            if (
                int.from_bytes(header[18:20], "little")
                != ELF_MACHINES[MACHINES[built.architecture]]
            ):
                wrong.append(path.name)

    assert wrong == []
    assert (built.python / "vpcflow" / "native" / "vpcflow.so").exists()


def test_what_only_commands_and_developers_need_is_left_out(built: Built):
    names = {path.name for path in built.python.iterdir()}

    assert not names & {
        "typer",
        "rich",
        "duckdb",
        "pyspark",
        "pytest",
        "moto",
        "bin",
        "pip",
        "grpc",
    }
    assert not (built.python / "vpcflow" / "cli").exists()


def test_the_models_of_all_services_that_are_called_are_there(built: Built):
    source = "".join(path.read_text() for path in (ROOT / "src/vpcflow/aws").glob("*.py"))
    called = set(re.findall(r'\b(?:open_)?client\(\s*"([a-z0-9-]+)"', source))

    kept = {path.name for path in (built.python / "botocore" / "data").iterdir() if path.is_dir()}

    assert {"ec2", "firehose", "s3", "ssm", "sts"} <= called <= set(SERVICES)
    assert kept == set(SERVICES)


def test_licences_of_what_is_shipped_are_shipped(built: Built):
    distributions = {path.name.partition("-")[0] for path in built.python.glob("*.dist-info")}

    assert {"vpcflow", "pyarrow", "numpy", "botocore"} <= distributions
    assert list(built.python.glob("pyarrow-*.dist-info/**/LICENSE*"))


def test_the_built_template_names_the_code(built: Built):
    text = built.template.read_text()

    assert "ContentUri: Code" in text
    assert "function" in text


# -- It runs ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_client(tmp_path_factory.mktemp("client"))


@pytest.fixture
def aws() -> Iterator[Aws]:
    with running_aws() as stub:
        yield stub


Start = Callable[..., AbstractContextManager[Function]]


@pytest.fixture(name="start")
def _start(own: Built, client: Path, aws: Aws, tmp_path: Path) -> Start:
    return lambda function, **settings: start(function, own, client, aws, tmp_path, **settings)


def test_the_ingestor_puts_lines_on_the_stream(start: Start, aws: Aws):
    with start("ingestor", DELIVERY_STREAM_NAME="flows") as function:
        outcome = function.invoke(subscription(LINE, LINE))

        assert outcome.error is None, function.log
        assert [call.action for call in aws.calls] == ["firehose:PutRecordBatch"]
        envelopes = [json.loads(base64.b64decode(record)) for record in aws.records]
        assert [envelope["line"] for envelope in envelopes] == [LINE, LINE]
        assert any(line.get("records_delivered") == 2 for line in function.lines)


def test_the_decorator_answers_with_documents(start: Start):
    with start("decorator", SCHEMA="appender", DELIVERY_STREAM_NAME="flows") as function:
        outcome = function.invoke(transformation(LINE, "no flow record"))

        assert outcome.error is None, function.log
        good, bad = outcome.answer["records"]
        assert (good["recordId"], good["result"]) == ("0", "Ok"), function.log
        document = json.loads(base64.b64decode(good["data"]))
        assert document["security-group-ids"] == [GROUP_ID]
        assert document["direction"] == "inbound"
        assert (bad["recordId"], bad["result"]) == ("1", "ProcessingFailed")


def arrival(aws: Aws) -> Any:
    """A queue's event of a flow log file that has arrived."""
    aws.objects["logs/AWSLogs/one.log.gz"] = gzip.compress(f"{HEADER}\n{LINE}\n".encode())
    notice = {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "bucket": {"name": "logs"},
                    "object": {"key": "AWSLogs/one.log.gz", "size": 100},
                },
            }
        ]
    }
    message = {"messageId": "1", "eventSource": "aws:sqs", "body": json.dumps(notice)}
    return {"Records": [message]}


def test_the_objects_function_writes_parquet(start: Start, aws: Aws):
    with start("objects", OUTPUT="s3://data/enriched/") as function:
        outcome = function.invoke(arrival(aws))

        assert outcome == Outcome({"batchItemFailures": []}), function.log
        (name,) = [one for one in aws.objects if one.startswith("data/enriched/")]
        (flow,) = pq.read_table(io.BytesIO(aws.objects[name])).to_pylist()
        assert flow["security_group_ids"] == [GROUP_ID]


def test_the_objects_function_writes_documents_to_a_domain(start: Start, aws: Aws):
    output = f"opensearch+{aws.url}/flows"

    with start("objects", OUTPUT=output, SCHEMA="ecs") as function:
        outcome = function.invoke(arrival(aws))

        assert outcome == Outcome({"batchItemFailures": []}), function.log
        (document,) = map(json.loads, aws.records)
        assert document["source"]["ip"] == "203.0.113.12"


def test_the_inventory_function_writes_a_snapshot_that_the_decorator_reads(start: Start, aws: Aws):
    with start("inventory", SNAPSHOTS="s3://data/inventory/") as function:
        outcome = function.invoke({"source": "aws.events"})
        assert outcome.error is None, function.log
    assert f"data/inventory/{outcome.answer['snapshot']}" in aws.objects
    aws.calls.clear()

    with start("decorator", SCHEMA="flat", INVENTORY="s3://data/inventory/") as function:
        outcome = function.invoke(transformation(LINE))

        (record,) = outcome.answer["records"]
        document = json.loads(base64.b64decode(record["data"]))
        assert document["security_group_ids"] == [GROUP_ID]
        assert {call.action for call in aws.calls} == {"s3:ListBucket", "s3:GetObject"}


def test_the_index_setup_function_answers_cloudformation(start: Start, aws: Aws):
    event = {
        "RequestType": "Create",
        "ResponseURL": f"{aws.url}/answer",
        "StackId": "s",
        "RequestId": "r",
        "LogicalResourceId": "OpenSearchIndex",
        "ResourceProperties": {
            "Endpoint": aws.url,
            "Service": "aoss",
            "Index": "flows",
            "Schema": "flat",
            "WriterRoleArn": "arn:aws:iam::123456789012:role/delivery",
        },
    }

    with start("index_setup") as function:
        outcome = function.invoke(event)

        assert outcome.error is None, function.log
        assert json.loads(aws.objects["answer"])["Data"] == {"Index": "flows"}


def test_a_function_lives_on_from_one_event_to_the_next(start: Start, aws: Aws):
    with start("decorator") as function:
        answers = [function.invoke(transformation(LINE)) for _ in range(3)]

        assert all(answer.error is None for answer in answers), function.log
        assert [call.action for call in aws.calls].count("ec2:DescribeInstances") == 1


def events(function: str) -> Iterator[tuple[str, Any, Any]]:
    """Give the recorded events of a function: a name, the event, what is expected of it."""
    for path in sorted((ROOT / "tests" / "events" / function).glob("*.expected.json")):
        event = path.with_name(path.name.replace(".expected", ""))
        yield path.name, json.loads(event.read_text()), json.loads(path.read_text())


def test_the_decorator_answers_every_record_of_every_recorded_event_in_order(start: Start):
    with start("decorator") as function:
        for name, event, _ in events("decorator"):
            outcome = function.invoke(event)

            assert outcome.error is None, f"{name}: {function.log}"
            answered = [record["recordId"] for record in outcome.answer["records"]]
            assert answered == [record["recordId"] for record in event["records"]], name


def test_the_ingestor_puts_every_line_of_every_recorded_event_or_fails(start: Start, aws: Aws):
    with start("ingestor", DELIVERY_STREAM_NAME="flows") as function:
        for name, event, expected in events("ingestor"):
            aws.records.clear()

            outcome = function.invoke(event)

            assert (outcome.error is not None) == (expected is None), f"{name}: {function.log}"
            lines = [json.loads(base64.b64decode(record))["line"] for record in aws.records]
            assert lines == (expected or []), name


@pytest.mark.parametrize(
    ("function", "settings", "told"),
    [
        ("ingestor", {}, "DELIVERY_STREAM_NAME"),
        ("decorator", {"SCHEMA": "elastic"}, "SCHEMA='elastic': may be"),
        ("objects", {"OUTPUT": "tape"}, "OUTPUT='tape': may be"),
        ("inventory", {}, "SNAPSHOTS=''"),
        ("decorator", {"MAX_ATTEMPTS": "x", "LOG_FORMAT": "${nothing}"}, "MAX_ATTEMPTS='x'"),
    ],
)
def test_a_wrong_setting_stops_the_cold_start_with_one_clear_line(
    function: str, settings: dict[str, str], told: str, start: Start
):
    with start(function, **settings) as started:
        outcome = started.invoke({})

        assert outcome.error is not None
        assert outcome.error["errorType"].endswith("SettingsError")
        assert told in outcome.error["errorMessage"]
        assert "\n" not in outcome.error["errorMessage"]
