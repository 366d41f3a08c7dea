"""The objects function: flow log files that arrive in S3, told by a queue, to a stream or to Parquet files."""

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

# A file of a hundred megabytes takes longer to be put than a record; where that fails, its message comes again.
_FOR_FILES = Patience(1, 10, 3)

SETTINGS = settings_at_start("objects", check=check_settings)


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
    else:
        output = ParquetOutput(store, parse_object_url(SETTINGS.output))
    return Arrivals(SETTINGS, store, enrichment, output, telemetry)
