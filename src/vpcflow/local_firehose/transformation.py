"""
The transformation of a stream: a function called with batches of records, by the service's contract.

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from vpcflow.local_firehose.buffers import Buffering, Held

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpcflow.local_firehose.faults import Faults

PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024
"""Of a request and of a response of a function. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_FUNCTION_ERROR = (
    "Lambda.FunctionError",
    "The Lambda function was successfully invoked but it returned an error result.",
)
_TIMED_OUT = (
    "Lambda.FunctionTimedOut",
    "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function.",
)
_MISSING = (
    "Lambda.MissingRecordId",
    "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids.",
)
_DUPLICATED = (
    "Lambda.DuplicatedRecordId",
    "Multiple records were returned with the same record Id. Ensure that the Lambda function returns a unique record"
    " Id for each record.",
)
_FAILED_STATUS = ("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")
_BAD_FORM = (
    "Lambda.InvalidReturnFormat",
    "The result must be Ok, Dropped or ProcessingFailed, and the data of an Ok record base64.",
)


class Transformation(NamedTuple):
    """A function, how records are held for it, and how often an invocation that failed is repeated."""

    function: Callable[[dict[str, Any]], Any]
    buffering: Buffering = Buffering(1024 * 1024, 60)
    retries: int = 3
    arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:decorator"


class Failure(NamedTuple):
    """A record that was not transformed: the error's code and message, and how often the function was invoked."""

    record: Held
    code: str
    message: str
    attempts: int


class Transformed(NamedTuple):
    """What became of a batch: records to deliver in their new form, those left out, and those that failed."""

    ok: list[Held]
    dropped: int
    failures: list[Failure]
    invocations: int


def transform(
    records: Sequence[Held],
    transformation: Transformation,
    *,
    stream_arn: str,
    invocation_id: str,
    faults: Faults,
) -> Transformed:
    """Invoke the function on a batch, again where the invocation fails, and read its response."""
    request = _request(records, stream_arn)
    fault = _FUNCTION_ERROR
    most = transformation.retries + 1
    for attempt in range(1, most + 1):
        event = {"invocationId": f"{invocation_id}-{attempt}", **request}
        response, fault = _invoke(transformation, event, faults)
        if response is not None:
            return _read(records, response, attempt)
    return Transformed([], 0, [Failure(record, *fault, most) for record in records], most)


def _request(records: Sequence[Held], stream_arn: str) -> dict[str, Any]:
    return {
        "deliveryStreamArn": stream_arn,
        "region": stream_arn.split(":")[3],
        "records": [
            {
                "recordId": record.record_id,
                "approximateArrivalTimestamp": int(record.arrived_at * 1000),
                "data": base64.b64encode(record.data).decode(),
            }
            for record in records
        ],
    }


def _invoke(
    transformation: Transformation, event: dict[str, Any], faults: Faults
) -> tuple[Any, tuple[str, str]]:
    """Give the response, as it is after the way through JSON, or None and why there is none."""
    if len(orjson.dumps(event)) > PAYLOAD_LIMIT_BYTES or faults.strikes(faults.fail_invocation):
        return None, _FUNCTION_ERROR
    try:
        response = orjson.dumps(transformation.function(orjson.loads(orjson.dumps(event))))
    except Exception:  # noqa: BLE001  # whatever a function raises, Firehose sees an invocation that failed
        return None, _FUNCTION_ERROR
    if len(response) > PAYLOAD_LIMIT_BYTES or faults.strikes(faults.oversize_response):
        return None, _FUNCTION_ERROR
    if faults.strikes(faults.lose_response):
        return None, _TIMED_OUT
    return orjson.loads(response) or {}, _FUNCTION_ERROR


def _read(records: Sequence[Held], response: Any, attempts: int) -> Transformed:
    """Find each record's answer; what the response holds besides is passed over."""
    answers = response.get("records") if isinstance(response, dict) else None
    found = [one for one in answers or [] if isinstance(one, dict)]
    counts = Counter(one.get("recordId") for one in found)
    by_id = {one.get("recordId"): one for one in found}
    done = Transformed([], 0, [], attempts)
    dropped = 0
    for record in records:
        answer = by_id.get(record.record_id)
        if answer is None:
            done.failures.append(Failure(record, *_MISSING, attempts))
        elif counts[record.record_id] > 1:
            done.failures.append(Failure(record, *_DUPLICATED, attempts))
        elif answer.get("result") == "Dropped":
            dropped += 1
        elif answer.get("result") == "ProcessingFailed":
            done.failures.append(Failure(record, *_FAILED_STATUS, attempts))
        elif answer.get("result") == "Ok" and (data := _data(answer)) is not None:
            done.ok.append(record._replace(data=data))
        else:
            done.failures.append(Failure(record, *_BAD_FORM, attempts))
    return done._replace(dropped=dropped)


def _data(answer: dict[str, Any]) -> bytes | None:
    try:
        return base64.b64decode(answer["data"], validate=True)
    except (KeyError, TypeError, binascii.Error, ValueError):
        return None
