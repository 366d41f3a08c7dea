"""The decorator: the transformation of a Firehose stream, from flow log lines to documents."""

from __future__ import annotations

import functools
import random as random_numbers
import time
from typing import TYPE_CHECKING, Any

# All that may be wanted is imported here: while a function starts it has more of a processor than later.
from vpcflow.aws.clients import IN_A_FUNCTION
from vpcflow.aws.firehose import open_stream
from vpcflow.aws.inventory_source import open_inventory_source
from vpcflow.lambdas.enrichment import Enrichment, check_lookups
from vpcflow.lambdas.geolocation import open_geolocation
from vpcflow.lambdas.settings import ACTIONS, LOG_STATUSES
from vpcflow.lambdas.start import settings_at_start
from vpcflow.lambdas.telemetry import Telemetry
from vpcflow.schemas import SCHEMAS
from vpcflow.transform import Requeue, Transformation

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpcflow.lambdas.settings import Settings
    from vpcflow.sinks.firehose import Stream
    from vpcflow.transform import Firehose

    OpenStream = Callable[[str, str | None], Stream]

SETTINGS = settings_at_start("decorator", check=check_lookups)

# The response and the end of it all: what puts may not use up.
_LAST_S = 1.0


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Transform one event of Firehose."""
    return _decorator()(event, context)


@functools.cache
def _decorator() -> Decorator:
    telemetry = Telemetry("decorator", SETTINGS)
    inventories = open_inventory_source(SETTINGS, warn=telemetry.warn)
    geolocation = open_geolocation(SETTINGS)
    enrichment = Enrichment(SETTINGS, inventories, geolocation, warn=telemetry.warn)
    return Decorator(SETTINGS, enrichment, _open_stream, telemetry)


def _open_stream(name: str, region: str | None) -> Stream:
    return open_stream(name, region=region, patience=IN_A_FUNCTION)


class Decorator:
    """The function, over what is given; it lives on from one event to the next."""

    def __init__(
        self,
        settings: Settings,
        enrichment: Enrichment,
        open_stream: OpenStream,
        telemetry: Telemetry,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self._enrichment = enrichment
        self._telemetry = telemetry
        self._requeues: dict[tuple[str, str | None], Requeue] = {}
        self._stream: str | None = settings.delivery_stream_name
        self._open_stream = open_stream
        self._requeue = functools.partial(
            Requeue,
            max_attempts=settings.max_attempts,
            monotonic=monotonic,
            sleep=sleep,
            random=random,
        )
        self._transformation = Transformation(
            enrichment,
            self._requeue_of,
            schema=SCHEMAS[settings.schema],
            one_document=settings.one_document,
            response_limit_bytes=settings.response_limit_bytes,
            log_statuses=_narrower(settings.log_statuses, LOG_STATUSES),
            actions=_narrower(settings.actions, ACTIONS),
            warn=telemetry.warn,
        )

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer an event of Firehose: every record once, in order."""
        with self._telemetry.batch(context) as batch:
            done = self._transformation(event, lambda: _remaining_s(context))
            done.books.check()
            batch.keep(done.books)
            batch.take(done.counts)
            self._enrichment.tell(batch)
            for requeue in self._requeues.values():
                batch.take(requeue.counts)
                batch.take_errors(requeue.errors)
            return done.response

    def _requeue_of(self, firehose: Firehose) -> Requeue:
        """Give what puts on the stream that is set, else on the one the event comes from."""
        name, region = firehose.stream, firehose.region or None
        if self._stream is not None:
            name, region = self._stream, None
        if (name, region) not in self._requeues:
            opener = functools.partial(self._open_stream, name, region)
            self._requeues[name, region] = self._requeue(opener)
        return self._requeues[name, region]


def _remaining_s(context: Any) -> float:
    left_s: float = context.get_remaining_time_in_millis() / 1000 - _LAST_S
    return max(left_s, 0.0)


def _narrower(wanted: frozenset[str], known: tuple[str, ...]) -> frozenset[str] | None:
    """Give a filter, None where it lets all pass that is known, and so whatever AWS adds."""
    return None if wanted >= frozenset(known) else wanted
