"""The clean-up command: what it deletes, what it keeps and names, and what it asks before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation import load
from undeploying import KEPT, undeploy

TEMPLATE = load(Path(__file__).parents[1] / "deploy" / "template.yaml")


class Account:
    """An account with one stack, ``flows``: its buckets with their keys, log groups and queues with their messages."""

    def __init__(self) -> None:
        self.stacks = {"flows": "live"}
        self.buckets = {"flows-data": [f"enriched/{i}" for i in range(2500)]}
        self.groups = {"flows-decorator", "flows-decorator-other"}
        self.letters = 0
        self.is_locked = False

    def client(self, service: str) -> Any:
        return {"cloudformation": Stacks, "s3": Buckets, "logs": Groups, "sqs": Queues}[service](
            self
        )


class Stacks:
    def __init__(self, account: Account) -> None:
        self._account = account

    def describe_stacks(self, StackName: str) -> Any:
        if self._account.stacks.get(StackName.removeprefix("id-")) != "live":
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "none"}}, "Describe")
        return {"Stacks": [{"StackId": f"id-{StackName}", "StackStatus": "CREATE_COMPLETE"}]}

    def get_paginator(self, operation: str) -> Any:
        return Pages(getattr(self, operation))

    def list_stacks(self, StackStatusFilter: list[str]) -> Iterator[Any]:
        gone = [name for name, state in self._account.stacks.items() if state == "gone"]
        yield {
            "StackSummaries": [
                {"StackName": n, "StackId": f"id-{n}", "CreationTime": 0, "DeletionTime": 1}
                for n in gone
            ]
        }

    def list_stack_resources(self, StackName: str) -> Iterator[Any]:
        assert StackName == "id-flows"
        rows = [
            ("DataBucket", "AWS::S3::Bucket", "flows-data"),
            ("DecoratorLogs", "AWS::Logs::LogGroup", "flows-decorator"),
            ("IngestionDeadLetters", "AWS::SQS::Queue", "https://sqs.example/123456789012/flows-dead"),
            ("FlowLogDecoratorFunctionRole", "AWS::IAM::Role", "flows-role"),
        ]  # fmt: skip
        for row in rows:
            names = ("LogicalResourceId", "ResourceType", "PhysicalResourceId")
            yield {"StackResourceSummaries": [dict(zip(names, row))]}

    def delete_stack(self, StackName: str) -> None:
        self._account.stacks[StackName.removeprefix("id-")] = "gone"

    def get_waiter(self, name: str) -> Any:
        assert name == "stack_delete_complete"
        return Waiter()


class Pages:
    def __init__(self, pages: Any) -> None:
        self.paginate = pages


class Waiter:
    def wait(self, StackName: str) -> None:
        pass


class Buckets:
    def __init__(self, account: Account) -> None:
        self._buckets = account.buckets
        self._is_locked = account.is_locked

    def list_buckets(self) -> Any:
        return {"Buckets": [{"Name": name} for name in self._buckets]}

    def list_objects_v2(self, Bucket: str, MaxKeys: int) -> Any:
        return {"Contents": [{"Key": key} for key in self._buckets[Bucket][:MaxKeys]]}

    def delete_objects(self, Bucket: str, Delete: Any) -> Any:
        assert len(Delete["Objects"]) <= 1000
        if self._is_locked:
            return {"Errors": [{"Key": Delete["Objects"][0]["Key"], "Message": "Access Denied"}]}
        gone = {one["Key"] for one in Delete["Objects"]}
        self._buckets[Bucket] = [key for key in self._buckets[Bucket] if key not in gone]
        return {}

    def delete_bucket(self, Bucket: str) -> None:
        assert not self._buckets.pop(Bucket)


class Groups:
    def __init__(self, account: Account) -> None:
        self._groups = account.groups

    def describe_log_groups(self, logGroupNamePrefix: str) -> Any:
        found = [name for name in self._groups if name.startswith(logGroupNamePrefix)]
        return {"logGroups": [{"logGroupName": name} for name in found]}

    def delete_log_group(self, logGroupName: str) -> None:
        self._groups.remove(logGroupName)


class Queues:
    def __init__(self, account: Account) -> None:
        self._account = account

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> Any:
        return {"Attributes": {"ApproximateNumberOfMessages": str(self._account.letters)}}


def run(
    account: Account, name: str = "flows", *, typed: str | None = None, discard: bool = False
) -> int:
    def ask(question: str) -> str:
        assert typed is not None, "nothing should be asked"
        return typed

    return int(undeploy(name, account.client, ask=ask, purge=typed is not None, discard=discard))


def test_what_is_kept_is_named_with_the_command_that_removes_it(capsys: pytest.CaptureFixture[str]):
    account = Account()

    assert run(account) == 0

    printed = capsys.readouterr().out
    assert account.stacks == {"flows": "gone"}
    assert "aws s3 rb --force s3://flows-data\n" in printed
    assert "aws logs delete-log-group --log-group-name flows-decorator\n" in printed
    assert "flows-role" not in printed
    assert len(account.buckets["flows-data"]) == 2500


def test_a_purge_removes_it_once_the_name_is_typed():
    account = Account()

    assert run(account, typed="flows") == 0

    assert account.stacks == {"flows": "gone"}
    assert account.buckets == {}
    assert account.groups == {"flows-decorator-other"}


def test_a_purge_with_another_name_typed_does_nothing(capsys: pytest.CaptureFixture[str]):
    account = Account()

    assert run(account, typed="yes") == 1

    assert account.stacks == {"flows": "live"}
    assert len(account.buckets["flows-data"]) == 2500
    assert "nothing was removed" in capsys.readouterr().err


def test_an_object_that_may_not_be_deleted_ends_the_purge():
    account = Account()
    account.is_locked = True

    with pytest.raises(SystemExit, match="flows-data/enriched/0 cannot be deleted: Access Denied"):
        run(account, typed="flows")


def test_what_a_deleted_stack_left_can_still_be_purged():
    account = Account()
    account.stacks["flows"] = "gone"

    assert run(account, typed="flows") == 0

    assert account.buckets == {}


def test_messages_that_were_not_delivered_are_not_thrown_away_unasked(
    capsys: pytest.CaptureFixture[str],
):
    account = Account()
    account.letters = 12

    assert run(account) == 1

    assert account.stacks == {"flows": "live"}
    assert "flows-dead holds 12 messages" in capsys.readouterr().err
    assert run(account, discard=True) == 0


def test_a_stack_that_never_was_is_said_to_be_none(capsys: pytest.CaptureFixture[str]):
    assert run(Account(), "flow") == 1

    assert "there is no stack 'flow'" in capsys.readouterr().err


def test_all_that_the_template_keeps_is_what_the_command_names():
    kept = {
        one["Type"]
        for one in TEMPLATE["Resources"].values()
        if one.get("DeletionPolicy") == "Retain"
    }

    assert kept == KEPT.keys()


def test_the_dead_letter_queues_of_the_template_are_found_by_their_names():
    targets = {
        str(one["Properties"].get("DeadLetterQueue", {}).get("TargetArn"))
        for one in TEMPLATE["Resources"].values()
        if one["Type"] == "AWS::Serverless::Function"
    } | {
        str(one["Properties"]["RedrivePolicy"]["deadLetterTargetArn"])
        for one in TEMPLATE["Resources"].values()
        if "RedrivePolicy" in one.get("Properties", {})
    }

    assert all("DeadLetters" in target for target in targets - {"None"})
