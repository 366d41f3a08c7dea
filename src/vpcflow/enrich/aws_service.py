"""Which AWS service the public addresses of AWS belong to, and in which region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.enrich.answers import coalesce, codes_of, dictionary_array

if TYPE_CHECKING:
    from vpcflow.aws_ranges import AwsRanges
    from vpcflow.enrich.answers import Answers


def add_aws_service(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write service and region of both ends.

    The service is AWS's own ``pkt_src_aws_service`` or ``pkt_dst_aws_service`` where the log has it (since version 5);
    else, and the region always, it is that of the address in ``ip-ranges.json``, as ``AwsRanges.lookup`` tells: of
    the packet's address (``pkt_srcaddr``) where the log has it, as AWS's own fields are of that, else of ``srcaddr``.
    """
    return {**_of_side("src", answers), **_of_side("dst", answers)}


def _of_side(side: str, answers: Answers) -> dict[str, pa.Array]:
    service = answers.column(f"pkt_{side}_aws_service")
    region = answers.nulls(f"{side}_aws_region")
    ranges = answers.reference.aws_ranges
    if ranges is not None:
        pairs = _pairs(side, answers, ranges)
        listed = dictionary_array(_at(ranges.service_of, pairs), ranges.services)
        service = coalesce(service, listed)
        region = dictionary_array(_at(ranges.region_of, pairs), ranges.regions)
    return {f"{side}_aws_service": service, f"{side}_aws_region": region}


def _pairs(side: str, answers: Answers, ranges: AwsRanges) -> npt.NDArray[np.int32]:
    """Look up the pair of service and region of each row; -1 for an address that is not AWS's, or none."""
    packet = codes_of(answers.column(f"pkt_{side}addr"))
    pairs = _at(ranges.lookup(answers.addresses(f"pkt_{side}addr")), packet)
    if (packet >= 0).all():
        return pairs
    interface = codes_of(answers.column(f"{side}addr"))
    other_pairs = _at(ranges.lookup(answers.addresses(f"{side}addr")), interface)
    return np.where(packet < 0, other_pairs, pairs)


def _at(values: npt.NDArray[np.int32], indices: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Take the values at the indices; -1 where the index is."""
    return np.append(values, np.int32(-1))[indices]
