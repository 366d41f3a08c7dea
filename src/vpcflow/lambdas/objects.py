"""The objects function: flow log files that arrive in S3, told by a queue, to a stream, to Parquet or to an index."""

from __future__ import annotations

import functools
from typing import Any

# All that may be wanted is imported here: while a function starts it has more of a processor than later.
from vpcflow.aws.clients import IN_A_FUNCTION, Patience
from vpcflow.aws.firehose import open_stream
from vpcflow.aws.inventory_source import open_inventory_source
from vpcflow.aws.s3 import S3
from vpcflow.lambdas.arrivals import FIREHOSE, Arrivals, check_settings
from vpcflow.lambdas.enrichment import Enrichment
from vpcflow.lambdas.geolocation import open_geolocation
from vpcflow.lambdas.start import settings_at_start
from vpcflow.lambdas.telemetry import Telemetry
from vpcflow.object_delivery import Output, ParquetOutput, StreamOutput
from vpcflow.object_store import parse_object_url
from vpcflow.schemas import SCHEMAS
from vpcflow.sinks.opensearch.url import is_search_url, parse_search_url

# A file of a hundred megabytes takes longer to be put than a record; where that fails, its message comes again.
_FOR_FILES = Patience(1, 10, 3)

SETTINGS = settings_at_start("objects", check=check_settings)

if is_search_url(SETTINGS.output):
    # Its client takes longer to import than all that the others need: 0.15 s.
    from vpcflow.aws.signing import open_signer
    from vpcflow.search_delivery import REQUEST_S, SearchOutput
    from vpcflow.sinks.opensearch.client import Access, open_server
    from vpcflow.sinks.opensearch.documents import Placing


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Take the messages of a queue, and name those that have to come again."""
    return _objects()(event, context)


@functools.cache
def _objects() -> Arrivals:
    telemetry = Telemetry("objects", SETTINGS)
    store = S3(patience=_FOR_FILES)
    inventories = open_inventory_source(SETTINGS, warn=telemetry.warn)
    geolocation = open_geolocation(SETTINGS)
    enrichment = Enrichment(SETTINGS, inventories, geolocation, warn=telemetry.warn)
    output: Output
    if SETTINGS.output == FIREHOSE:
        stream = open_stream(SETTINGS.delivery_stream_name, patience=IN_A_FUNCTION)
        output = StreamOutput(stream, SCHEMAS[SETTINGS.schema])
    elif is_search_url(SETTINGS.output):
        output = _search_output(telemetry)
    else:
        output = ParquetOutput(store, parse_object_url(SETTINGS.output))
    return Arrivals(SETTINGS, store, enrichment, output, telemetry)


def _search_output(telemetry: Telemetry) -> SearchOutput:
    """Write as the function's role: to a domain by days, to a collection without ids, which it refuses."""
    url = parse_search_url(SETTINGS.output)
    is_collection = ".aoss." in url.host
    sign = open_signer("aoss" if is_collection else "es", patience=IN_A_FUNCTION)
    server = open_server(url, Access(sign=sign), timeout_s=REQUEST_S)
    placing = Placing(url.name, "single", has_ids=False) if is_collection else Placing(url.name)
    return SearchOutput(server, placing, SCHEMAS[SETTINGS.schema], warn=telemetry.warn)
