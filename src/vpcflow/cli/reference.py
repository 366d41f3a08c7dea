"""Load what flows are enriched from, as the options of a command name it."""

from __future__ import annotations

import contextlib
import functools
import gc
import time
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.cli.here import here, snapshots_of
from vpcflow.cli.live import AWS, live_flow_logs, live_inventory, live_inventory_with_rules
from vpcflow.cli.options import read_time
from vpcflow.enrich import ASKING_RULES, Reference
from vpcflow.errors import FormatError
from vpcflow.geo import GeoDatabase, open_geo
from vpcflow.geo.fetch import default_geo_path
from vpcflow.inventory import load_inventory
from vpcflow.layout import parse_log_format
from vpcflow.object_store import is_object_url, parse_object_url
from vpcflow.pipeline import Layouts, layouts_of, unknown_field
from vpcflow.time_range import ALWAYS, TimeRange

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence, Set

    from vpcflow.aws_ranges import AwsRanges
    from vpcflow.cli.words import Words
    from vpcflow.inventory import Inventory
    from vpcflow.networks import Networks

OFF = "off"


class ReferenceOptions(NamedTuple):
    """The options of a command that name lookup data, as given."""

    inventory: str | None
    inventory_time: str | None
    inventory_max_age: int
    max_stale: int | None
    geo: str | None
    asn: str | None
    aws_ranges: str | None
    networks: str | None
    times: TimeRange = ALWAYS
    kinds: frozenset[str] | None = None
    """
    What of the AWS CLI's files is read: fields of a ``Snapshot``, None for all; see ``enricher_kinds`` and
    ``rule_kinds``.
    """


def enricher_kinds(columns: Set[str] | None) -> frozenset[str]:
    """Give the kinds of objects that enrichers need of the inventory for these columns; None is all columns."""
    needed = {"interfaces", "security_groups", "subnets", "vpcs", "flow_logs"}
    if columns is None or not columns.isdisjoint({"eni_instance_name", "peer_instance_name"}):
        needed.add("instances")
    if columns is None or not columns.isdisjoint(ASKING_RULES):
        needed |= _RULE_KINDS
    return frozenset(needed)


_RULE_KINDS = frozenset(
    {
        "security_group_rules", "prefix_lists", "vpc_peering_connections", "network_acls",
        "transit_gateways", "transit_gateway_attachments",
    }
)  # fmt: skip


def rule_kinds(columns: Set[str] | None = None) -> frozenset[str]:
    """Give the kinds that tell which rules admit a packet, and those that enrichers need for these columns."""
    return enricher_kinds(columns) | _RULE_KINDS


def load_reference(given: ReferenceOptions, words: Words) -> Reference:
    """Load it all; raises ``VpcflowError`` where something named cannot be used, says a hint where nothing is."""
    return Reference(
        inventory=_inventory(given, words),
        geo=_geo(given.geo, words),
        asn=None if given.asn is None else _asn(given.asn),
        aws_ranges=_aws_ranges(given.aws_ranges),
        networks=_networks(given.networks),
        max_age_s=given.inventory_max_age,
        max_stale_s=given.max_stale,
    )


def _inventory(given: ReferenceOptions, words: Words) -> Inventory | None:
    if given.inventory is None:
        words.say(
            "no --inventory: interface, security group, direction and peer columns stay empty"
            " (see `vpcflow enrich --help`)"
        )
        return None
    if given.inventory == AWS:
        if given.inventory_time is not None:
            raise FormatError("--inventory aws is of now: leave --inventory-time out")
        with _collector_at_rest():
            with_rules = given.kinds is not None and given.kinds >= _RULE_KINDS
            return live_inventory_with_rules(words) if with_rules else live_inventory(words)
    captured_at = None if given.inventory_time is None else read_time(given.inventory_time)
    choose = functools.partial(snapshots_of, times=given.times)
    with here(given.inventory, choose) as local, _collector_at_rest():
        return load_inventory(
            local.path,
            captured_at=captured_at,
            warn=lambda text: words.say(local.named(text)),
            kinds=given.kinds,
        )


@contextlib.contextmanager
def _collector_at_rest() -> Iterator[None]:
    """
    Keep the garbage collector from looking through the inventory, while it is built and afterwards.

    None of it is garbage before the run ends, and it is millions of objects: a third of the time to load it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def layouts_for(
    log_formats: Sequence[str],
    inventory: Inventory | None,
    words: Words,
    inputs: Sequence[str] = (),
) -> Layouts:
    """
    Give the possible layouts: those stated, else those of the inventory's flow logs, or the account's (``aws``).

    Which of these a line may have its log group tells; without one, the buckets of the inputs.
    """
    stated = [parse_log_format(text) for text in log_formats if text != AWS]
    for name in dict.fromkeys(name for layout in stated for name in layout.unknown):
        words.say(unknown_field(name.replace("-", "_")))
    flow_logs = () if inventory is None else inventory.flow_logs
    if AWS in log_formats and not flow_logs:
        flow_logs = live_flow_logs(words)
    buckets = {parse_object_url(one).bucket for one in inputs if is_object_url(one)}
    there = [flow_log for flow_log in flow_logs if flow_log.bucket in buckets]
    return layouts_of(stated, flow_logs, words.say, others=there or None)


def _aws_ranges(given: str | None) -> AwsRanges | None:
    if given is None:
        return None
    # Few runs name ranges or networks: only these import what reads them.
    from vpcflow.aws_ranges import load_aws_ranges

    with here(given) as local:
        return load_aws_ranges(local.path)


def _networks(given: str | None) -> Networks | None:
    if given is None:
        return None
    from vpcflow.networks import load_networks

    with here(given) as local:
        return load_networks(local.path)


def _asn(given: str) -> GeoDatabase:
    with here(given) as local:
        return open_geo(local.path, "asn")


def _geo(given: str | None, words: Words) -> GeoDatabase | None:
    if given == OFF:
        return None
    path = given or default_geo_path()
    if path is None:
        return None
    with here(str(path)) as local:
        database = open_geo(local.path, "place")
    for text in (database.attribution, database.age_notice(time.time())):
        if text is not None:
            words.say(text)
    return database
