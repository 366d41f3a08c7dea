"""Records to a Firehose stream, through a client that is given: within its limits, and refused ones sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_RECORDS = 500
MAX_CALL_BYTES = 4 * 1024 * 1024
MAX_RECORD_BYTES = 1000 * 1024
"""https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html"""


class Stream(Protocol):
    """One Firehose stream."""

    @property
    def name(self) -> str: ...

    def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
        """
        Make one PutRecordBatch call of at most 500 records and 4 MiB.

        Gives for each record, in order, None or the error code with which it was refused. Raises ``AwsError`` where the
        call as a whole was refused or not answered: then any record may have been taken, or none.
        """
        ...
