"""Open a search server as an output: who may write there, what has to be there before, and the sink."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, get_args

from vpcflow.cli.access import checked_service, credentials_of, service_of
from vpcflow.errors import FormatError, SinkError
from vpcflow.index_install import begin_rollover, install_template
from vpcflow.index_products import PRODUCTS
from vpcflow.sinks.opensearch.documents import Layout, Placing
from vpcflow.sinks.opensearch.server import PatientServer
from vpcflow.sinks.opensearch.url import parse_search_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.aws.signing import Service
    from vpcflow.cli.sink import Searching
    from vpcflow.json_lines import Encode
    from vpcflow.sinks import Sink
    from vpcflow.sinks.opensearch.client import Access
    from vpcflow.sinks.opensearch.server import SearchServer
    from vpcflow.sinks.opensearch.url import SearchUrl

_LAYOUTS: tuple[Layout, ...] = get_args(Layout)


def check_searching(to: str, searching: Searching) -> None:
    """Raise ``FormatError`` where the address or an option makes no sense."""
    parse_search_url(to)
    if searching.layout not in _LAYOUTS:
        raise FormatError(f"unknown --index {searching.layout!r} (known: {', '.join(_LAYOUTS)})")
    checked_service(searching.sign)


def search_sink(to: str, encode: Encode, schema: str, searching: Searching) -> Sink:
    """Open ``opensearch+https://…``; nothing is sent yet. Raises ``SinkError``, ``FormatError`` and ``AwsError``."""
    from vpcflow.sinks.opensearch.bulk import Sender
    from vpcflow.sinks.opensearch.sink import OpenSearchSink
    from vpcflow.sinks.opensearch.writer import CONCURRENCY, BulkWriter

    url = parse_search_url(to)
    service = service_of(url.host, searching.sign, os.environ)
    server = open_search_server(
        url, os.environ, sign=service, ca_file=searching.ca_file, connections=CONCURRENCY
    )
    placing = Placing(url.name, _layout(searching.layout), has_ids=service != "aoss")
    if not placing.meets_itself:
        searching.warn(_no_guarantee(placing))

    told: list[str] = []

    def on_trouble(why: str) -> None:
        if not told:
            told.append(why)
            searching.warn(
                f"{url.server} does not take all that is sent ({why}): it goes again, for up to"
                f" {searching.retry_for_s:,.0f} s"
            )

    def prepare() -> None:
        patient = PatientServer(server, within_s=searching.retry_for_s, on_trouble=on_trouble)
        _prepare(patient, schema, placing, searching.has_template)

    writer = BulkWriter(
        Sender(server, placing.path, on_trouble=on_trouble),
        placing,
        encode,
        within_s=lambda: searching.retry_for_s,
    )
    return OpenSearchSink(writer, url.server, prepare=prepare, warn=searching.warn)


def open_search_server(
    url: SearchUrl,
    environment: Mapping[str, str],
    *,
    sign: Service | None = None,
    ca_file: str | None = None,
    connections: int = 1,
) -> SearchServer:
    """
    Make a client with the environment's user or API key, else one that signs for ``sign``; nothing is sent yet.

    Raises ``SinkError`` where opensearch-py is missing, ``FormatError`` where the environment says two things.
    """
    try:
        from vpcflow.sinks.opensearch.client import open_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opensearchpy":
            raise
        raise SinkError(
            "opensearch+https:// needs opensearch-py, which is not installed:"
            " run `pip install 'vpcflow[opensearch]'`"
        ) from error
    access = _access(environment, sign)
    return open_server(url, access, ca_file=ca_file, connections=connections)


def _access(environment: Mapping[str, str], service: Service | None) -> Access:
    from vpcflow.sinks.opensearch.client import Access

    found = credentials_of(environment, service)
    return Access(found.user, found.password, found.api_key, found.signer)


def _prepare(server: PatientServer, schema: str, placing: Placing, has_template: bool) -> None:
    """Put what has to be there before the first document."""
    if has_template:
        product = None if placing.has_ids else PRODUCTS["serverless"]
        install_template(server, schema, placing.name, layout=placing.layout, product=product)
    if placing.layout == "rollover":
        begin_rollover(server, placing.name)


def _layout(text: str) -> Layout:
    return next(layout for layout in _LAYOUTS if layout == text)


def _no_guarantee(placing: Placing) -> str:
    if not placing.has_ids:
        return "a serverless collection of time series takes no ids of documents: a repeated delivery doubles them"
    return (
        f"--index {placing.layout}: a document that is delivered again after a rollover goes to another index,"
        " and is there twice"
    )
