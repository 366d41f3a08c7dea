"""The SDK is an extra: without it vpcflow reads and writes what is here. Imports none of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from vpcflow.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vpcflow.aws.signing import Service, Signer
    from vpcflow.object_store import ObjectStore
    from vpcflow.redrive.queues import Queue
    from vpcflow.sinks.firehose import Stream


@contextlib.contextmanager
def aws_extra(what: str) -> Iterator[None]:
    """
    Raise an ``AwsError`` that says what to install where an import of the SDK finds none; ``what`` needs it.

    >>> with aws_extra("s3://"):
    ...     raise ModuleNotFoundError(name="boto3")
    Traceback (most recent call last):
    vpcflow.errors.AwsError: s3:// needs the AWS SDK, which is not installed: run `pip install 'vpcflow[aws]'`
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("boto3", "botocore"):
            raise
        raise AwsError(
            f"{what} needs the AWS SDK, which is not installed: run `pip install 'vpcflow[aws]'`",
            code=type(error).__name__,
            permanent=True,
        ) from error


def open_s3() -> ObjectStore:
    """Open S3 for a person's command or program, with the environment's credentials. Raises ``AwsError``."""
    with aws_extra("s3://"):
        from vpcflow.aws.s3 import S3
    return S3()


def open_firehose(name: str) -> Stream:
    """Open a Firehose stream for a person's command. Raises ``AwsError``."""
    with aws_extra("firehose://"):
        from vpcflow.aws.firehose import open_stream
    return open_stream(name)


def open_sqs(address: str) -> Queue:
    """Open a queue, ``sqs://NAME`` or its URL, for a person's command. Raises ``AwsError``, and ``FormatError``."""
    with aws_extra("sqs://"):
        from vpcflow.aws.sqs import open_queue
    return open_queue(address)


def open_signer(service: Service) -> Signer:
    """Open what signs requests to OpenSearch in AWS for a person's command. Raises ``AwsError``."""
    with aws_extra("signing requests to OpenSearch"):
        from vpcflow.aws import signing
    return signing.open_signer(service)
