"""
Rights: what each function calls is what its role grants, no more and no less.

Each function runs in a process of its own, with the environment that the template gives it, against an AWS that
remembers the calls. Where a right is for what goes wrong, it is made to go wrong.
"""

from __future__ import annotations

import base64
import fnmatch
import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_stub import INTERFACE_ADDRESS, Aws, Call, running_aws
from cloudformation import Stack, load

ROOT = Path(__file__).parents[1]
TEMPLATE = load(ROOT / "deploy" / "template.yaml")

pytestmark = pytest.mark.integration

# Lambda itself does these, with the function's role: it logs, fetches messages, and puts away what failed.
LAMBDA = re.compile(r"logs:|xray:|sqs:")

# The source is an address of AS112, which is public; the interface is one that the account has not got.
LINE = (
    f"2 123456789012 eni-0f0f0f0f0f0f0f0f0 192.175.48.1 {INTERFACE_ADDRESS} 52144 443 6 12 4840"
    " 1700000000 1700000058 ACCEPT OK"
)
LAYOUT = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end"
    " action log-status"
)

RUN = """
import importlib, json, socket, sys
connect = socket.socket.connect
def guarded(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
        raise OSError("no network here")
    return connect(self, address)
socket.socket.connect = guarded
class Context:
    aws_request_id = "00000000-0000-4000-8000-000000000000"
    def get_remaining_time_in_millis(self): return 60000
given = json.load(sys.stdin)
handler = importlib.import_module(given["module"]).handler
for event in given["events"]:
    try:
        handler(event, Context())
    except Exception as error:
        print("raised", type(error).__name__, error, file=sys.stderr)
"""


@pytest.fixture
def aws() -> Iterator[Aws]:
    with running_aws() as stub:
        yield stub


def stack(**parameters: str) -> Stack:
    made = Stack(TEMPLATE, **parameters)
    assert not made.refusals()
    return made


def run(made: Stack, function: str, aws: Aws, *events: Any, **settings: str) -> list[Call]:
    """Run a function on events, with settings in the place of the template's; gives the calls it made."""
    environment = {
        name: re.sub(r"<(\w+)>", lambda found: found[1].lower(), str(value))
        for name, value in made.environment(function).items()
    }
    module = TEMPLATE["Resources"][function]["Properties"]["Handler"].rpartition(".")[0]
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps({"module": module, "events": events}),
        env={
            "PYTHONPATH": str(ROOT / "src"),
            "PATH": "",
            **aws.environment(),
            **environment,
            **settings,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert aws.calls, done.stdout + done.stderr
    return aws.calls


def granted(made: Stack, function: str) -> list[tuple[str, str]]:
    """All pairs of an action and a resource that the role of a function grants for its own work."""
    (role,) = {TEMPLATE["Resources"][function]["Properties"]["Role"]["Fn::GetAtt"][0]}
    pairs = []
    for statement in made.statements(role):
        for action in _list(statement["Action"]):
            if not LAMBDA.match(action):
                pairs += [(action, _text(one)) for one in _list(statement["Resource"])]
    return pairs


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(resource: Any) -> str:
    """Write a resource as the calls name it: the last part of its ARN, a made one by its name in lower case."""
    if isinstance(resource, dict):
        (name, _) = resource["Fn::GetAtt"]
        return str(name).lower()
    text = re.sub(r"<(\w+)\.\w+>", lambda found: found[1].lower(), resource)
    return re.sub(r"^arn:aws:(?:s3:::|(?:firehose|ssm|kms)[^/]*/)", "", text)


def used_and_granted(calls: list[Call], pairs: list[tuple[str, str]]) -> tuple[set[str], set[str]]:
    """Give calls that nothing grants, and grants that nothing uses."""

    def fits(call: Call, action: str, resource: str) -> bool:
        if call.action != action:
            return False
        # ListBucket is on the bucket, its prefix a condition; a key is whatever encrypts the parameter.
        about = call.resource.partition("/")[0] if action == "s3:ListBucket" else call.resource
        return action == "kms:Decrypt" or fnmatch.fnmatchcase(about, resource)

    not_granted = {f"{c.action} {c.resource}" for c in calls if not any(fits(c, *p) for p in pairs)}
    not_used = {f"{a} {r}" for a, r in pairs if not any(fits(c, a, r) for c in calls)}
    return not_granted, not_used


def subscription(*lines: str) -> dict[str, Any]:
    events = [{"id": str(i), "timestamp": 0, "message": line} for i, line in enumerate(lines)]
    body = {
        "messageType": "DATA_MESSAGE",
        "logGroup": "flows",
        "logStream": "s",
        "logEvents": events,
    }
    return {
        "awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(body).encode())).decode()}
    }


def transformation(*records: str) -> dict[str, Any]:
    return {
        "invocationId": "1",
        "deliveryStreamArn": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/VPCFlowLogsToElasticSearch",
        "region": "eu-west-1",
        "records": [
            {
                "recordId": str(i),
                "approximateArrivalTimestamp": 1700000060000,
                "data": base64.b64encode(record.encode()).decode(),
            }
            for i, record in enumerate(records)
        ],
    }


def arrival(bucket: str, key: str) -> dict[str, Any]:
    notice = {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 100}},
            }
        ]
    }
    return {"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": json.dumps(notice)}]}


TWO_LINES = f"{LINE}\n{LINE}\n"
SNAPSHOT = "databucket/inventory/"
LOOKUP_DATA = [
    f"example/{name}" for name in ("city.mmdb", "asn.mmdb", "ip-ranges.json", "networks.csv")
]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"Ingest": "ingestor", "Destination": "opensearch"},
        {"DeliveryStreamName": "flows", "RawLines": "true"},
    ],
)
def test_the_ingestor(parameters: dict[str, str], aws: Aws):
    made = stack(**parameters)

    calls = run(made, "FlowLogIngestionFunction", aws, subscription(LINE))

    assert used_and_granted(calls, granted(made, "FlowLogIngestionFunction")) == (set(), set())


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"GeolocationEnabled": "true"},
        {
            "GeolocationEnabled": "true",
            "GeoDatabase": "s3://example/city.mmdb",
            "AsnDatabase": "s3://example/asn.mmdb",
            "AwsRanges": "s3://example/ip-ranges.json",
            "Networks": "s3://example/networks.csv",
        },
        {"Ingest": "ingestor", "Destination": "opensearch"},
        {"Ingest": "direct", "Destination": "opensearch-serverless"},
        {"Ingest": "decompression", "Destination": "s3"},
        {"Inventory": "snapshots"},
    ],
)
def test_the_decorator(parameters: dict[str, str], aws: Aws):
    made = stack(**parameters)
    aws.objects.update(dict.fromkeys(LOOKUP_DATA, b"damaged"))
    # Two lines are put back singly where one record is one document, a bad one where any can be.
    event = transformation(LINE, TWO_LINES, f"{LINE}\nno flow record\n")
    if made.holds("Snapshots"):
        aws.objects.update(snapshot(aws))

    calls = run(made, "FlowLogDecoratorFunction", aws, event)

    assert used_and_granted(calls, granted(made, "FlowLogDecoratorFunction")) == (set(), set())


def snapshot(aws: Aws) -> dict[str, bytes]:
    """What the inventory function writes, made by itself."""
    run(stack(Inventory="snapshots"), "InventoryFunction", aws, {"source": "aws.events"})
    written = {name: body for name, body in aws.objects.items() if name.startswith(SNAPSHOT)}
    assert written
    aws.calls.clear()
    return written


@pytest.mark.parametrize(
    ("destination", "by_stream"), [("s3", "true"), ("opensearch", "true"), ("opensearch", "false")]
)
def test_the_objects_function(destination: str, by_stream: str, aws: Aws):
    made = stack(
        Ingest="objects",
        Destination=destination,
        ObjectsByStream=by_stream,
        GeolocationEnabled="true",
        GeoDatabase="s3://example/city.mmdb",
    )
    aws.objects.update(snapshot(aws))
    aws.objects.update(dict.fromkeys(LOOKUP_DATA, b"damaged"))
    key = "AWSLogs/123456789012/vpcflowlogs/eu-west-1/2026/01/15/one.log.gz"
    aws.objects[f"flowlogbucket/{key}"] = gzip.compress(f"{LAYOUT}\n{TWO_LINES}".encode())

    gone = arrival("flowlogbucket", key.replace("one", "gone"))

    here = {"OUTPUT": f"opensearch+{aws.url}/flows"} if by_stream == "false" else {}
    calls = run(made, "ObjectsFunction", aws, arrival("flowlogbucket", key), gone, **here)

    assert used_and_granted(calls, granted(made, "ObjectsFunction")) == (set(), set())


def test_the_inventory_function(aws: Aws):
    role = "arn:aws:iam::123456789012:role/vpcflow-reader"
    made = stack(Inventory="snapshots", InventoryRoleArns=role)
    change = {
        "detail": {"eventTime": "2026-01-15T09:00:00Z", "eventName": "CreateNetworkInterface"}
    }
    batch = {"Records": [{"messageId": "1", "body": json.dumps(change)}]}

    run(made, "InventoryFunction", aws, {"source": "aws.events"}, batch)
    calls = run(made, "InventoryFunction", aws, {"source": "aws.events"})

    assert used_and_granted(calls, granted(made, "InventoryFunction")) == (set(), set())


@pytest.mark.parametrize(
    ("parameters", "services"),
    [
        ({"Destination": "opensearch"}, {"es"}),
        ({"Destination": "opensearch-serverless"}, {"aoss"}),
        (
            {
                "Destination": "opensearch-existing",
                "OpenSearchDomainArn": "arn:aws:es:eu-west-1:123456789012:domain/flows",
                "OpenSearchEndpoint": "https://flows.example",
                "OpenSearchSetupRoleArn": "arn:aws:iam::123456789012:role/domain-admin",
            },
            {"es", "sts"},
        ),
    ],
)
def test_the_index_setup_function(parameters: dict[str, str], services: set[str], aws: Aws):
    made = stack(Ingest="ingestor", **parameters)
    event = {
        "RequestType": "Create",
        "ResponseURL": f"{aws.url}/answer",
        "StackId": "s",
        "RequestId": "r",
        "LogicalResourceId": "OpenSearchIndex",
        "ResourceProperties": {
            **made.resources["OpenSearchIndex"]["Properties"],
            "Endpoint": aws.url,
            "WriterRoleArn": "arn:aws:iam::123456789012:role/delivery",
            "AdminArn": "arn:aws:iam::123456789012:role/admin",
        },
    }

    calls = run(made, "IndexSetupFunction", aws, event)

    assert {call.action for call in calls} == {
        action for action, _ in granted(made, "IndexSetupFunction")
    }
    assert {call.action.partition(":")[0] for call in calls} == services
    assert json.loads(aws.objects["answer"])["Status"] == "SUCCESS"
