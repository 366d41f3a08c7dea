"""Firehose streams, as ``vpcflow.sinks.firehose`` wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpcflow.aws.clients import AT_A_DESK, Patience, client
from vpcflow.aws.failures import aws_errors
from vpcflow.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Sequence


def open_stream(
    name: str,
    *,
    region: str | None = None,
    role_arn: str | None = None,
    patience: Patience = AT_A_DESK,
) -> FirehoseStream:
    """
    Make what puts records on a stream; no call is made yet.

    The client tries once, whatever ``patience`` says: a call that it repeated by itself after no answer would bring
    duplicates that nobody counts. ``put_all`` tries again. Raises ``AwsError`` as ``client`` does.
    """
    once = patience._replace(attempts=1)
    return FirehoseStream(client("firehose", region=region, role_arn=role_arn, patience=once), name)


class FirehoseStream:
    """One stream of one account and region."""

    def __init__(self, firehose: Any, name: str) -> None:
        self._firehose = firehose
        self.name = name

    def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
        """Make one PutRecordBatch call; give None or the error code for each record; raises ``AwsError``."""
        with aws_errors(f"put records on the stream {self.name!r}"):
            answer = self._firehose.put_record_batch(
                DeliveryStreamName=self.name, Records=[{"Data": record} for record in records]
            )
        codes = [one.get("ErrorCode") for one in answer["RequestResponses"]]
        if len(codes) != len(records):
            raise AwsError(
                f"cannot put records on the stream {self.name!r}: {len(records)} were sent and {len(codes)} answered",
                code="IncompleteAnswer",
                permanent=False,
            )
        return codes
