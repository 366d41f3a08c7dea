"""
The stack of aws-vpc-flow-log-appender becomes this one where it is.

The old stack is a small one of the same names: two functions of Node, their outputs and exports. That Firehose and
CloudWatch Logs go on invoking the functions follows from their ARNs, which stay: the emulator, as AWS, keeps the name
it has given a function as long as the resource is the same.
"""

from __future__ import annotations

import base64
from pathlib import Path

import orjson
import pytest
from deployed import Network, Stack, deploy, line, transformation_event
from emulator import Emulator

pytestmark = pytest.mark.integration

OLD = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  GeolocationEnabled: {Type: String, Default: "false", AllowedValues: ["true", "false"]}
Resources:
  FlowLogIngestionFunction: &function
    Type: AWS::Serverless::Function
    Properties:
      Runtime: nodejs20.x
      Handler: index.handler
      InlineCode: exports.handler = async () => "old"
  FlowLogDecoratorFunction: *function
Outputs:
  LambdaFlowLogDecorator:
    Value: !GetAtt FlowLogDecoratorFunction.Arn
    Export: {Name: FlowLogDecoratorFunction}
  LambdaFlowLogIngestion:
    Value: !GetAtt FlowLogIngestionFunction.Arn
    Export: {Name: FlowLogIngestionFunction}
"""
NAME = "vpc-flow-log-appender"


@pytest.fixture(scope="module")
def old(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    template = tmp_path_factory.mktemp("old") / "template.yaml"
    template.write_text(OLD)
    stack = deploy(emulator, template, NAME, GeolocationEnabled="false")
    assert stack.invoke("FlowLogDecoratorFunction", {}) == "old"
    assert stack.outputs["LambdaFlowLogDecorator"]
    return stack


@pytest.fixture(scope="module")
def updated(emulator: Emulator, built: Path, old: Stack) -> Stack:
    return deploy(emulator, built, NAME, GeolocationEnabled="true")


def test_functions_keep_their_arns_and_the_stack_its_exports(
    emulator: Emulator, old: Stack, updated: Stack
) -> None:
    exports = {
        one["Name"]: one["Value"]
        for one in emulator.client("cloudformation").list_exports()["Exports"]
    }

    assert old.outputs.items() <= updated.outputs.items()
    assert exports == {
        "FlowLogDecoratorFunction": old.outputs["LambdaFlowLogDecorator"],
        "FlowLogIngestionFunction": old.outputs["LambdaFlowLogIngestion"],
    }


def test_its_one_parameter_makes_two_functions_and_no_stream_or_bucket(
    emulator: Emulator, updated: Stack
) -> None:
    functions = emulator.client("lambda").list_functions()["Functions"]
    buckets = [one["Name"] for one in emulator.client("s3").list_buckets()["Buckets"]]

    assert {one["Handler"] for one in functions} == {
        "vpcflow.lambdas.ingestor.handler",
        "vpcflow.lambdas.decorator.handler",
    }
    assert not emulator.client("firehose").list_delivery_streams()["DeliveryStreamNames"]
    assert buckets == ["code"]


def test_bare_lines_still_on_the_stream_are_decorated_from_what_ec2_says(
    updated: Stack, network: Network
) -> None:
    bare = line(network.web, "203.0.113.7", network.web_address, 443).encode()

    (record,) = updated.invoke("FlowLogDecoratorFunction", transformation_event(bare))["records"]

    document = orjson.loads(base64.b64decode(record["data"]))
    assert record["result"] == "Ok"
    assert document["security-group-ids"] == network.web_groups
    assert document["direction"] == "inbound"
