"""Which AWS service the public addresses of AWS belong to, and in which region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.dictionaries import coalesce, codes_of, dictionary_array, with_last

if TYPE_CHECKING:
    from vpcflow.aws_ranges import AwsRanges
    from vpcflow.enrich.answers import Answers


Int32s = npt.NDArray[np.int32]


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
        codes, pairs = _pairs(side, answers, ranges)
        listed = dictionary_array(_at(ranges.service_of, pairs).take(codes), ranges.services)
        service = coalesce(service, listed)
        region = dictionary_array(_at(ranges.region_of, pairs).take(codes), ranges.regions)
    return {f"{side}_aws_service": service, f"{side}_aws_region": region}


def _pairs(side: str, answers: Answers, ranges: AwsRanges) -> tuple[Int32s, Int32s]:
    """
    Look up the pair of service and region of each address, -1 for one that is not AWS's, and at the end for none.

    Also give each row's index.
    """
    packet, interface = f"pkt_{side}addr", f"{side}addr"
    pairs = [ranges.lookup(answers.addresses(packet)), ranges.lookup(answers.addresses(interface))]
    codes = codes_of(answers.column(packet))
    if (codes < 0).any():
        other = codes_of(answers.column(interface))
        other = np.where(other < 0, other, other + np.int32(len(pairs[0])))
        codes = np.where(codes < 0, other, codes)
    return codes, np.concatenate([*pairs, np.array([-1], np.int32)])


def _at(values: Int32s, indices: Int32s) -> Int32s:
    """Take the values at the indices; -1 where the index is."""
    return with_last(values, -1)[indices]
