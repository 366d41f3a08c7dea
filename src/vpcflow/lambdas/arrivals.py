"""Messages of a queue that tell of new objects: each taken by itself, and those named that have to come again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpcflow.errors import AwsError, FormatError, SettingsError
from vpcflow.lambdas.enrichment import check_lookups
from vpcflow.lambdas.settings import ACTIONS, LOG_STATUSES
from vpcflow.object_delivery import ObjectDelivery
from vpcflow.object_events import new_objects
from vpcflow.object_store import parse_object_url
from vpcflow.sinks.opensearch.url import is_search_url, parse_search_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpcflow.lambdas.enrichment import Enrichment
    from vpcflow.lambdas.settings import Settings
    from vpcflow.lambdas.telemetry import Batch, Telemetry
    from vpcflow.object_delivery import Output
    from vpcflow.object_store import ObjectStore, ObjectUrl

FIREHOSE = "firehose"

# What the last put and the end of it all may take.
_LAST_S = 10.0


def check_settings(settings: Settings) -> None:
    """Raise ``VpcflowError`` where the settings contradict each other."""
    check_lookups(settings)
    if settings.output == FIREHOSE and not settings.delivery_stream_name:
        raise SettingsError("OUTPUT='firehose': needs DELIVERY_STREAM_NAME")
    if settings.output != FIREHOSE:
        try:
            (parse_search_url if is_search_url(settings.output) else parse_object_url)(
                settings.output
            )
        except FormatError as error:
            words = (
                f"OUTPUT={settings.output!r}: may be firehose, s3://BUCKET/PREFIX/ or"
                f" opensearch+https://HOST/NAME: {error}"
            )
            raise SettingsError(words) from error


class Arrivals:
    """The function, over what is given; it lives on from one event to the next."""

    def __init__(
        self,
        settings: Settings,
        store: ObjectStore,
        enrichment: Enrichment,
        output: Output,
        telemetry: Telemetry,
    ) -> None:
        self._enrichment = enrichment
        self._output = output
        self._telemetry = telemetry
        known = {"log_status": LOG_STATUSES, "action": ACTIONS}
        wanted = {"log_status": settings.log_statuses, "action": settings.actions}
        self._delivery = ObjectDelivery(
            store,
            enrichment,
            output,
            # Where all that is known may pass, so may what AWS adds.
            passing={name: wanted[name] for name in known if not wanted[name] >= set(known[name])},
            warn=telemetry.warn,
        )

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """
        Take each message by itself; one whose objects are not all handed on, or whose turn did not come, comes again.

        Raises ``FormatError`` where it is no event of a queue.
        """
        with self._telemetry.batch(context) as batch:
            messages = _messages(event)
            done: dict[ObjectUrl, bool] = {}
            failed = [
                message_id
                for message_id, body in messages
                if not self._take(body, done, batch, lambda: _remaining_s(context))
            ]
            batch.count("input_records", len(messages))
            batch.take(self._output.counts)
            batch.take_errors(self._output.errors)
            self._enrichment.tell(batch)
            return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

    def _take(
        self,
        body: str,
        done: dict[ObjectUrl, bool],
        batch: Batch,
        remaining_s: Callable[[], float],
    ) -> bool:
        """Hand on the objects of one message, and tell whether it is done with."""
        if remaining_s() <= 0:
            batch.count("inputs_not_reached")
            return False
        try:
            urls = new_objects(body)
        except FormatError:
            # No repetition mends it: the queue gives it up to its dead letters.
            batch.count("inputs_failed")
            batch.note("FormatError")
            return False
        urls = [url for url in urls if not self._output.holds(url)]
        batch.count("notices", not urls)
        for url in urls:
            if url not in done:
                done[url] = self._deliver(url, batch, remaining_s)
        return all(done[url] for url in urls)

    def _deliver(self, url: ObjectUrl, batch: Batch, remaining_s: Callable[[], float]) -> bool:
        try:
            books, error, is_gone = self._delivery.deliver(url, remaining_s)
            books.check()
        except Exception as fault:  # noqa: BLE001  # a defect that one object meets must not cost the others
            batch.count("inputs_failed")
            batch.note(type(fault).__name__)
            self._telemetry.warn(f"{url}: {type(fault).__name__}")
            return False
        batch.keep(books)
        batch.count("inputs_gone", is_gone)
        if error is None:
            return True
        batch.count("inputs_failed", not books.faults)
        batch.note(error.code if isinstance(error, AwsError) else type(error).__name__)
        self._telemetry.warn(str(error))
        return False


def _messages(event: Any) -> list[tuple[str, str]]:
    """Give the id and body of each message of a queue's event."""
    try:
        return [(one["messageId"], one["body"]) for one in event["Records"]]
    except (KeyError, TypeError) as error:
        raise FormatError(
            "the event is none of a queue: let S3 tell SQS, and SQS this function"
        ) from error


def _remaining_s(context: Any) -> float:
    left_s: float = context.get_remaining_time_in_millis() / 1000
    return left_s - _LAST_S
