"""``vpcflow dashboards``: put dashboards up on OpenSearch or Elasticsearch, or write them to a file."""

from __future__ import annotations

import os
import ssl
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from vpcflow.cli.access import credentials_of, service_of
from vpcflow.cli.options import CaFile, Index, Sign
from vpcflow.dashboards import product_of, render
from vpcflow.dashboards.importing import import_objects
from vpcflow.dashboards.web import Web, api_key, basic, checked_address, nobody
from vpcflow.errors import FormatError
from vpcflow.index_install import (
    ask_product,
    begin_rollover,
    install_policy,
    install_template,
)
from vpcflow.index_products import PRODUCTS as SERVERS
from vpcflow.schemas import SCHEMAS
from vpcflow.sinks.opensearch.url import INDEX_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.cli.access import Credentials
    from vpcflow.dashboards import Product
    from vpcflow.dashboards.importing import Imported
    from vpcflow.dashboards.web import Authorize
    from vpcflow.index_products import Product as Server
    from vpcflow.index_template import Layout

_HELP = """
Dashboards for OpenSearch Dashboards and Kibana, of the flows that are in an index.

What they show, and which versions they are for, is told in docs/dashboards.md.

\b
    vpcflow dashboards install --product opensearch --cluster https://HOST --dashboards https://HOST/_dashboards
    vpcflow dashboards render --product elasticsearch --schema ecs --name flows > flows.ndjson
"""

app = typer.Typer(no_args_is_help=True, help=_HELP)

_INSTALL_HELP = """
Put index templates and dashboards up; safe to repeat.

--cluster is the search server: it gets the index templates of the schema, and with --keep-days a policy that deletes
old indexes. --dashboards is the server that people look at, with its path: it gets the dashboards and their index
pattern, over those of the same name and schema. Either may be left out.

Who you are is said by VPCFLOW_OPENSEARCH_USER and VPCFLOW_OPENSEARCH_PASSWORD, or VPCFLOW_OPENSEARCH_API_KEY, in the
environment, or by AWS credentials: with --sign, or where the host is of Amazon's.

\b
    vpcflow dashboards install --product opensearch --sign es \\
        --cluster https://HOST --dashboards https://HOST/_dashboards
    vpcflow dashboards install --product elasticsearch --schema ecs --name flows --space netops --keep-days 90 \\
        --cluster https://HOST:9200 --dashboards https://HOST:5601
"""

_RENDER_HELP = """
Write the saved objects to standard output, a JSON object a line, to import by hand.

\b
    vpcflow dashboards render --product opensearch > all.ndjson
    vpcflow dashboards render --product elasticsearch --schema ecs --name flows > flows.ndjson
"""

_LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {"daily": "daily", "rollover": "rollover", "stream": "stream", "single": "single"}
)

ProductOption = Annotated[
    str,
    typer.Option(
        "--product",
        metavar="opensearch|elasticsearch",
        help="OpenSearch with OpenSearch Dashboards, or Elasticsearch with Kibana.",
    ),
]
NameOption = Annotated[
    str,
    typer.Option(
        "--name",
        metavar="NAME",
        help="The index, the alias of several, or the data stream: what `vpcflow enrich` and the AWS stack write to.",
    ),
]
SpaceOption = Annotated[
    str | None,
    typer.Option(
        "--space", metavar="SPACE", show_default=False, help="Kibana: the space, by its identifier."
    ),
]


@app.command("install", help=_INSTALL_HELP)
def install_command(
    product: ProductOption,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="URL", show_default=False, help="The search server."),
    ] = None,
    dashboards: Annotated[
        str | None,
        typer.Option(
            "--dashboards",
            metavar="URL",
            show_default=False,
            help="OpenSearch Dashboards or Kibana, with the path it is at.",
        ),
    ] = None,
    schema: Annotated[
        str, typer.Option("--schema", metavar="|".join(SCHEMAS), help="Form of the documents.")
    ] = "flat",
    name: NameOption = "vpc-flow-logs",
    index: Index = "daily",
    keep_days: Annotated[
        int | None,
        typer.Option(
            "--keep-days",
            metavar="DAYS",
            min=1,
            show_default=False,
            help="Have the search server delete indexes after so many days.  [default: no policy]",
        ),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            "--tenant",
            metavar="TENANT",
            show_default=False,
            help="OpenSearch Dashboards: the tenant of its security plugin; global is everyone's."
            "  [default: the server's]",
        ),
    ] = None,
    space: SpaceOption = None,
    sign: Sign = None,
    ca_file: CaFile = None,
) -> None:
    chosen = _checked(product, schema, name, tenant, space)
    if index not in _LAYOUTS:
        raise FormatError(f"unknown --index {index!r} (known: {', '.join(_LAYOUTS)})")
    if cluster is None and dashboards is None:
        raise FormatError("neither --cluster nor --dashboards is given: nothing to install to")
    if keep_days is not None and cluster is None:
        raise FormatError("--keep-days is for the search server: give --cluster too")
    context = _context(ca_file)
    server, web = (
        None if address is None else _web(address, sign, context)
        for address in (cluster, dashboards)
    )
    if server is not None:
        kind = _kind(server, chosen, sign)
        _prepare(server, kind, schema, name, _LAYOUTS[index], keep_days)
    if web is not None:
        objects = render(chosen, name, [schema], space=space)
        _tell(import_objects(web, chosen, objects, tenant=tenant, space=space), web, name, schema)


@app.command("render", help=_RENDER_HELP)
def render_command(
    product: ProductOption,
    schema: Annotated[
        str | None,
        typer.Option(
            "--schema",
            metavar="|".join(SCHEMAS),
            show_default=False,
            help="Form of the documents.  [default: all forms, each with dashboards of its own]",
        ),
    ] = None,
    name: NameOption = "vpc-flow-logs",
    space: SpaceOption = None,
) -> None:
    chosen = _checked(product, schema, name, None, space)
    schemas = tuple(SCHEMAS) if schema is None else (schema,)
    sys.stdout.buffer.write(render(chosen, name, schemas, space=space))


def _checked(
    product: str, schema: str | None, name: str, tenant: str | None, space: str | None
) -> Product:
    chosen = product_of(product)
    if not INDEX_NAME.match(name):
        raise FormatError(
            f"--name {name!r}: indexes have names of a-z, 0-9, '-', '_' and '.', up to 200"
        )
    if schema is not None and schema not in SCHEMAS:
        raise FormatError(f"unknown schema {schema!r} (known: {', '.join(SCHEMAS)})")
    if tenant is not None and chosen.name != "opensearch":
        raise FormatError("--tenant goes with --product opensearch; Kibana has spaces: --space")
    if space is not None and chosen.name != "elasticsearch":
        raise FormatError(
            "--space goes with --product elasticsearch; OpenSearch has tenants: --tenant"
        )
    return chosen


def _prepare(
    server: Web, kind: Server, schema: str, name: str, layout: Layout, keep_days: int | None
) -> None:
    """Put on the search server what has to be there before documents are."""
    if keep_days is not None:
        is_new = install_policy(server, name, product=kind, layout=layout, keep_days=keep_days)
        _say(is_new, f"policy for {keep_days:,} days", server)
    is_new = install_template(
        server, schema, name, product=kind, layout=layout, policy=keep_days is not None
    )
    _say(is_new, f"index templates of {schema} for {name!r}", server)
    if layout == "rollover":
        _say(begin_rollover(server, name), "first index", server)


def _kind(server: Web, product: Product, sign: str | None) -> Server:
    """Tell what the search server is; raises ``FormatError`` where it is not what was said."""
    if service_of(urlsplit(server.address).hostname or "", sign, os.environ) == "aoss":
        # It does not answer who asks what it is.
        return SERVERS["serverless"]
    kind = ask_product(server)
    if not kind.name.startswith(product.name):
        raise FormatError(f"--product {product.name}, and {server.address} is {kind.name}")
    return kind


def _web(address: str, sign: str | None, context: ssl.SSLContext | None) -> Web:
    service = service_of(urlsplit(checked_address(address)).hostname or "", sign, os.environ)
    return Web(address, _authorize(credentials_of(os.environ, service)), context=context)


def _authorize(credentials: Credentials) -> Authorize:
    if credentials.signer is not None:
        return credentials.signer
    if credentials.user:
        return basic(credentials.user, credentials.password)
    return api_key(credentials.api_key) if credentials.api_key else nobody


def _context(ca_file: str | None) -> ssl.SSLContext | None:
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise FormatError(
            f"--ca-file {ca_file!r} cannot be used: {error.strerror or error}"
        ) from error


def _say(is_new: bool, what: str, server: Web) -> None:
    typer.echo(f"{what} {'put up' if is_new else 'already there'} at {server.address}", err=True)


def _tell(imported: Imported, web: Web, name: str, schema: str) -> None:
    typer.echo(
        f"{imported.objects:,} dashboards, panels and patterns put up at {web.address}: look for '[{name} {schema}]'",
        err=True,
    )
    if imported.renamed:
        typer.echo(
            f"note: {len(imported.renamed):,} of them have other ids than they were sent with, since another space has"
            " those: links between the dashboards do not find them; name the space with --space",
            err=True,
        )
