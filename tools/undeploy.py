"""
Take a stack away, and say what is kept: buckets with data, and log groups, each with the command that removes it.

With ``--purge`` these are removed too, once the name of the stack has been typed. A stack that is gone already is
looked up among the deleted ones, so that what it left can still be named and removed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

Clients = Callable[[str], Any]

KEPT = {
    "AWS::S3::Bucket": "aws s3 rb --force s3://{}",
    "AWS::Logs::LogGroup": "aws logs delete-log-group --log-group-name {}",
}
"""The types that outlive a stack, each with the command that removes one."""

_QUEUE = "AWS::SQS::Queue"
_MANY = 1000


class Resource(NamedTuple):
    """A resource of the stack: what it is called in the template, its type, its own name."""

    logical_id: str
    type: str
    name: str


class Stack(NamedTuple):
    """A stack by its id, with its resources; ``is_deleted`` when it is gone already."""

    id: str
    is_deleted: bool
    resources: list[Resource]

    @property
    def kept(self) -> list[Resource]:
        return sorted(one for one in self.resources if one.type in KEPT)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).strip().splitlines()[0])
    parser.add_argument("stack", help="name of the stack")
    parser.add_argument("--purge", action="store_true", help="remove what is kept, too")
    parser.add_argument(
        "--discard", action="store_true", help="although dead-letter queues hold messages"
    )
    given = parser.parse_args(arguments)
    try:
        return undeploy(
            given.stack, boto3.client, ask=input, purge=given.purge, discard=given.discard
        )
    except (BotoCoreError, ClientError) as error:
        print(f"undeploy: {error}", file=sys.stderr)
        return 1


def undeploy(
    name: str, client: Clients, *, ask: Callable[[str], str], purge: bool, discard: bool
) -> int:
    """Take the stack away; gives the exit status: 0 done, 1 could not or was not confirmed."""
    stack = find(name, client)
    if stack is None:
        print(f"undeploy: there is no stack {name!r}, nor was there of late", file=sys.stderr)
        return 1
    letters = {} if stack.is_deleted else dict(undelivered(stack, client))
    if letters and not discard:
        for queue, count in letters.items():
            print(
                f"undeploy: {queue} holds {count} messages, which would go with the stack: send"
                f" them again (vpcflow redrive sqs://{queue}), or say --discard",
                file=sys.stderr,
            )
        return 1
    if purge and not _is_confirmed(name, stack, ask):
        print("undeploy: that is not the name; nothing was removed", file=sys.stderr)
        return 1
    if not stack.is_deleted:
        delete(stack, client)
        print(f"The stack {name} is deleted.")
    kept = [one for one in stack.kept if exists(one, client)]
    if purge:
        for one in kept:
            remove(one, client)
            print(f"Removed {one.name}.")
    elif kept:
        print("Kept, with their data; each is removed by the command beside it:")
        for one in kept:
            print(f"  {one.logical_id:20} {KEPT[one.type].format(one.name)}")
    return 0


def find(name: str, client: Clients) -> Stack | None:
    """Find a stack by its name, the newest of the deleted ones where there is none now."""
    cloudformation = client("cloudformation")
    try:
        (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        stack_id, is_deleted = found["StackId"], found["StackStatus"] == "DELETE_COMPLETE"
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        pages = cloudformation.get_paginator("list_stacks").paginate(
            StackStatusFilter=["DELETE_COMPLETE"]
        )
        gone = [one for page in pages for one in page["StackSummaries"] if one["StackName"] == name]
        if not gone:
            return None
        newest = max(gone, key=lambda one: one.get("DeletionTime") or one["CreationTime"])
        stack_id, is_deleted = newest["StackId"], True
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id)
    resources = [
        Resource(one["LogicalResourceId"], one["ResourceType"], one["PhysicalResourceId"])
        for page in pages
        for one in page["StackResourceSummaries"]
        if one.get("PhysicalResourceId")
    ]
    return Stack(stack_id, is_deleted, resources)


def undelivered(stack: Stack, client: Clients) -> Iterator[tuple[str, int]]:
    """Yield the dead-letter queues that hold messages, by name, with how many."""
    for one in stack.resources:
        if one.type == _QUEUE and one.logical_id.endswith("DeadLetters"):
            answer = client("sqs").get_queue_attributes(
                QueueUrl=one.name, AttributeNames=["ApproximateNumberOfMessages"]
            )
            if count := int(answer["Attributes"]["ApproximateNumberOfMessages"]):
                yield one.name.rpartition("/")[2], count


def delete(stack: Stack, client: Clients) -> None:
    """Delete the stack and wait until it is gone; what went wrong is printed."""
    cloudformation = client("cloudformation")
    cloudformation.delete_stack(StackName=stack.id)
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack.id)
    except WaiterError:
        events = cloudformation.describe_stack_events(StackName=stack.id)["StackEvents"]
        for event in events:
            if event["ResourceStatus"] == "DELETE_FAILED":
                reason = event.get("ResourceStatusReason", "no reason given")
                print(f"undeploy: {event['LogicalResourceId']}: {reason}", file=sys.stderr)
        raise


def exists(one: Resource, client: Clients) -> bool:
    """Tell whether what was kept is still there."""
    if one.type == "AWS::S3::Bucket":
        names = [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
    else:
        answer = client("logs").describe_log_groups(logGroupNamePrefix=one.name)
        names = [group["logGroupName"] for group in answer["logGroups"]]
    return one.name in names


def remove(one: Resource, client: Clients) -> None:
    """Remove a bucket with all that is in it, or a log group."""
    if one.type == "AWS::Logs::LogGroup":
        client("logs").delete_log_group(logGroupName=one.name)
        return
    s3 = client("s3")
    while found := s3.list_objects_v2(Bucket=one.name, MaxKeys=_MANY).get("Contents"):
        keys = [{"Key": stored["Key"]} for stored in found]
        answer = s3.delete_objects(Bucket=one.name, Delete={"Objects": keys, "Quiet": True})
        if errors := answer.get("Errors"):
            first = errors[0]
            raise SystemExit(
                f"undeploy: s3://{one.name}/{first['Key']} cannot be deleted: {first['Message']}"
            )
    s3.delete_bucket(Bucket=one.name)


def _is_confirmed(name: str, stack: Stack, ask: Callable[[str], str]) -> bool:
    print("This removes for good, with all their data:")
    for one in stack.kept:
        print(f"  {one.logical_id:20} {one.name}")
    return ask(f"Type the name of the stack, {name}, to go on: ").strip() == name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
