"""Load what flows are enriched from, as the options of a command name it."""

from __future__ import annotations

import contextlib
import gc
import time
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.cli.options import read_time
from vpcflow.enrich import Reference
from vpcflow.geo import GeoDatabase, open_geo
from vpcflow.geo.fetch import default_geo_path
from vpcflow.inventory import load_inventory
from vpcflow.layout import parse_log_format
from vpcflow.pipeline import Layouts, layouts_of, unknown_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from vpcflow.aws_ranges import AwsRanges
    from vpcflow.cli.words import Words
    from vpcflow.inventory import Inventory
    from vpcflow.networks import Networks

OFF = "off"


class ReferenceOptions(NamedTuple):
    """The options of a command that name lookup data, as given."""

    inventory: Path | None
    inventory_time: str | None
    inventory_max_age: int
    max_stale: int | None
    geo: str | None
    asn: Path | None
    aws_ranges: Path | None
    networks: Path | None


def load_reference(given: ReferenceOptions, words: Words) -> Reference:
    """Load it all; raises ``VpcflowError`` where something named cannot be used, says a hint where nothing is."""
    if given.inventory is None:
        words.say(
            "no --inventory: interface, security group, direction and peer columns stay empty"
            " (see `vpcflow enrich --help`)"
        )
        inventory = None
    else:
        captured_at = None if given.inventory_time is None else read_time(given.inventory_time)
        with _collector_at_rest():
            inventory = load_inventory(given.inventory, captured_at=captured_at, warn=words.say)
    return Reference(
        inventory=inventory,
        geo=_geo(given.geo, words),
        asn=None if given.asn is None else open_geo(given.asn, "asn"),
        aws_ranges=_aws_ranges(given.aws_ranges),
        networks=_networks(given.networks),
        max_age_s=given.inventory_max_age,
        max_stale_s=given.max_stale,
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


def layouts_for(log_formats: Sequence[str], inventory: Inventory | None, words: Words) -> Layouts:
    """Give the possible layouts: those stated, else those of the inventory's flow logs, by log group."""
    stated = [parse_log_format(text) for text in log_formats]
    for name in dict.fromkeys(name for layout in stated for name in layout.unknown):
        words.say(unknown_field(name.replace("-", "_")))
    return layouts_of(stated, () if inventory is None else inventory.flow_logs, words.say)


def _aws_ranges(given: Path | None) -> AwsRanges | None:
    if given is None:
        return None
    # Few runs name ranges or networks: only these import what reads them.
    from vpcflow.aws_ranges import load_aws_ranges

    return load_aws_ranges(given)


def _networks(given: Path | None) -> Networks | None:
    if given is None:
        return None
    from vpcflow.networks import load_networks

    return load_networks(given)


def _geo(given: str | None, words: Words) -> GeoDatabase | None:
    if given == OFF:
        return None
    path = given or default_geo_path()
    if path is None:
        return None
    database = open_geo(path, "place")
    for text in (database.attribution, database.age_notice(time.time())):
        if text is not None:
            words.say(text)
    return database
