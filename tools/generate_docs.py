"""
Write ``docs/reference/`` from the code, so that the pages cannot say anything else than it does; ``docs/cost.md``,
``docs/schemas.md``, the picture of the architecture, and in ``deploy/opensearch/`` what a search server and its
dashboards get.

``--check`` writes nothing, names the pages that are stale and exits with 1 if there are any.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from os.path import normpath
from pathlib import Path
from typing import Any

import typer
import yaml
from architecture_diagram import architecture
from cost_page import cost_page
from schemas_page import schemas_page

from vpcflow import cli, codes
from vpcflow.dashboards import PRODUCTS, render
from vpcflow.errors import SettingsError
from vpcflow.fields import ADDED, FIELDS, TGW_DEFAULT_LAYOUT, TGW_LAYOUT, VPC_FIELDS, Added, Field
from vpcflow.index_lifecycle import ilm_policy, ism_policy
from vpcflow.index_products import ELASTICSEARCH, OPENSEARCH
from vpcflow.index_template import component_templates, index_template
from vpcflow.lambdas.settings import SETTINGS, Setting, load_settings
from vpcflow.lambdas.telemetry import METRICS
from vpcflow.schemas import SCHEMAS
from vpcflow.transform import SHED_NAMES

FOLDER = Path(__file__).parents[1] / "docs"
NOTICE = "<!-- Written by `make docs` from the code: change it there. -->\n"
EMF_PAGE = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html"
TEMPLATE = Path(__file__).parents[1] / "deploy" / "template.yaml"
KEEP_DAYS = 90
"""In the policies to be put by hand, which are to be edited."""

AWS_PAGE = "https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html"


def main(arguments: list[str]) -> int:
    pages = {
        name: f"{NOTICE}\n{write().strip()}\n" if name.endswith(".md") else write()
        for name, write in PAGES.items()
    }
    stale = [name for name, text in pages.items() if _read(FOLDER / name) != text]
    if "--check" in arguments:
        for name in stale:
            print(f"{normpath(f'docs/{name}')} is stale: run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(pages[name])
        print(f"wrote {normpath(f'docs/{name}')}")
    return 0


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def fields_page() -> str:
    tgw = [field for field in FIELDS if field.name in TGW_LAYOUT and field not in VPC_FIELDS]
    return "\n\n".join(
        (
            "# Fields",
            f"A flow record as [AWS documents it]({AWS_PAGE}), then what vpcflow adds to it. A column is named as AWS"
            " names it in Parquet, with underscores. *Since* is the version that introduced the field. `-` in the log"
            " is null in every column.",
            f"## VPC flow logs: {len(VPC_FIELDS)} fields",
            "The fields of version 2 are the default layout.",
            _fields_table(VPC_FIELDS),
            f"## Transit gateway flow logs: {len(TGW_DEFAULT_LAYOUT)} fields by default, {len(TGW_LAYOUT)} in all",
            "They share these fields with VPC flow logs: "
            + ", ".join(f"`{f.column}`" for f in VPC_FIELDS if f.name in TGW_LAYOUT)
            + ". Of their own they have:",
            _fields_table(tgw),
            "The default layout, in order: "
            + ", ".join(f"`{name}`" for name in TGW_DEFAULT_LAYOUT)
            + ".",
            "Besides, by choice: "
            + ", ".join(f"`{name}`" for name in TGW_LAYOUT if name not in TGW_DEFAULT_LAYOUT)
            + ".",
            f"## Added by vpcflow: {len(ADDED)} columns",
            "What AWS wrote stays as AWS wrote it; what vpcflow finds out has a column of its own, and is null where it"
            " is not known.",
            _table(
                ("column", "type", "enricher", "meaning"),
                ((f"`{a.column}`", _type(a), a.enricher, a.description) for a in ADDED),
            ),
        )
    )


def _fields_table(fields: Iterable[Field]) -> str:
    return _table(
        ("column", "since", "type", "meaning", "`-` in the log", "ECS", "OCSF"),
        (
            (
                f"`{f.column}`",
                str(f.since),
                _type(f),
                f.description,
                f.dash,
                f"`{f.ecs}`" if f.ecs else "",
                f"`{f.ocsf}`" if f.ocsf else "",
            )
            for f in fields
        ),
    )


def _type(column: Field | Added) -> str:
    return f"`{column.type}`".replace("item: ", "").replace("element: ", "")


def codes_page() -> str:
    return "\n\n".join(
        (
            "# Codes",
            "Numbers AWS writes, and the closed sets vpcflow answers with. A number that is not here is kept, and has"
            " no name.",
            "## `peer_scope`: where the peer is",
            _table(("scope", "meaning"), _named(codes.PEER_SCOPES)),
            "## `inventory_state`: how good the inventory's answer is",
            ", ".join(f"`{state}`" for state in codes.INVENTORY_STATES)
            + ": see [the inventory](../inventory.md#how-good-an-answer-is).",
            "## `direction`",
            ", ".join(f"`{direction}`" for direction in codes.DIRECTIONS)
            + ", seen from the network interface.",
            "## `initiator`: who opened the connection",
            ", ".join(f"`{end}`" for end in codes.INITIATORS)
            + ", the end of the record at which the connection was opened.",
            "## `initiator_basis`: how that is known, and `initiator_confidence`: how sure it is",
            _table(
                ("basis", "confidence", "meaning"),
                (
                    (f"`{basis}`", str(codes.INITIATOR_CONFIDENCE[basis]), meaning)
                    for basis, meaning in codes.INITIATOR_BASES.items()
                ),
            ),
            "## `traffic_path_name`: what `traffic_path` means",
            _table(("number", "name"), _numbered(codes.TRAFFIC_PATHS)),
            "## `tcp_flag_names`: the bits of `tcp_flags`",
            _table(("bit", "name"), _numbered(codes.TCP_FLAGS)),
            "## `protocol_name`: what `protocol` means",
            _table(("number", "name"), _numbered(codes.PROTOCOLS)),
        )
    )


def rejects_page() -> str:
    return "\n\n".join(
        (
            "# Rejects",
            "A line that is no flow record is a *reject*. It costs none of its neighbours, is counted by its reason,"
            " and with `--rejects FILE` is written there: one JSON object each, with the source, the line number, the"
            " reason and the raw text (at most 4 KiB). The exit code is 3 if anything was delivered beside it, else 1.",
            "The reasons are a closed set, here in the order a line is checked:",
            _table(("reason", "meaning"), _named(codes.REJECT_REASONS)),
        )
    )


def _named(meanings: Any) -> Iterator[tuple[str, str]]:
    return ((f"`{name}`", meaning) for name, meaning in meanings.items())


def _numbered(names: Any) -> Iterator[tuple[str, str]]:
    return ((str(number), f"`{name}`") for number, name in names.items())


def cli_page() -> str:
    command = typer.main.get_command(cli.command_line())
    return "\n\n".join(("# Command line", *_command(command, "vpcflow", parent=None, depth=1)))


def _command(command: Any, name: str, *, parent: Any, depth: int) -> Iterator[str]:
    """Yield the paragraphs about a command, then those about its own commands; hidden ones have none."""
    context = command.context_class(command, info_name=name, parent=parent)
    if parent is not None:
        yield f"{'#' * depth} `{context.command_path}`"
    yield f"```\n{context.command.get_usage(context).removeprefix('Usage: ')}\n```"
    if command.help:
        # A line with \b alone tells the terminal to leave the lines after it as they are.
        yield re.sub(r"\n{3,}", "\n\n", command.help.replace("\b\n", "\n").strip())
    records = [p.get_help_record(context) for p in command.get_params(context)]
    shown = [(f"`{record[0].strip()}`", record[1]) for record in records if record]
    if shown:
        yield _table(("argument or option", "meaning"), shown)
    if command.epilog:
        yield command.epilog.strip()
    for own_name, own in sorted(getattr(command, "commands", {}).items()):
        if not own.hidden:
            yield from _command(own, own_name, parent=context, depth=min(depth + 1, 4))


def parameters_page() -> str:
    template = _template()
    described = template["Parameters"]
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    return "\n\n".join(
        (
            "# Parameters of the template",
            "Each has a default. What they do together is told in [Deploy](../deploy.md); combinations that cannot work"
            " are refused before anything is made.",
            *(
                paragraph
                for group in groups
                for paragraph in (
                    f"## {group['Label']['default']}",
                    _table(
                        ("parameter", "default", "may be", "meaning"),
                        (
                            (f"`{name}`", *_parameter(described[name]))
                            for name in group["Parameters"]
                        ),
                    ),
                )
            ),
        )
    )


def _parameter(described: dict[str, Any]) -> tuple[str, str, str]:
    default = str(described["Default"])
    if "AllowedValues" in described:
        may_be = ", ".join(f"`{value}`" for value in described["AllowedValues"])
    elif "MinValue" in described:
        may_be = f"{described['MinValue']} to {described['MaxValue']}"
    else:
        may_be = "a list, divided by commas" if "List" in described["Type"] else "a text"
    return f"`{default}`" if default else "", may_be, described["Description"]


def _template() -> dict[str, Any]:
    """Read the template; CloudFormation's functions, which the parameters have none of, are left out."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    found: dict[str, Any] = yaml.load(TEMPLATE.read_text(), Loader=Loader)
    return found


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace(str(Path.home()), "~").replace("|", r"\|").split())


def settings_page() -> str:
    return "\n\n".join(
        (
            "# Settings of the functions",
            "The Lambda functions take their settings from environment variables; an empty one counts as not set. A"
            " wrong value stops a function as it starts, with one line in its log that names each wrong variable and"
            " what it may be. The first three are those of aws-vpc-flow-log-appender.",
            _table(
                ("variable", "functions", "default", "meaning"),
                (
                    (f"`{s.name}`", ", ".join(s.functions), _default(s), s.help.replace("|", "\\|"))
                    for s in SETTINGS
                ),
            ),
        )
    )


def _default(setting: Setting) -> str:
    needed = [name for name in setting.functions if not _takes(name, setting)]
    if not needed:
        return f"`{setting.default}`" if setting.default else ""
    return (
        "**must be set**"
        if len(needed) == len(setting.functions)
        else f"**must be set** for {', '.join(needed)}"
    )


def _takes(function: str, setting: Setting) -> bool:
    """Tell whether a function starts without the setting."""
    try:
        load_settings(function, {})
    except SettingsError as error:
        return not re.search(rf"\b{setting.name}=", str(error))
    return True


def metrics_page() -> str:
    return "\n\n".join(
        (
            "# Metrics and log lines of the functions",
            "A function writes one line of JSON a batch. It is a log line and, in CloudWatch's [embedded metric"
            f" format]({EMF_PAGE}), its metrics: CloudWatch makes them out of it, under the namespace of the setting"
            " `METRICS_NAMESPACE` and with one dimension, `function`. A line holds numbers under the names below and"
            " words of closed sets; addresses, keys and events have no way into it.",
            "Beside the metrics it has `level` (`WARNING` where records were rejected or failed, or an error was"
            " met; `ERROR` where the function raised), `event`, `request_id`, and `errors`: how often each error code"
            " of AWS was met. With a higher `LOG_LEVEL` the metrics are all that is left.",
            "Those marked • are told for every batch that counts records, also where they are 0; the others where they"
            " are not.",
            _table(
                ("metric", "unit", "", "meaning"),
                ((f"`{m.name}`", m.unit, "•" * m.always, m.meaning) for m in METRICS),
            ),
        )
    )


def shedding_page() -> str:
    added = {a.column: a.description for a in ADDED}
    return "\n\n".join(
        (
            "# What documents lose first",
            "Where a response of the decorator would be too large, its documents lose fields in this order: see"
            " [the decorator](../decorator.md#responses-that-would-be-too-large). Each has a metric: `shed_` and the"
            " name.",
            _table(
                ("step", "column", "meaning"),
                (
                    (
                        str(step),
                        f"`{name}`",
                        added.get(
                            name,
                            "empty texts of `appender`, captions of `ocsf`, what `ecs` says twice",
                        ),
                    )
                    for step, name in enumerate(SHED_NAMES, 1)
                ),
            ),
        )
    )


def dashboards(product: str) -> str:
    """Give the dashboards of all schemas, for the index that the template names where it is told no other."""
    return render(PRODUCTS[product], _template()["Parameters"]["IndexName"]["Default"]).decode()


def index_files() -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield what a server gets, to be put by hand: a path below ``deploy/opensearch`` and what writes the file."""
    name = _template()["Parameters"]["IndexName"]["Default"]
    for product in (OPENSEARCH, ELASTICSEARCH):
        for schema in SCHEMAS:
            for component, body in component_templates(schema, product).items():
                yield f"{product.name}/component_template/{component}.json", _json(body)
            template = index_template(schema, name, product, policy=True)
            yield f"{product.name}/index_template/{schema}.json", _json(template)
    yield "opensearch/ism_policy.json", _json(ism_policy(name, keep_days=KEEP_DAYS))
    yield "elasticsearch/ilm_policy.json", _json(ilm_policy(keep_days=KEEP_DAYS))


def _json(body: Any) -> Callable[[], str]:
    return lambda: json.dumps(body, indent=2) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "../deploy/opensearch/dashboards-elasticsearch.ndjson": lambda: dashboards("elasticsearch"),
    "../deploy/opensearch/dashboards-opensearch.ndjson": lambda: dashboards("opensearch"),
    **{f"../deploy/opensearch/{path}": write for path, write in index_files()},
    "cost.md": cost_page,
    "schemas.md": lambda: schemas_page(_table),
    "images/architecture.svg": architecture,
    "reference/cli.md": cli_page,
    "reference/codes.md": codes_page,
    "reference/fields.md": fields_page,
    "reference/metrics.md": metrics_page,
    "reference/parameters.md": parameters_page,
    "reference/rejects.md": rejects_page,
    "reference/settings.md": settings_page,
    "reference/shedding.md": shedding_page,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
