"""The ingestor: events of a CloudWatch Logs subscription to a Firehose stream."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from vpcflow.aws.clients import IN_A_FUNCTION
from vpcflow.aws.firehose import open_stream
from vpcflow.errors import SettingsError
from vpcflow.lambdas.ingestion import Ingestor
from vpcflow.lambdas.start import settings_at_start

if TYPE_CHECKING:
    from vpcflow.lambdas.settings import Settings


def _check(settings: Settings) -> None:
    if settings.delivery_stream_name is None:
        raise SettingsError("DELIVERY_STREAM_NAME='': must be set")


SETTINGS = settings_at_start("ingestor", check=_check)


def handler(event: Any, context: Any) -> None:
    """Take one event; raises where not all of it is surely on the stream, so that CloudWatch Logs sends it again."""
    _ingestor()(event, context)


@functools.cache
def _ingestor() -> Ingestor:
    stream = open_stream(SETTINGS.delivery_stream_name, patience=IN_A_FUNCTION)
    return Ingestor(SETTINGS, stream)
