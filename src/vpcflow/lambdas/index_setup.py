"""
The custom resource ``Custom::OpenSearchIndex``: sets OpenSearch up before the stream exists.

CloudFormation hears of every outcome, a defect of ours too: else the stack would wait for ``ServiceTimeout``, which is
left for code that cannot even be imported. A delete does nothing and always succeeds: the documents stay as long as
their domain does, and so does what they need.
"""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any

from vpcflow.aws.opensearch import OpenSearch
from vpcflow.errors import SettingsError
from vpcflow.index_setup import SERVICES, Wanted, set_up
from vpcflow.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable

_LAST_S = 20.0
"""Kept of the function's time, for the answer; a request that began just before may take longer than its turn."""

_LONGEST_REQUEST_S = 35.0


def handler(event: Any, context: Any) -> None:
    """Do what the event asks for, and answer to where it says."""
    respond(event, context, set_up_index, put)


def respond(
    event: Any,
    context: Any,
    set_up_index: Callable[[Any, float], dict[str, str]],
    put: Callable[[str, bytes], None],
    *,
    write: Callable[[str], object] = print,
) -> None:
    """Answer CloudFormation with the outcome, and say it in the log; where that raises, Lambda runs it all again."""
    answer = {
        "Status": "SUCCESS",
        "PhysicalResourceId": _id_of(event),
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    try:
        if event["RequestType"] != "Delete":
            left_s = context.get_remaining_time_in_millis() / 1000
            within_s = max(left_s - _LAST_S - _LONGEST_REQUEST_S, 0)
            answer["Data"] = set_up_index(event["ResourceProperties"], within_s)
    except Exception as error:  # noqa: BLE001 - whatever it is, the stack must not wait
        answer["Status"] = "FAILED"
        answer["Reason"] = f"{type(error).__name__}: {error}"[:1000]
    line = {
        "function": "index_setup",
        "level": "INFO" if answer["Status"] == "SUCCESS" else "ERROR",
        "event": f"{event['RequestType']} {answer['Status']}".lower(),
        "reason": answer.get("Reason"),
    }
    write(json.dumps(line))
    put(event["ResponseURL"], json.dumps(answer).encode())


def set_up_index(properties: Any, within_s: float) -> dict[str, str]:
    """Set the index up that the properties tell of; gives the resource's attributes."""
    service, schema = properties.get("Service"), properties.get("Schema")
    for name, value, known in (("Service", service, SERVICES), ("Schema", schema, SCHEMAS)):
        if value not in known:
            raise SettingsError(f"{name}={value!r}: may be {', '.join(known)}")
    wanted = Wanted(
        service,
        schema,
        properties["Index"],
        properties["WriterRoleArn"],
        properties.get("AdminArn") or None,
        int(properties.get("KeepDays") or 0) or None,
    )
    endpoint = OpenSearch(
        properties["Endpoint"], service, role_arn=properties.get("SetupRoleArn") or None
    )
    set_up(wanted, endpoint, within_s=within_s, monotonic=time.monotonic, sleep=time.sleep)
    return {"Index": wanted.index_name}


def put(url: str, body: bytes) -> None:
    """Put the answer where CloudFormation waits for it: a signed URL of S3, which allows no content type."""
    request = urllib.request.Request(url, body, {"Content-Type": ""}, method="PUT")
    with urllib.request.urlopen(request, timeout=10):
        pass


def _id_of(event: Any) -> str:
    """Name what was made, the same for every run; another endpoint or index is another resource."""
    if event["RequestType"] == "Delete":
        return str(event["PhysicalResourceId"])
    properties = event.get("ResourceProperties", {})
    return f"{properties.get('Endpoint')}/{properties.get('Index')}"
