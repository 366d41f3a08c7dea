"""
Make documents smaller, field by field, where a response would be too large: what says least goes first.

The order is a table. First go texts that say nothing (the empty names of places that the original's document always
has; what those of ECS and OCSF say twice), then names that numbers and codes in the same document tell too, then tags
and descriptions, then places and autonomous systems, then the details of the peer. What AWS wrote is never left out,
nor the groups, the direction, the peer's address and groups, or what an answer is worth.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from vpcflow.schemas import Schema

EMPTY_TEXTS = "empty_texts"
"""The name of the first step, which takes no column away: the schema's ``spare`` form."""

SHED_ORDER: tuple[str, ...] = tuple(
    "protocol_name tcp_flag_names traffic_path_name"
    " src_geo_country_name dst_geo_country_name src_geo_region_name dst_geo_region_name"
    " security_group_names eni_description eni_tags peer_network_name peer_instance_name eni_instance_name"
    " dst_as_org src_as_org src_aws_region dst_aws_region"
    " dst_geo_latitude dst_geo_longitude dst_geo_city dst_geo_region_code"
    " src_geo_latitude src_geo_longitude src_geo_city src_geo_region_code"
    " dst_as_number src_as_number dst_geo_country_code src_geo_country_code"
    " eni_az_id eni_subnet_id eni_owner_id eni_type duration_s direction_basis initiator_confidence"
    " initiator_basis rule_note"
    " peer_instance_id peer_vpc_id eni_vpc_id eni_instance_id cloudwatch_event_id".split()
)
"""The columns in the order in which documents lose them."""

SHED_NAMES = (EMPTY_TEXTS, *SHED_ORDER)

_LINE_FEED = ord("\n")


class Step(NamedTuple):
    """How far documents are shed: without empty texts from step 1 on, and without the first so many columns."""

    number: int
    columns: tuple[str, ...]

    @property
    def gone(self) -> tuple[str, ...]:
        """The columns left out."""
        return self.columns[: max(self.number - 1, 0)]


class Documents(NamedTuple):
    """Documents end to end, each ended by a line feed, and where each ends."""

    text: bytes
    ends: npt.NDArray[np.int64]

    def between(self, first: int, end: int) -> bytes:
        """Give those from one up to another."""
        start, stop = (int(self.ends[at - 1]) if at else 0 for at in (first, end))
        return self.text[start:stop]

    def singly(self) -> list[bytes]:
        """Give each of them."""
        return [self.text[first:end] for first, end in pairwise([0, *self.ends.tolist()])]


def last_step(flows: pa.RecordBatch, schema: Schema) -> Step:
    """Give the step at which all is left out that may be: columns that are there, in the schema and not all null."""
    by_name = dict(zip(flows.schema.names, flows.columns))
    wanted = SHED_ORDER if schema.columns is None else set(SHED_ORDER) & set(schema.columns)
    useful = tuple(
        name
        for name in SHED_ORDER
        if name in wanted and name in by_name and by_name[name].null_count < flows.num_rows
    )
    return Step(1 + len(useful), useful)


def documents(flows: pa.RecordBatch, schema: Schema, step: Step | None = None) -> Documents:
    """Write the document of each flow, shed as far as the step says."""
    encode = schema.encode
    if step is not None and step.number:
        encode = schema.spare or schema.encode
        flows = flows.drop_columns([*step.gone])
    text = b"".join(encode(flows))
    # In JSON a line feed within a text is escaped.
    return Documents(text, np.flatnonzero(np.frombuffer(text, np.uint8) == _LINE_FEED) + 1)


def count_shed(flows: pa.RecordBatch, step: Step, schema: Schema) -> Counter[str]:
    """Count the documents that lost each field; one that had none of it lost nothing."""
    shed = Counter({name: flows.num_rows - flows.column(name).null_count for name in step.gone})
    if step.number and schema.spare is not None:
        shed[EMPTY_TEXTS] = flows.num_rows
    return +shed
