"""
A stack of aws-vpc-flow-log-appender becomes ours where it is: what names its functions goes on.

The stack before is as small as it can be and still has the logical ids, outputs and exports of the original's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from deployed import deploy, line, transformation_event
from emulator import Emulator

pytestmark = pytest.mark.integration

FUNCTIONS = ("FlowLogDecoratorFunction", "FlowLogIngestionFunction")

BEFORE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  GeolocationEnabled: { Type: String, Default: "false" }
Resources:
  FlowLogIngestionFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      Runtime: python3.12
      InlineCode: "def handler(event, context): return 'before'"
  FlowLogDecoratorFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      Runtime: python3.12
      Timeout: 120
      InlineCode: "def handler(event, context): return 'before'"
Outputs:
  LambdaFlowLogDecorator:
    Value: !GetAtt FlowLogDecoratorFunction.Arn
    Export: { Name: FlowLogDecoratorFunction }
  LambdaFlowLogIngestion:
    Value: !GetAtt FlowLogIngestionFunction.Arn
    Export: { Name: FlowLogIngestionFunction }
"""


def exports(emulator: Emulator) -> dict[str, Any]:
    listed = emulator.client("cloudformation").list_exports()["Exports"]
    return {one["Name"]: one["Value"] for one in listed}


def test_the_functions_keep_their_names_and_do_our_work(
    emulator: Emulator, built: Path, tmp_path: Path
) -> None:
    (tmp_path / "template.yaml").write_text(BEFORE)
    before = deploy(
        emulator, tmp_path / "template.yaml", "vpc-flow-log-appender", GeolocationEnabled="false"
    )
    assert before.invoke("FlowLogDecoratorFunction", {}) == "before"
    names = {function: before.physical_id(function) for function in FUNCTIONS}
    exported = exports(emulator)

    after = deploy(emulator, built, "vpc-flow-log-appender", GeolocationEnabled="true")

    assert {function: after.physical_id(function) for function in FUNCTIONS} == names
    assert exports(emulator) == exported
    record = line("eni-0a1b2c3d4e5f60718", "203.0.113.7", "10.0.1.24", 443).encode()
    answer = after.invoke("FlowLogDecoratorFunction", transformation_event(record))
    assert [record["result"] for record in answer["records"]] == ["Ok"]
