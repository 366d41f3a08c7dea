"""``vpcflow inventory``: make a snapshot of an account, or of what the AWS CLI printed, and look into one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vpcflow.cli.here import here
from vpcflow.cli.inventory_view import describe, summarize
from vpcflow.cli.live import capture_to
from vpcflow.cli.options import read_time
from vpcflow.cli.run import DONE_WITH_REJECTS
from vpcflow.cli.words import Words
from vpcflow.inventory import import_captures, load_inventory, snapshot_file_name, write_snapshot

_HELP = """
Make snapshots of AWS resources, and look at them.

\b
    vpcflow inventory capture --to snapshots/
    vpcflow inventory import inventory/ --to snapshots/
    vpcflow inventory show snapshots/
"""

app = typer.Typer(no_args_is_help=True, help=_HELP)

_CAPTURE_HELP = """
Capture accounts and regions: make one snapshot of what EC2 says.

Without options it is the account of your credentials and your region. Read only: ec2:DescribeNetworkInterfaces and
ec2:DescribeSecurityGroups are needed, and of the other calls in docs/inventory.md what may not be asked is left out and
said. An account or region that cannot be captured is said, left out, and makes the exit status 3.

\b
    vpcflow inventory capture --to snapshots/
    vpcflow inventory capture --region eu-west-1 --region us-east-1 --to s3://example-snapshots/
    vpcflow inventory capture --role-arn arn:aws:iam::123456789012:role/vpcflow --to account.json.gz
"""

_IMPORT_HELP = """
Make one snapshot of what the AWS CLI printed.

DIR is a directory of JSON files as `aws ec2 describe-network-interfaces > enis.json` leaves them, or one such file; all
together are one capture, of as many accounts and regions as there are. Known, by content: describe-network-interfaces,
-security-groups, -security-group-rules, -security-group-vpc-associations, -managed-prefix-lists, -instances, -subnets,
-vpcs, -flow-logs, -vpc-peering-connections, -network-acls, -transit-gateways, -transit-gateway-vpc-attachments, and
get-managed-prefix-list-entries, whose file must have the pl-… in its name.

\b
    vpcflow inventory import aws-cli/ --to inventory/
    vpcflow inventory import prod/ dev/ --to all.json.gz --captured-at 2026-01-31T12:00:00Z
"""

_SHOW_HELP = """
Show what an inventory holds, or all it knows of one thing in it.

PATH is what --inventory takes: AWS CLI files, a snapshot, or a directory of snapshots, here or in S3. WHAT is
the id of a network interface, a security group or network ACL (with its rules), a VPC peering connection, a transit
gateway or its attachment, or an address.

\b
    vpcflow inventory show inventory/
    vpcflow inventory show inventory/ sg-0123456789abcdef0
"""


@app.command("capture", help=_CAPTURE_HELP)
def capture_command(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FILE|DIR",
            show_default=False,
            help="Where to write: a .json or .json.gz file, or a directory (one that is there, or ends in /), in which"
            " the file is named after its capture time; here or in S3.",
        ),
    ],
    regions: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            metavar="REGION",
            show_default=False,
            help="Region to capture; may be given more than once.  [default: your credentials' own]",
        ),
    ] = None,
    role_arns: Annotated[
        list[str] | None,
        typer.Option(
            "--role-arn",
            metavar="ARN",
            show_default=False,
            help="Role to assume, whose account is captured; may be given more than once."
            "  [default: none, the account of your credentials]",
        ),
    ] = None,
    external_id: Annotated[
        str | None,
        typer.Option(
            "--external-id",
            metavar="ID",
            show_default=False,
            help="External id that these roles ask for.  [default: none]",
        ),
    ] = None,
) -> None:
    whole = capture_to(to, regions or [], role_arns or [], external_id, Words(quiet=False))
    if not whole:
        raise typer.Exit(DONE_WITH_REJECTS)


@app.command("import", help=_IMPORT_HELP)
def import_command(
    directories: Annotated[list[Path], typer.Argument(metavar="DIR...", show_default=False)],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FILE|DIR",
            show_default=False,
            help="Where to write: a .json or .json.gz file, or a directory (one that is there, or ends"
            " in /), in which the file is named after its capture time.",
        ),
    ],
    captured_at: Annotated[
        str | None,
        typer.Option(
            "--captured-at",
            metavar="TIME",
            show_default=False,
            help="When it was captured, ISO 8601 or Unix seconds.  [default: when the newest file was written]",
        ),
    ] = None,
) -> None:
    words = Words(quiet=False)
    at = None if captured_at is None else read_time(captured_at)
    snapshot = import_captures(directories, captured_at=at, warn=words.say)
    path = Path(to)
    if to.endswith("/") or path.is_dir():
        path = path / snapshot_file_name(snapshot.captured_at)
    write_snapshot(replace(snapshot, origin=str(path)), path)
    words.say(
        f"wrote {path}: {len(snapshot.interfaces):,} network interfaces,"
        f" {len(snapshot.security_groups):,} security groups"
    )


@app.command("show", help=_SHOW_HELP)
def show_command(
    path: Annotated[str, typer.Argument(metavar="PATH", show_default=False)],
    what: Annotated[str | None, typer.Argument(metavar="[WHAT]", show_default=False)] = None,
) -> None:
    words = Words(quiet=False)
    with here(path) as local:
        inventory = load_inventory(local.path, warn=lambda text: words.say(local.named(text)))
    console = Console(highlight=False, soft_wrap=False)
    for block in summarize(inventory) if what is None else describe(inventory, what):
        console.print(block)
