"""
Make documents smaller, field by field, where a response would be too large: what says least goes first.

The order is a table. First go texts that say nothing (the empty names of places that the original's document always
has), then names that numbers and codes in the same document tell too, then tags and descriptions, then places and
autonomous systems, then the details of the peer. What AWS wrote is never left out, nor the groups, the direction, the
peer's address and groups, or what an answer is worth.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
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
    " eni_az_id eni_subnet_id eni_owner_id eni_type duration_s direction_basis"
    " peer_instance_id peer_vpc_id eni_vpc_id eni_instance_id cloudwatch_event_id".split()
)
"""The columns in the order in which documents lose them."""

SHED_NAMES = (EMPTY_TEXTS, *SHED_ORDER)


class Step(NamedTuple):
    """How far documents are shed: without empty texts from step 1 on, and without the first so many columns."""

    number: int
    columns: tuple[str, ...]

    @property
    def gone(self) -> tuple[str, ...]:
        """The columns left out."""
        return self.columns[: max(self.number - 1, 0)]


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


def documents(flows: pa.RecordBatch, schema: Schema, step: Step | None = None) -> list[bytes]:
    """Write the document of each flow, ended by a line feed, shed as far as the step says."""
    encode = schema.encode
    if step is not None and step.number:
        encode = schema.spare or schema.encode
        flows = flows.drop_columns([*step.gone])
    return b"".join(encode(flows)).splitlines(keepends=True)


def count_shed(flows: pa.RecordBatch, step: Step, schema: Schema) -> Counter[str]:
    """Count the documents that lost each field; one that had none of it lost nothing."""
    shed = Counter({name: flows.num_rows - flows.column(name).null_count for name in step.gone})
    if step.number and schema.spare is not None:
        shed[EMPTY_TEXTS] = flows.num_rows
    return +shed
