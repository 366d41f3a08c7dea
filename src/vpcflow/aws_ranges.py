"""
AWS's public address ranges: which service an address belongs to, and in which region.

The file is AWS's own, https://ip-ranges.amazonaws.com/ip-ranges.json; its format:
https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from vpcflow.errors import ReferenceDataError
from vpcflow.prefixes import PrefixTable, overlay, prefix_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from vpcflow.addresses import Addresses

_HINT = "get it again from https://ip-ranges.amazonaws.com/ip-ranges.json"

# AMAZON is listed for every range, EC2 for the ranges of much that runs on it: any other service says more.
_ALL_SERVICES = "AMAZON"
_GENERAL_SERVICE = "EC2"


@dataclass(frozen=True)
class AwsRanges:
    """
    The distinct services and regions, as AWS spells them, and the pairs of them that ranges have.

    ``service_of`` and ``region_of`` have the index of each pair's service and region.
    """

    created: datetime
    services: pa.StringArray
    regions: pa.StringArray
    service_of: npt.NDArray[np.int32]
    region_of: npt.NDArray[np.int32]
    table: PrefixTable

    def lookup(self, addresses: Addresses) -> npt.NDArray[np.int32]:
        """
        Give the index of the pair of service and region of each address; -1 where it is not AWS's.

        The longest range that has a service of its own decides; ``AMAZON``, which all ranges have, only where there
        is no such range. Of several services of the same range: the first by name, ``EC2`` last.
        """
        return self.table.lookup(addresses)


class _Range(NamedTuple):
    cidr: str
    service: str
    region: str


def load_aws_ranges(path: str | PathLike[str]) -> AwsRanges:
    """Read AWS's ``ip-ranges.json``. Raises ReferenceDataError where it cannot be read or is something else."""
    try:
        document = orjson.loads(Path(path).read_bytes())
        return _aws_ranges(_created(document), list(_ranges(document)))
    except OSError as error:
        reason = error.strerror or error
        raise ReferenceDataError(
            f"AWS's address ranges {str(path)!r} cannot be read: {reason}"
        ) from error
    except ValueError as error:
        raise ReferenceDataError(
            f"{str(path)!r} is not AWS's file of address ranges: {error}; {_HINT}"
        ) from error


def _aws_ranges(created: datetime, ranges: list[_Range]) -> AwsRanges:
    # The last of equal ranges counts: the services that say most come last.
    ranges.sort(key=lambda r: (r.service == _GENERAL_SERVICE, r.service), reverse=True)
    pairs = {pair: i for i, pair in enumerate(sorted({(r.service, r.region) for r in ranges}))}
    services = sorted({service for service, _ in pairs})
    regions = sorted({region for _, region in pairs})
    blocks = [(r.cidr, pairs[r.service, r.region], r.service == _ALL_SERVICES) for r in ranges]
    return AwsRanges(
        created=created,
        services=pa.array(services, pa.string()),
        regions=pa.array(regions, pa.string()),
        service_of=np.array([services.index(service) for service, _ in pairs], np.int32),
        region_of=np.array([regions.index(region) for _, region in pairs], np.int32),
        table=overlay(
            prefix_table((cidr, pair) for cidr, pair, is_any in blocks if not is_any),
            prefix_table((cidr, pair) for cidr, pair, is_any in blocks if is_any),
        ),
    )


def _created(document: object) -> datetime:
    text = document.get("createDate") if isinstance(document, dict) else None
    if not isinstance(text, str):
        raise ValueError("it has no createDate")
    return datetime.strptime(text, "%Y-%m-%d-%H-%M-%S").replace(tzinfo=UTC)


def _ranges(document: dict[str, object]) -> Iterator[_Range]:
    for name, key in (("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")):
        entries = document.get(name)
        if not isinstance(entries, list):
            raise ValueError(f"it has no list of {name}")
        for number, entry in enumerate(entries, 1):
            yield _range(entry, key, f"entry {number} of {name}")


def _range(entry: object, key: str, where: str) -> _Range:
    if isinstance(entry, dict):
        cidr, service, region = entry.get(key), entry.get("service"), entry.get("region")
        if isinstance(cidr, str) and isinstance(service, str) and isinstance(region, str):
            return _Range(cidr, service, region)
    raise ValueError(f"{where} is no object of {key}, service and region")
