"""
What the functions say of a batch: one line of JSON, a log line and CloudWatch's embedded metrics in one.

A line holds numbers under names of ``METRICS`` and words of closed sets, and nothing else: an address, a token or an
event has no way into it. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import re
import time
from collections import Counter
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import orjson

from vpcflow.codes import REJECT_REASONS
from vpcflow.geo.counted import COUNTED
from vpcflow.transform.shed import EMPTY_TEXTS, SHED_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from vpcflow.lambdas.settings import Settings
    from vpcflow.stats import Books

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
OUTCOMES = ("done", "raised")

_MAX_METRICS = 100
"""CloudWatch takes so many of one directive."""

# An address has digits or colons, a key digits; AWS's error codes and names of exceptions have neither.
_WORD = re.compile(r"[A-Z][A-Za-z]*(?:\.[A-Z][A-Za-z]*)*\Z")
_MAX_WORD = 80
_ADDRESS = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}\b|(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])"
)
_MAX_SAID = 100
_REQUEST_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


class Metric(NamedTuple):
    """
    A number that may stand in a line: its name, CloudWatch's unit, what it means.

    ``always`` ones are there in every batch's line that has books, others where they are not zero.
    """

    name: str
    unit: str
    meaning: str
    always: bool = False


_SHED = {EMPTY_TEXTS: "texts that say nothing"}

METRICS: tuple[Metric, ...] = (
    Metric("batches", "Count", "Invocations", always=True),
    Metric("batches_raised", "Count", "Invocations that ended in an exception, and that AWS tries again", always=True),
    Metric("cold_starts", "Count", "Invocations that were an instance's first"),
    Metric("took_ms", "Milliseconds", "How long the invocation took", always=True),
    Metric("records_found", "Count", "Flow records found, good and bad: the sum of the next six", always=True),
    Metric("records_delivered", "Count", "Flow records handed on", always=True),
    Metric("records_filtered", "Count", "Flow records that a setting leaves out"),
    Metric("records_rejected", "Count", "Lines that are no flow record: see the reasons below", always=True),
    Metric("records_failed", "Count", "Flow records that could not be handed on, and were left to AWS to keep", always=True),
    Metric("records_requeued", "Count", "Flow records that were put back on the stream, confirmed", always=True),
    Metric("records_duplicate", "Count", "Flow records found before"),
    *(Metric(f"rejected_{reason}", "Count", f"Lines that are no flow record: {meaning}") for reason, meaning in REJECT_REASONS.items()),
    Metric("log_status_nodata", "Count", "Records that say that there was no traffic"),
    Metric("log_status_skipdata", "Count", "Records that say that AWS skipped some: a hole in the log"),
    Metric("control_messages", "Count", "Control messages of CloudWatch Logs"),
    Metric("blank_lines", "Count", "Blank lines, and Firehose records with nothing in them"),
    Metric("header_lines", "Count", "Header lines"),
    Metric("inputs", "Count", "Files or messages read"),
    Metric("inputs_failed", "Count", "Files or messages that could not be read, or not to their end"),
    Metric("inputs_gone", "Count", "Objects that were not there any more when their turn came"),
    Metric("inputs_not_reached", "Count", "Messages whose turn did not come in the time there was: they come again"),
    Metric("notices", "Count", "Messages of S3 that tell of no new object: tests, deletions, or of what the function itself wrote"),
    Metric("input_records", "Count", "Records of the event, as Firehose, CloudWatch Logs or SQS counts them"),
    Metric("input_bytes", "Bytes", "Their size, unpacked"),
    Metric("output_records", "Count", "Records put on a stream, or documents written to an index, confirmed"),
    Metric("delivered_doubtful", "Count", "… that may have been in the index before: a request was not answered, and made again"),
    Metric("output_bytes", "Bytes", "Their size"),
    Metric("answered_ok", "Count", "Firehose records answered `Ok`"),
    Metric("answered_dropped", "Count", "Firehose records answered `Dropped`: left out, or put back on the stream"),
    Metric("answered_failed", "Count", "Firehose records answered `ProcessingFailed`, which Firehose keeps in S3"),
    Metric("failed_no_flow_record", "Count", "… since they hold no flow record"),
    Metric("failed_with_bad_lines", "Count", "… since they hold bad lines, which could not be put back singly"),
    Metric("failed_raised", "Count", "… since enriching or encoding them raised, and they could not be put back singly"),
    Metric("failed_too_large", "Count", "… since the response, or a record of it, would be too large"),
    Metric("failed_several_documents", "Count", "… since they hold several lines, which could not be put back singly"),
    Metric("lines_raised", "Count", "Lines on which enriching or encoding raised: a defect, with a warning that says where"),
    Metric("response_bytes", "Bytes", "Size of the response"),
    Metric("shed_fields", "Count", "Documents that lost fields, times the fields, to make the response small enough"),
    Metric("shed_documents", "Count", "Documents that lost fields"),
    *(Metric(f"shed_{name}", "Count", f"Documents that lost {_SHED.get(name, f'`{name}`')}") for name in SHED_NAMES),
    Metric("puts", "Count", "Calls of PutRecordBatch"),
    Metric("puts_refused", "Count", "Records that a stream, or documents that an index, did not take, each time"),
    Metric("puts_unanswered", "Count", "Records of calls that were not answered"),
    Metric("possible_duplicates", "Count", "Most copies too many that may be on a stream: records sent again after a call that was not answered"),
    Metric("puts_not_allowed", "Count", "Batches that could put nothing back: the stream's source allows no puts"),
    Metric("puts_resting", "Count", "Batches that put nothing back, as a put failed for good within the last five minutes"),
    Metric("attempts_spent", "Count", "Lines that were put back as often as is allowed"),
    Metric("inventory_age_s", "Seconds", "Age of the newest snapshot of the inventory"),
    Metric("inventory_missing", "Count", "Batches without any inventory"),
    Metric("interfaces", "Count", "Network interfaces in the inventory, or captured"),
    Metric("refresh_failed", "Count", "Times that the inventory could not be renewed, or loaded"),
    Metric("changes", "Count", "Changes that CloudTrail told of"),
    Metric("changes_covered", "Count", "… that a snapshot has already"),
    Metric("scopes_captured", "Count", "Accounts and regions captured"),
    Metric("scopes_failed", "Count", "Accounts and regions that could not be captured, and are not in the snapshot"),
    Metric("ec2_calls", "Count", "Calls to EC2 that a capture took"),
    Metric("snapshots_written", "Count", "Snapshots written"),
    Metric("snapshots_damaged", "Count", "Snapshots that make no sense, and were left out"),
    Metric("snapshots_not_read", "Count", "Times that snapshots in S3 could not be read"),
    Metric("look_ups", "Count", "Calls to EC2 for network interfaces that the inventory lacks"),
    Metric("look_ups_limited", "Count", "Network interfaces not asked for, as enough calls were made of late"),
    Metric("look_ups_resting", "Count", "Network interfaces not asked for, as a call failed for good within the last five minutes"),
    Metric("look_ups_failed", "Count", "Such calls that failed"),
    Metric("enis_found", "Count", "Network interfaces that EC2 knew, and the inventory did not"),
    Metric("enis_unknown", "Count", "Network interfaces that neither the inventory nor EC2 knows"),
    *(Metric(name, "Count", meaning) for name, meaning in COUNTED.items()),
    Metric("files_failed", "Count", "Times that a file of lookup data in S3 could not be had"),
    Metric("other", "Count", "What was counted under a name that is not in this table: a defect"),
)  # fmt: skip
METRIC_BY_NAME: Mapping[str, Metric] = MappingProxyType({m.name: m for m in METRICS})

_UNKNOWN = "other"


class Telemetry:
    """
    What one function says: a line for each batch, written as the batch ends, whatever ``LOG_LEVEL`` is.

    Below that level a line holds the metrics alone.
    """

    def __init__(
        self,
        function: str,
        settings: Settings,
        *,
        write: Callable[[str], object] = print,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._function = function
        self._namespace: str = settings.metrics_namespace
        self._level: str = settings.log_level
        self._write = write
        self._clock = clock
        self._monotonic = monotonic
        self._is_cold = True
        self._said: set[str] = set()

    def warn(self, text: str) -> None:
        """Write a line of its own for what an operator should read once, as why a call to AWS was refused."""
        text = _ADDRESS.sub("(address)", text)
        if text in self._said or len(self._said) >= _MAX_SAID:
            return
        self._said.add(text)
        if LEVELS.index(self._level) <= LEVELS.index("WARNING"):
            words = {"function": self._function, "level": "WARNING", "event": "warning"}
            self._write(orjson.dumps({**words, "text": text}).decode())

    @contextmanager
    def batch(self, context: object = None) -> Iterator[Batch]:
        """Give what is to be filled in, and write the line at the end; an exception is counted, and goes on."""
        batch = Batch()
        started = self._monotonic()
        outcome = "raised"
        try:
            yield batch
            outcome = "done"
        except BaseException as error:
            batch.note(type(error).__name__)
            raise
        finally:
            batch.count("batches")
            batch.count("batches_raised", outcome == "raised")
            batch.count("cold_starts", self._is_cold)
            batch.measure("took_ms", round((self._monotonic() - started) * 1000, 1))
            self._is_cold = False
            self._write(self._line(batch, outcome, getattr(context, "aws_request_id", None)))

    def _line(self, batch: Batch, outcome: str, request_id: object) -> str:
        values = {m.name: batch.values[m.name] for m in METRICS if _is_told(m, batch.values)}
        level = _level_of(batch, outcome)
        words: dict[str, object] = {"function": self._function}
        if LEVELS.index(level) >= LEVELS.index(self._level):
            words |= {"level": level, "event": f"batch {outcome}"}
            if isinstance(request_id, str) and _REQUEST_ID.match(request_id):
                words["request_id"] = request_id
            if batch.errors:
                words["errors"] = dict(sorted(batch.errors.items()))
        return orjson.dumps({"_aws": self._directives(list(values)), **words, **values}).decode()

    def _directives(self, names: list[str]) -> dict[str, object]:
        return {
            "Timestamp": int(self._clock() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": self._namespace,
                    "Dimensions": [["function"]],
                    "Metrics": [
                        {"Name": name, "Unit": METRIC_BY_NAME[name].unit}
                        for name in names[first : first + _MAX_METRICS]
                    ],
                }
                for first in range(0, len(names), _MAX_METRICS)
            ],
        }


class Batch:
    """The numbers of one batch, by names of ``METRICS``; what has another name is counted as ``other``."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.errors: Counter[str] = Counter()

    def count(self, name: str, number: int = 1) -> None:
        """Add to a metric."""
        name = name if name in METRIC_BY_NAME else _UNKNOWN
        self.values[name] = self.values.get(name, 0) + int(number)

    def measure(self, name: str, value: float | None) -> None:
        """Set a metric; None leaves it out."""
        if name not in METRIC_BY_NAME:
            self.count(_UNKNOWN)
        elif value is not None:
            self.values[name] = value

    def take(self, counts: Counter[str]) -> None:
        """Add counts by name, and empty them: they begin anew with the next batch."""
        for name, number in counts.items():
            self.count(name, number)
        counts.clear()

    def note(self, code: str, number: int = 1) -> None:
        """Count an error by AWS's code or the name of an exception: a word of letters, else it is ``Other``."""
        known = len(code) <= _MAX_WORD and _WORD.match(code)
        self.errors[code if known else "Other"] += number

    def take_errors(self, errors: Counter[str]) -> None:
        """Count errors by their codes, and empty them."""
        for code, number in errors.items():
            self.note(code, number)
        errors.clear()

    def keep(self, books: Books) -> None:
        """Add the books of the batch."""
        self.count("records_found", books.found)
        self.count("records_delivered", books.delivered)
        self.count("records_filtered", books.filtered)
        self.count("records_rejected", books.rejected.total())
        self.count("records_failed", books.failed)
        self.count("records_requeued", books.requeued)
        self.count("records_duplicate", books.duplicates)
        for reason, number in books.rejected.items():
            self.count(f"rejected_{reason}", number)
        for status in ("NODATA", "SKIPDATA"):
            self.count(f"log_status_{status.lower()}", books.log_status[status])
        self.count("control_messages", books.controls)
        self.count("blank_lines", books.blanks)
        self.count("header_lines", books.headers)
        self.count("inputs", books.inputs)
        self.count("inputs_failed", len(books.faults))


def _is_told(metric: Metric, values: Mapping[str, float]) -> bool:
    value = values.get(metric.name)
    return value is not None and (metric.always or value != 0 or metric.unit != "Count")


def _level_of(batch: Batch, outcome: str) -> str:
    if outcome == "raised":
        return "ERROR"
    missed = batch.values.get("records_rejected", 0) + batch.values.get("records_failed", 0)
    return "WARNING" if missed or batch.errors else "INFO"
