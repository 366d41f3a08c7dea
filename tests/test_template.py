"""The template: what it makes of which parameters, what it refuses, and that it agrees with the code."""

from __future__ import annotations

import importlib
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cloudformation import Stack, load

from vpcflow.lambdas.settings import FUNCTIONS, SETTINGS, load_settings
from vpcflow.schemas import SCHEMAS

ROOT = Path(__file__).parents[1]
TEMPLATE = load(ROOT / "deploy" / "template.yaml")

FUNCTION_OF = {
    "FlowLogIngestionFunction": "ingestor",
    "FlowLogDecoratorFunction": "decorator",
    "ObjectsFunction": "objects",
    "InventoryFunction": "inventory",
    "IndexSetupFunction": "index_setup",
}
OPENSEARCH = {
    "OpenSearchDomainArn": "arn:aws:es:eu-west-1:123456789012:domain/flows",
    "OpenSearchEndpoint": "https://abc.eu-west-1.aoss.amazonaws.com",
}


def stack(**parameters: str) -> Stack:
    return Stack(TEMPLATE, **parameters)


def topologies() -> list[dict[str, str]]:
    """All ways flow logs may go, those that the rules refuse too."""
    allowed = {
        name: TEMPLATE["Parameters"][name]["AllowedValues"]
        for name in ("Ingest", "Destination", "Decorate", "ObjectsByStream")
    }
    return [dict(zip(allowed, values)) for values in itertools.product(*allowed.values())]


def accepted() -> list[dict[str, str]]:
    return [one for one in topologies() if not stack(**one, **OPENSEARCH).refusals()]


def named(topology: dict[str, str]) -> str:
    return "-".join(topology.values())


# -- What aws-vpc-flow-log-appender made -----------------------------------------------------------------------------


def test_without_parameters_it_makes_what_the_original_made():
    made = stack()

    assert made.of_type("AWS::Serverless::Function").keys() == {
        "FlowLogIngestionFunction",
        "FlowLogDecoratorFunction",
    }
    assert made.of_type("AWS::IAM::Role").keys() == {
        "FlowLogIngestionFunctionRole",
        "FlowLogDecoratorFunctionRole",
    }
    # Beside them what Lambda made by itself, or what keeps a failed event: no bucket, no stream, nothing to pay for.
    others = {one["Type"] for one in made.resources.values()}
    assert others - {"AWS::Serverless::Function", "AWS::IAM::Role"} == {
        "AWS::IAM::Policy",
        "AWS::Logs::LogGroup",
        "AWS::SQS::Queue",
        "AWS::Serverless::LayerVersion",
    }


def test_no_parameter_has_to_be_given():
    assert all("Default" in one for one in TEMPLATE["Parameters"].values())
    assert TEMPLATE["Parameters"]["GeolocationEnabled"]["Default"] == "false"
    assert not stack().refusals()


def test_the_originals_outputs_keep_their_names():
    outputs = stack().outputs

    assert outputs["LambdaFlowLogDecorator"] == {
        "Description": outputs["LambdaFlowLogDecorator"]["Description"],
        "Value": {"Fn::GetAtt": ["FlowLogDecoratorFunction", "Arn"]},
        "Export": {"Name": "FlowLogDecoratorFunction"},
    }
    assert outputs["LambdaFlowLogIngestion"]["Value"] == {
        "Fn::GetAtt": ["FlowLogIngestionFunction", "Arn"]
    }
    assert outputs["LambdaFlowLogIngestion"]["Export"] == {"Name": "FlowLogIngestionFunction"}


def test_the_originals_settings_keep_their_values():
    made = stack(GeolocationEnabled="true")

    assert (
        made.environment("FlowLogIngestionFunction")["DELIVERY_STREAM_NAME"]
        == "VPCFlowLogsToElasticSearch"
    )
    decorator = made.environment("FlowLogDecoratorFunction")
    assert decorator["GEOLOCATION_ENABLED"] == "true"
    assert decorator["GEOLOCATION_API_KEY_NAME"] == "ipstack-api-key"
    assert decorator["INVENTORY"] == "aws"


def test_nothing_has_a_name_that_needs_more_than_the_originals_capability():
    names = {
        "AWS::IAM::Role": "RoleName",
        "AWS::IAM::Policy": "Users",
        "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    }

    given = [
        name
        for name, one in TEMPLATE["Resources"].items()
        if names.get(one["Type"], "-") in one["Properties"]
    ]

    assert given == []


# -- Ways -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("topology", accepted(), ids=named)
def test_nothing_refers_to_what_is_not_made(topology: dict[str, str]):
    for more in ({}, {"FlowLogOf": "VPC", "FlowLogResourceId": "vpc-0a1b2c3d"}):
        if more and topology["Ingest"] == "none":
            continue
        made = stack(
            **topology,
            **OPENSEARCH,
            **more,
            Monitoring="true",
            AlarmTopicArn="arn:aws:sns:eu-west-1:123456789012:a",
        )

        assert not made.dangling()


@pytest.mark.parametrize("topology", accepted(), ids=named)
def test_a_stream_has_one_destination_and_it_is_the_one_asked_for(topology: dict[str, str]):
    made = stack(**topology, **OPENSEARCH)

    for stream in made.of_type("AWS::KinesisFirehose::DeliveryStream").values():
        (destination,) = [name for name in stream["Properties"] if "Destination" in name]
        expected = {
            "s3": "ExtendedS3DestinationConfiguration",
            "opensearch": "AmazonopensearchserviceDestinationConfiguration",
            "opensearch-existing": "AmazonopensearchserviceDestinationConfiguration",
        }
        assert destination == expected.get(
            topology["Destination"], "AmazonOpenSearchServerlessDestinationConfiguration"
        )


def test_the_original_way_is_made_whole():
    made = stack(
        Ingest="ingestor",
        Destination="opensearch",
        FlowLogOf="VPC",
        FlowLogResourceId="vpc-0a1b2c3d",
    )

    flow_log = made.resources["FlowLog"]["Properties"]
    assert (flow_log["ResourceType"], flow_log["LogDestinationType"]) == ("VPC", "cloud-watch-logs")
    assert flow_log["LogGroupName"] == {"Ref": "FlowLogGroup"}
    subscription = made.resources["FlowLogSubscription"]["Properties"]
    assert subscription["LogGroupName"] == {"Ref": "FlowLogGroup"}
    assert subscription["DestinationArn"] == {"Fn::GetAtt": ["FlowLogIngestionFunction", "Arn"]}
    stream = made.resources["DeliveryStream"]["Properties"]
    assert (
        stream["DeliveryStreamName"]
        == made.environment("FlowLogIngestionFunction")["DELIVERY_STREAM_NAME"]
    )
    destination = stream["AmazonopensearchserviceDestinationConfiguration"]
    assert destination["IndexRotationPeriod"] == "OneDay"
    assert destination["S3BackupMode"] == "FailedDocumentsOnly"
    (decorator,) = destination["ProcessingConfiguration"]["Processors"]
    assert {
        "ParameterName": "LambdaArn",
        "ParameterValue": {"Fn::GetAtt": ["FlowLogDecoratorFunction", "Arn"]},
    } in decorator["Parameters"]


def test_the_index_is_set_up_before_the_stream_exists():
    for destination, where in (
        ("opensearch", "AmazonopensearchserviceDestinationConfiguration"),
        ("opensearch-serverless", "AmazonOpenSearchServerlessDestinationConfiguration"),
    ):
        made = stack(Ingest="ingestor", Destination=destination)

        stream = made.resources["DeliveryStream"]["Properties"][where]
        assert stream["IndexName"] == {"Fn::GetAtt": ["OpenSearchIndex", "Index"]}


def test_the_index_is_set_up_again_where_the_code_is_other():
    made = stack(Ingest="ingestor", Destination="opensearch")

    assert made.resources["OpenSearchIndex"]["Properties"]["Code"] == {"Ref": "Code"}


@pytest.mark.parametrize("topology", accepted(), ids=named)
def test_log_groups_and_dead_letters_are_outputs(topology: dict[str, str]):
    made = stack(**topology, **OPENSEARCH)

    told = [one["Value"] for one in made.outputs.values()]

    letters = [name for name in made.of_type("AWS::SQS::Queue") if name.endswith("DeadLetters")]
    assert all({"Ref": name} in told for name in [*made.of_type("AWS::Logs::LogGroup"), *letters])


def test_a_flow_log_may_go_straight_to_a_stream_and_run_no_function():
    made = stack(
        Ingest="direct",
        Destination="s3",
        Decorate="false",
        FlowLogOf="Subnet",
        FlowLogResourceId="subnet-0a1b2c3d",
    )

    flow_log = made.resources["FlowLog"]["Properties"]
    assert flow_log["LogDestinationType"] == "kinesis-data-firehose"
    assert flow_log["LogDestination"] == {"Fn::GetAtt": ["DeliveryStream", "Arn"]}
    stream = made.resources["DeliveryStream"]["Properties"]
    assert {"Key": "LogDeliveryEnabled", "Value": "true"} in stream["Tags"]
    assert not stream["ExtendedS3DestinationConfiguration"]["ProcessingConfiguration"]["Processors"]
    assert "FlowLogSubscription" not in made.resources
    assert not {"InventoryFunction", "ObjectsFunction"} & made.resources.keys()
    assert not made.of_type("AWS::Events::Rule")


def test_snapshots_may_be_made_for_later_where_nothing_is_decorated():
    made = stack(Ingest="direct", Destination="s3", Decorate="false", Inventory="snapshots")

    assert "InventoryFunction" in made.resources


def test_a_stream_may_unpack_what_cloudwatch_logs_sends():
    made = stack(Ingest="decompression", Destination="s3")

    subscription = made.resources["FlowLogStreamSubscription"]["Properties"]
    assert subscription["DestinationArn"] == {"Fn::GetAtt": ["DeliveryStream", "Arn"]}
    stream = made.resources["DeliveryStream"]["Properties"]["ExtendedS3DestinationConfiguration"]
    kinds = [one["Type"] for one in stream["ProcessingConfiguration"]["Processors"]]
    assert kinds == ["Decompression", "CloudWatchLogProcessing", "Lambda"]


def test_nothing_is_put_back_on_a_stream_that_takes_no_puts():
    made = stack(Ingest="decompression", Destination="s3")

    assert made.environment("FlowLogDecoratorFunction")["MAX_ATTEMPTS"] == "0"
    allowed = actions(made, "FlowLogDecoratorFunctionRole")
    assert "firehose:PutRecordBatch" not in allowed


def test_flow_log_files_become_parquet_without_a_stream():
    made = stack(
        Ingest="objects", Destination="s3", FlowLogOf="VPC", FlowLogResourceId="vpc-0a1b2c3d"
    )

    assert "DeliveryStream" not in made.resources
    assert made.environment("ObjectsFunction")["OUTPUT"] == "s3://<DataBucket>/enriched/"
    assert made.resources["FlowLog"]["Properties"]["LogDestination"] == {
        "Fn::GetAtt": ["FlowLogBucket", "Arn"]
    }
    (mapping,) = made.resources["ObjectsFunction"]["Properties"]["Events"].values()
    assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    queue = made.resources["FlowLogQueue"]["Properties"]
    assert (
        queue["VisibilityTimeout"] >= 6 * made.resources["ObjectsFunction"]["Properties"]["Timeout"]
    )
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5


@pytest.mark.parametrize(
    ("destination", "output", "domain"),
    [
        ("opensearch", "https://<OpenSearchDomain.DomainEndpoint>", "<OpenSearchDomain.Arn>"),
        ("opensearch-existing", "https://flows.example", OPENSEARCH["OpenSearchDomainArn"]),
    ],
)
def test_flow_log_files_may_be_written_to_a_domain_without_a_stream(
    destination: str, output: str, domain: str
):
    made = stack(
        Ingest="objects",
        Destination=destination,
        ObjectsByStream="false",
        **OPENSEARCH | {"OpenSearchEndpoint": "https://flows.example"},
    )

    assert "DeliveryStream" not in made.resources
    writer = {"Fn::GetAtt": ["ObjectsFunctionRole", "Arn"]}
    assert made.resources["OpenSearchIndex"]["Properties"]["WriterRoleArn"] == writer
    told = made.environment("ObjectsFunction")["OUTPUT"]
    assert told == f"opensearch+{output}/<OpenSearchIndex.Index>"
    (write,) = [
        one for one in made.statements("ObjectsFunctionRole") if one["Sid"] == "WriteDocuments"
    ]
    assert (write["Action"], write["Resource"]) == ("es:ESHttpPost", f"{domain}/*")
    if destination == "opensearch":
        (admitted,) = made.resources["OpenSearchDomain"]["Properties"]["AccessPolicies"][
            "Statement"
        ]
        assert writer in admitted["Principal"]["AWS"]


@pytest.mark.parametrize("admin", ["", "arn:aws:iam::123456789012:role/analyst"])
def test_the_policies_of_a_collection_are_json_and_let_in_whom_they_should(admin: str):
    made = stack(Ingest="ingestor", Destination="opensearch-serverless", OpenSearchAdminArn=admin)

    (access,) = made.of_type("AWS::OpenSearchServerless::AccessPolicy").values()
    for policy in made.of_type("AWS::OpenSearchServerless::SecurityPolicy").values():
        json.loads(policy["Properties"]["Policy"])
    ours, *others = json.loads(access["Properties"]["Policy"])
    assert ours["Principal"] == ["<DeliveryRole.Arn>", "<IndexSetupFunctionRole.Arn>"]
    assert [one["Principal"] for one in others] == ([[admin]] if admin else [])


def test_documents_are_kept_for_ever_or_for_the_days_that_are_given():
    forever = stack(Ingest="ingestor", Destination="opensearch-serverless")
    month = stack(Ingest="ingestor", Destination="opensearch-serverless", IndexRetentionDays="30")

    assert not forever.of_type("AWS::OpenSearchServerless::LifecyclePolicy")
    (policy,) = month.of_type("AWS::OpenSearchServerless::LifecyclePolicy").values()
    (rule,) = json.loads(policy["Properties"]["Policy"])["Rules"]
    assert rule["MinIndexRetention"] == "30d"
    assert rule["Resource"] == ["index/vpc-flow-logs/vpc-flow-logs*"]
    assert month.resources["OpenSearchIndex"]["Properties"]["KeepDays"] == "30"


def test_version_11_fields_get_their_tags():
    made = stack(
        Ingest="direct",
        Destination="s3",
        FlowLogOf="VPC",
        FlowLogResourceId="vpc-0a1b2c3d",
        LogFormat="${srcaddr} ${instance-tag} ${asg-tag}",
        FlowLogInstanceTags="team,stage",
        FlowLogAutoScalingGroupTags="team",
        FlowLogAggregationS="60",
    )

    flow_log = made.resources["FlowLog"]["Properties"]
    assert flow_log["LogFormat"] == "${srcaddr} ${instance-tag} ${asg-tag}"
    assert flow_log["MaxAggregationInterval"] == "60"
    assert flow_log["TagFieldSpecifications"] == [
        {"ResourceType": "instance", "TagKeys": ["team", "stage"]},
        {"ResourceType": "auto-scaling-group", "TagKeys": ["team"]},
    ]
    assert made.environment("FlowLogDecoratorFunction")["LOG_FORMAT"] == flow_log["LogFormat"]


@pytest.mark.parametrize(
    ("destination", "one"),
    [
        ("own", "true"),
        ("s3", "false"),
        ("opensearch", "true"),
        ("opensearch-existing", "true"),
        ("opensearch-serverless", "true"),
        ("opensearch-serverless-existing", "true"),
    ],
)
def test_a_record_becomes_one_document_unless_it_goes_to_s3(destination: str, one: str):
    made = stack(Ingest="ingestor", Destination=destination, **OPENSEARCH)

    assert made.environment("FlowLogDecoratorFunction")["ONE_DOCUMENT"] == one


def test_a_stream_of_ones_own_to_s3_or_http_may_take_several_documents():
    made = stack(OneDocument="false")

    assert made.environment("FlowLogDecoratorFunction")["ONE_DOCUMENT"] == "false"


def buffer_mb(made: Stack) -> float:
    stream = made.resources["DeliveryStream"]["Properties"]["ExtendedS3DestinationConfiguration"]
    parameters = stream["ProcessingConfiguration"]["Processors"][-1]["Parameters"]
    (value,) = [
        one["ParameterValue"] for one in parameters if one["ParameterName"] == "BufferSizeInMBs"
    ]
    return float(value)


@pytest.mark.parametrize(
    ("schema", "ingest", "raw", "line", "answer"),
    [
        ("appender", "direct", "false", 89, 849),
        ("appender", "ingestor", "true", 89, 849),
        ("flat", "direct", "false", 89, 1700),
        ("flat", "decompression", "false", 89, 1700),
        ("flat", "ingestor", "true", 89, 1700),
        ("flat", "ingestor", "false", 219, 1700),
        ("ecs", "ingestor", "false", 219, 2600),
        ("ocsf", "ingestor", "false", 219, 3600),
    ],
)
def test_what_the_decorator_gets_at_once_fits_its_answer(
    schema: str, ingest: str, raw: str, line: int, answer: int
):
    """Bytes of the shortest lines on the stream, and of an answer to one as docs/decorator.md has them."""
    made = stack(Schema=schema, Ingest=ingest, Destination="s3", RawLines=raw)

    limit = int(next(one.default for one in SETTINGS if one.name == "RESPONSE_LIMIT_BYTES"))

    assert buffer_mb(made) * 2**20 / line * answer < limit


def test_the_buffer_may_be_chosen():
    assert buffer_mb(stack(Ingest="direct", Destination="s3", DecoratorBufferMB="0.3")) == 0.3


# -- Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "advice"),
    [
        ({"FlowLogOf": "VPC", "Ingest": "ingestor"}, "needs FlowLogResourceId"),
        ({"FlowLogOf": "VPC", "FlowLogResourceId": "vpc-0a1b2c3d"}, "set Ingest to"),
        ({"FlowLogResourceId": "vpc-0a1b2c3d"}, "needs FlowLogOf"),
        ({"Ingest": "direct"}, "Ingest=ingestor works"),
        ({"Ingest": "decompression"}, "Ingest=ingestor works"),
        ({"Destination": "s3"}, "set Ingest to"),
        ({"Ingest": "decompression", "Destination": "opensearch"}, "works with Destination=s3"),
        ({"Ingest": "decompression", "Destination": "opensearch-serverless"}, "take Ingest=ingestor"),
        ({"Ingest": "ingestor", "Destination": "opensearch", "OneDocument": "false"}, "works with Destination=s3"),
        ({"Ingest": "direct", "Destination": "s3", "OneDocument": "true"}, "leave it at auto"),
        ({"Ingest": "decompression", "Destination": "s3", "OneDocument": "true"}, "leave it at auto"),
        ({"Ingest": "direct", "Destination": "opensearch", "Decorate": "false"}, "works with Destination=s3"),
        ({"Ingest": "ingestor", "Destination": "s3", "Decorate": "false"}, "works with Ingest=direct"),
        ({"Ingest": "direct", "Destination": "opensearch", "ObjectsByStream": "false"}, "works with Ingest=objects"),
        ({"Ingest": "objects", "Destination": "opensearch-serverless", "ObjectsByStream": "false"},
         "works with Destination=opensearch"),
        ({"Ingest": "ingestor", "Destination": "opensearch-existing"}, "needs OpenSearchDomainArn"),
        ({"Ingest": "ingestor", "Destination": "opensearch-serverless-existing"}, "needs OpenSearchEndpoint"),
        ({"GeolocationProvider": "mmdb"}, "ipstack works"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_what_does(parameters: dict[str, str], advice: str):
    refusals = stack(**parameters).refusals()

    assert any(advice in refusal for refusal in refusals), refusals


def test_every_refusal_is_tested():
    messages = {
        assertion["AssertDescription"]
        for rule in TEMPLATE["Rules"].values()
        for assertion in rule["Assertions"]
    }
    cases = next(
        mark
        for mark in test_what_cannot_work_is_refused_with_what_does.pytestmark
        if mark.name == "parametrize"
    ).args[1]

    met = {refusal for parameters, _ in cases for refusal in stack(**parameters).refusals()}

    assert messages == met


# -- The code's own settings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("resource", "function"), FUNCTION_OF.items())
def test_handlers_are_those_of_the_package(resource: str, function: str):
    module, _, name = TEMPLATE["Resources"][resource]["Properties"]["Handler"].rpartition(".")

    assert module == f"vpcflow.lambdas.{function}"
    # Not imported: it would want the settings of its function.
    assert (
        f"\ndef {name}(event: Any, context: Any)"
        in (ROOT / "src" / "vpcflow" / "lambdas" / f"{function}.py").read_text()
    )


@pytest.mark.parametrize("topology", accepted(), ids=named)
def test_what_a_function_is_told_it_knows_and_can_read(topology: dict[str, str]):
    made = stack(**topology, **OPENSEARCH)

    for resource, function in FUNCTION_OF.items():
        if function not in FUNCTIONS or resource not in made.resources:
            continue
        known = {one.name for one in SETTINGS if function in one.functions}
        environment = made.environment(resource)
        assert environment.keys() <= known
        load_settings(function, {name: str(value) for name, value in environment.items()})


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: one.name)
def test_a_parameter_offers_what_its_setting_takes_and_begins_with_its_default(setting: Any):
    for resource, function in FUNCTION_OF.items():
        if function not in setting.functions:
            continue
        told = (
            TEMPLATE["Resources"][resource]["Properties"]
            .get("Environment", {})
            .get("Variables", {})
        )
        parameter = told.get(setting.name, {})
        if not isinstance(parameter, dict) or parameter.get("Ref") not in TEMPLATE["Parameters"]:
            continue
        described = TEMPLATE["Parameters"][parameter["Ref"]]
        for value in map(str, described.get("AllowedValues", [described["Default"]])):
            if value:
                setting.read(value)
        if setting.name not in ("DELIVERY_STREAM_NAME",):
            assert str(described["Default"]) == setting.default


def test_every_schema_can_be_chosen():
    assert set(TEMPLATE["Parameters"]["Schema"]["AllowedValues"]) == set(SCHEMAS)


# -- Rights, encryption, what is kept ----------------------------------------------------------------------------------


def actions(made: Stack, role: str) -> set[str]:
    return {
        action
        for statement in made.statements(role)
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }


def test_every_function_has_a_role_of_its_own():
    roles = {
        name: one["Properties"]["Role"]["Fn::GetAtt"][0]
        for name, one in TEMPLATE["Resources"].items()
        if one["Type"] == "AWS::Serverless::Function"
    }

    assert len(set(roles.values())) == len(roles) == len(FUNCTION_OF)


@pytest.mark.parametrize("topology", accepted(), ids=named)
def test_no_action_is_a_pattern_and_few_have_no_resource(topology: dict[str, str]):
    made = stack(**topology, **OPENSEARCH, GeolocationEnabled="true")

    for role in made.of_type("AWS::IAM::Role"):
        for statement in made.statements(role):
            allowed = (
                [statement["Action"]]
                if isinstance(statement["Action"], str)
                else statement["Action"]
            )
            assert not [action for action in allowed if "*" in action]
            if statement["Resource"] == "*":
                # None of these takes a resource.
                assert all(
                    re.match(r"ec2:(Describe|Get)|logs:DescribeLogGroups$", one) for one in allowed
                )


def test_the_key_of_ipstack_is_read_only_where_it_is_asked():
    without = actions(stack(), "FlowLogDecoratorFunctionRole")
    asking = stack(GeolocationEnabled="true")
    with_file = stack(GeolocationEnabled="true", GeoDatabase="s3://example/city.mmdb")

    assert not any(action.startswith(("ssm:", "kms:")) for action in without)
    (parameter,) = [
        s
        for s in asking.statements("FlowLogDecoratorFunctionRole")
        if s["Action"] == "ssm:GetParameter"
    ]
    assert parameter["Resource"] == "arn:aws:ssm:eu-west-1:123456789012:parameter/ipstack-api-key"
    (key,) = [
        s for s in asking.statements("FlowLogDecoratorFunctionRole") if s["Action"] == "kms:Decrypt"
    ]
    assert key["Condition"]["StringEquals"]["kms:ViaService"] == "ssm.eu-west-1.amazonaws.com"
    (database,) = [
        s
        for s in with_file.statements("FlowLogDecoratorFunctionRole")
        if s["Action"] == "s3:GetObject"
    ]
    assert database["Resource"] == "arn:aws:s3:::example/city.mmdb"
    assert "ssm:GetParameter" not in actions(with_file, "FlowLogDecoratorFunctionRole")


KEPT = {"AWS::S3::Bucket", "AWS::Logs::LogGroup"}


def test_buckets_and_log_groups_outlive_the_stack_and_can_be_made_again():
    for name, one in TEMPLATE["Resources"].items():
        if one["Type"] in KEPT:
            assert one["DeletionPolicy"] == one["UpdateReplacePolicy"] == "Retain", name
            # A fixed name would be in the way of the next stack.
            assert not {"BucketName", "LogGroupName"} & one["Properties"].keys(), name


def test_log_groups_forget_and_queues_buckets_and_streams_are_encrypted():
    for name, one in TEMPLATE["Resources"].items():
        given = one.get("Properties", {})
        if one["Type"] == "AWS::Logs::LogGroup":
            assert given["RetentionInDays"] == {"Ref": "LogRetentionDays"}, name
        if one["Type"] == "AWS::SQS::Queue":
            assert given["SqsManagedSseEnabled"] is True, name
        if one["Type"] == "AWS::S3::Bucket":
            assert given["BucketEncryption"], name
            assert all(given["PublicAccessBlockConfiguration"].values()), name
        if one["Type"] == "AWS::KinesisFirehose::DeliveryStream":
            assert given["DeliveryStreamEncryptionConfigurationInput"], name
        if one["Type"] == "AWS::OpenSearchService::Domain":
            assert given["EncryptionAtRestOptions"]["Enabled"], name
            assert given["NodeToNodeEncryptionOptions"]["Enabled"], name


def test_what_is_invoked_without_waiting_has_dead_letters():
    made = stack(Ingest="objects", Destination="s3")

    for function in ("FlowLogIngestionFunction", "InventoryFunction"):
        assert made.resources[function]["Properties"]["DeadLetterQueue"]["Type"] == "SQS"
    assert made.resources["FlowLogQueue"]["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]


# -- Watching ---------------------------------------------------------------------------------------------------------


def alarms() -> dict[str, Any]:
    return {
        n: one["Properties"]
        for n, one in TEMPLATE["Resources"].items()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    }


@pytest.mark.parametrize("name", alarms())
def test_every_alarm_has_its_lines_in_the_runbook(name: str):
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    headings = {
        re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-")
        for h in re.findall(r"^## (.*)$", runbook, re.MULTILINE)
    }

    page, _, anchor = alarms()[name]["AlarmDescription"].rpartition(". ")[2].partition("#")

    assert page == "docs/runbook.md"
    assert anchor in headings
    assert f"`{name}`" in runbook


@pytest.mark.parametrize("name", alarms())
def test_an_alarm_of_ours_is_on_a_metric_that_the_functions_write(name: str):
    telemetry = importlib.import_module("vpcflow.lambdas.telemetry")
    known = {metric.name for metric in telemetry.METRICS}

    for metric in metrics_of(alarms()[name]):
        if metric["Namespace"] == {"Ref": "MetricsNamespace"}:
            assert metric["MetricName"] in known
            assert metric["Dimensions"][0]["Value"] in FUNCTIONS


def test_the_metrics_of_the_runbook_are_written():
    telemetry = importlib.import_module("vpcflow.lambdas.telemetry")
    runbook = (ROOT / "docs" / "runbook.md").read_text()

    told = set(
        re.findall(r"`((?:failed|records|rejected|refresh|look|geo|shed|puts)_[a-z_]+)`", runbook)
    )

    assert told
    assert told <= {metric.name for metric in telemetry.METRICS}


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """All metrics of an alarm, those of any topology."""
    found = []

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            if "MetricName" in node and "Namespace" in node:
                found.append(node)
            for one in node.values():
                visit(one)
        elif isinstance(node, list):
            for one in node:
                visit(one)

    visit(alarm)
    return found


def test_the_dashboard_shows_metrics_that_the_functions_write():
    telemetry = importlib.import_module("vpcflow.lambdas.telemetry")
    known = {metric.name for metric in telemetry.METRICS}

    made = stack(Ingest="ingestor", Destination="opensearch")

    body = json.loads(made.resources["Dashboard"]["Properties"]["DashboardBody"])
    shown = [m for widget in body["widgets"] for m in widget["properties"]["metrics"]]
    ours = [metric for metric in shown if metric[0] == "vpcflow"]
    assert ours
    assert {metric[1] for metric in ours} <= known


def test_nothing_is_watched_where_nothing_but_the_functions_is_made():
    assert not stack().of_type("AWS::CloudWatch::Alarm")
    assert stack(Monitoring="true").of_type("AWS::CloudWatch::Alarm")
    assert stack(Ingest="ingestor").of_type("AWS::CloudWatch::Alarm")


def test_alarms_go_to_the_topic_that_is_given():
    topic = "arn:aws:sns:eu-west-1:123456789012:on-call"

    silent, loud = stack(Ingest="ingestor"), stack(Ingest="ingestor", AlarmTopicArn=topic)

    assert all(
        one["Properties"]["AlarmActions"] == []
        for one in silent.of_type("AWS::CloudWatch::Alarm").values()
    )
    assert all(
        one["Properties"]["AlarmActions"] == [topic]
        for one in loud.of_type("AWS::CloudWatch::Alarm").values()
    )


def test_changes_reach_the_inventory_function_in_batches():
    made = stack(Ingest="ingestor")

    rule = made.resources["InventoryRule"]["Properties"]
    assert rule["Targets"] == [
        {"Id": "changes", "Arn": {"Fn::GetAtt": ["InventoryChanges", "Arn"]}}
    ]
    names = set(rule["EventPattern"]["detail"]["eventName"])
    assert {
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "AttachNetworkInterface",
        "DetachNetworkInterface",
        "ModifyNetworkInterfaceAttribute",
        "AuthorizeSecurityGroupIngress",
        "RevokeSecurityGroupEgress",
        "ModifySecurityGroupRules",
        "DeleteVpcPeeringConnection",
        "ReplaceNetworkAclEntry",
        "ModifyTransitGatewayVpcAttachment",
    } <= names
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
    assert len(json.dumps(rule["EventPattern"])) <= 2048
    changes = made.resources["InventoryFunction"]["Properties"]["Events"]["Changes"]["Properties"]
    assert changes["MaximumBatchingWindowInSeconds"] > 0
