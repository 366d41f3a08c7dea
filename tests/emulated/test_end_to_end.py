"""
The deployed stack carries flow log lines from a log group to documents in a bucket.

Where the emulator is not AWS, and what that means here:

- it hands a stream's records to the decorator one by one, and holds the put until the decorator has answered; so the
  decorator is woken first, or a cold start would outlast the ingestor's patience;
- it neither buffers nor compresses documents: an object each;
- it forgets records that failed. So what AWS would do with them is shown with the stream of ``vpcflow.local_firehose``,
  which asks the deployed decorator;
- nothing comes from CloudTrail or on schedule: the inventory function is invoked as its schedule would;
- it knows no alarm over several metrics, so that there are none;
- it checks no IAM policy (tests/deploy compares those with the calls that are made), and ids and addresses are its own.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from deployed import NOW, Network, Stack, deploy, line, transformation_event
from emulator import ACCOUNT, Emulator, eventually

from vpcflow.flow_envelope import Wrapped, wrap
from vpcflow.local_firehose import LocalFirehose, MemoryBucket, S3Destination, Transformation

pytestmark = pytest.mark.integration

PARAMETERS = {"Ingest": "ingestor", "Destination": "s3", "Monitoring": "false"}
LOG_STREAM = "eni-all"


@pytest.fixture(scope="module")
def stack(emulator: Emulator, built: Path, network: Network) -> Stack:
    deployed = deploy(emulator, built, "flows", **PARAMETERS)
    deployed.invoke("InventoryFunction", {"source": "aws.events"})
    deployed.invoke("FlowLogDecoratorFunction", transformation_event())
    emulator.client("logs").create_log_stream(
        logGroupName=deployed.outputs["FlowLogGroupName"], logStreamName=LOG_STREAM
    )
    return deployed


def log(stack: Stack, *lines: str) -> None:
    stack.emulator.client("logs").put_log_events(
        logGroupName=stack.outputs["FlowLogGroupName"],
        logStreamName=LOG_STREAM,
        logEvents=[{"timestamp": NOW * 1000, "message": text} for text in lines],
    )


def documents(stack: Stack) -> list[dict[str, Any]]:
    s3, bucket = stack.emulator.client("s3"), stack.outputs["Bucket"]
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="enriched/").get("Contents", [])
    bodies = (s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed)
    return [orjson.loads(text) for body in bodies for text in body.splitlines()]


def documents_of_port(stack: Stack, port: int, count: int) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]] | None:
        found = [one for one in documents(stack) if one.get("dstport") == port]
        return found if len(found) >= count else None

    return eventually(look)


def test_lines_of_a_log_group_become_documents_with_groups_and_direction(
    stack: Stack, network: Network
) -> None:
    web, database = network.web_address, network.database_address

    log(
        stack,
        line(network.web, "203.0.113.7", web, 8443),
        line(network.web, web, database, 8443),
        line(network.database, web, database, 8443),
    )

    found = documents_of_port(stack, 8443, 3)
    assert sorted(
        (one["interface-id"], one["srcaddr"], one["direction"], one["security-group-ids"])
        for one in found
    ) == sorted(
        [
            (network.web, "203.0.113.7", "inbound", network.web_groups),
            (network.web, web, "outbound", network.web_groups),
            (network.database, web, "inbound", network.database_groups),
        ]
    )


def test_records_without_traffic_and_lines_that_are_none_cost_their_neighbours_nothing(
    stack: Stack, network: Network
) -> None:
    nodata = f"2 {ACCOUNT} {network.web} - - - - - - - {NOW} {NOW + 30} - NODATA"

    log(
        stack, nodata, "no flow record", line(network.web, "203.0.113.7", network.web_address, 8444)
    )

    (neighbour,) = documents_of_port(stack, 8444, 1)
    assert neighbour["security-group-ids"] == network.web_groups
    assert [one["log-status"] for one in documents(stack)].count("NODATA") == 1
    assert b"no flow record" not in json.dumps(documents(stack)).encode()


def test_what_a_flow_log_puts_on_the_stream_itself_becomes_documents_too(
    stack: Stack, network: Network
) -> None:
    record = {"message": line(network.web, "203.0.113.7", network.web_address, 8447)}

    stack.emulator.client("firehose").put_record(
        DeliveryStreamName=stack.outputs["StreamName"], Record={"Data": orjson.dumps(record)}
    )

    (found,) = documents_of_port(stack, 8447, 1)
    assert found["security-group-ids"] == network.web_groups


def test_an_interface_made_after_the_snapshot_is_looked_up(
    stack: Stack, emulator: Emulator, network: Network
) -> None:
    ec2 = emulator.client("ec2")
    described = ec2.describe_network_interfaces(NetworkInterfaceIds=[network.database])
    subnet = described["NetworkInterfaces"][0]["SubnetId"]
    made = ec2.create_network_interface(SubnetId=subnet, Groups=network.database_groups)
    new = made["NetworkInterface"]

    log(stack, line(new["NetworkInterfaceId"], "203.0.113.7", new["PrivateIpAddress"], 8445))

    (found,) = documents_of_port(stack, 8445, 1)
    assert found["security-group-ids"] == network.database_groups
    assert found["direction"] == "inbound"


def test_what_is_no_flow_record_is_put_aside_unchanged(stack: Stack, network: Network) -> None:
    good = wrap(Wrapped(line(network.web, "203.0.113.7", network.web_address, 8446).encode()))
    bad = wrap(Wrapped(b"no flow record", "an id"))
    bucket = MemoryBucket()
    firehose = LocalFirehose(
        "flows",
        S3Destination(bucket, "enriched/"),
        errors=bucket,
        error_prefix="failed/",
        transformation=Transformation(
            lambda event: stack.invoke("FlowLogDecoratorFunction", event)
        ),
        clock=lambda: float(NOW),
    )

    firehose.put([good, bad, good])
    firehose.drain()

    (delivered,) = bucket.below("enriched/")
    assert [orjson.loads(text)["dstport"] for text in delivered.splitlines()] == [8446, 8446]
    (failed,) = bucket.below("failed/")
    assert base64.b64decode(orjson.loads(failed)["rawData"]) == bad


def test_functions_say_what_they_did_without_addresses(stack: Stack, emulator: Emulator) -> None:
    events = emulator.client("logs").filter_log_events(
        logGroupName=stack.outputs["DecoratorLogGroup"]
    )["events"]

    lines = [orjson.loads(one["message"]) for one in events if one["message"].startswith("{")]
    assert any(one.get("records_delivered") == 1 for one in lines)
    assert "203.0.113.7" not in json.dumps(events)
