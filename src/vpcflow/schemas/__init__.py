"""Flows to documents. A document schema is one module and one line of ``SCHEMAS``."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.schemas import appender, ecs, flat, ocsf
from vpcflow.schemas.appender import encode_appender
from vpcflow.schemas.ecs import encode_ecs
from vpcflow.schemas.flat import encode_flat
from vpcflow.schemas.ocsf import encode_ocsf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vpcflow.index_types import Property
    from vpcflow.json_lines import Encode

__all__ = ["SCHEMAS", "Schema", "encode_appender", "encode_ecs", "encode_flat", "encode_ocsf"]


class Schema(NamedTuple):
    """
    A form of document: its name, how flows become it, the columns it is made of (None: all there are), and how
    OpenSearch is to index what it holds.

    ``place`` gives the dotted path at which a column lies in the document, None where it does not; ``time_field`` is
    what a dashboard goes by. ``spare`` writes the document without what says nothing, as empty texts, or what it says
    twice; None where there is no such thing.
    """

    name: str
    encode: Encode
    columns: tuple[str, ...] | None
    mapping: Callable[[], Mapping[str, Property]]
    place: Callable[[str], str | None]
    time_field: str
    spare: Encode | None = None


SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        schema.name: schema
        for schema in (
            Schema("flat", encode_flat, None, flat.mapping, flat.place, "end"),
            Schema(
                "appender",
                encode_appender,
                appender.COLUMNS,
                appender.mapping,
                appender.place,
                "@timestamp",
                appender.encode_spare,
            ),
            Schema(
                "ecs",
                encode_ecs,
                None,
                ecs.mapping,
                ecs.place,
                "@timestamp",
                ecs.encode_spare,
            ),
            Schema(
                "ocsf",
                encode_ocsf,
                None,
                ocsf.mapping,
                ocsf.place,
                "end_time",
                ocsf.encode_spare,
            ),
        )
    }
)
