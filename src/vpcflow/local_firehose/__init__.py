"""
A Firehose stream in this process: for tests and the demo, as close to the service as what is known of it goes.

It takes records within the service's limits, holds them by size and time, hands them to a transformation by the
service's contract, delivers to something like S3, an HTTP endpoint or OpenSearch, and puts aside in files what
failed, as the service does. Faults come by chance, out of a seed. Nothing happens but in a call; time is a clock that
is given.

What is not documented follows what others have recorded of the service: the members of the failed records' files and
their spelling, that a response out of form is not asked for again, that an empty entry of one record is that record's
failure alone. Not known, and assumed: that a request over Lambda's limit of 6 MB fails, and is not cut in two.
https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
"""

from vpcflow.local_firehose.bucket import Bucket, FolderBucket, MemoryBucket
from vpcflow.local_firehose.buffers import Buffering, Held
from vpcflow.local_firehose.destinations import (
    Destination,
    HttpDestination,
    OpenSearchDestination,
    S3Destination,
    Unreachable,
)
from vpcflow.local_firehose.faults import NO_FAULTS, Faults
from vpcflow.local_firehose.stream import LocalFirehose, Quota
from vpcflow.local_firehose.transformation import Transformation

__all__ = [
    "NO_FAULTS",
    "Bucket",
    "Buffering",
    "Destination",
    "Faults",
    "FolderBucket",
    "Held",
    "HttpDestination",
    "LocalFirehose",
    "MemoryBucket",
    "OpenSearchDestination",
    "Quota",
    "S3Destination",
    "Transformation",
    "Unreachable",
]
