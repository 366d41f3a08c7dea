"""
OCSF: events of the class Network Activity (4001), version 1.8.0, with the profiles ``cloud`` and ``security_control``.

https://schema.ocsf.io/1.8.0/classes/network_activity
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from vpcflow.fragments import Close, Open, column_parts, constant_parts, member, nested
from vpcflow.json_lines import lines
from vpcflow.schemas.ocsf.enrichments import PROVIDER
from vpcflow.schemas.ocsf.events import SPARED, events_of
from vpcflow.schemas.ocsf.paths import COMPUTED, Computed, mapping, place
from vpcflow.schemas.ocsf.values import Constant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from vpcflow.fragments import AnyPart
    from vpcflow.schemas.ocsf.enrichments import Enrichment
    from vpcflow.schemas.ocsf.events import Events

__all__ = ["COMPUTED", "Computed", "encode_ocsf", "encode_spare", "mapping", "place"]


def encode_ocsf(flows: pa.RecordBatch) -> Iterator[pa.Buffer]:
    """Write each flow as an OCSF event, one a line, in order; the buffers hold whole lines."""
    return _encode(events_of(flows))


def encode_spare(flows: pa.RecordBatch) -> Iterator[pa.Buffer]:
    """Write the same without the captions that ids stand for."""
    events = events_of(flows)
    members = [(path, value) for path, value in events.members if path not in SPARED]
    return _encode(events._replace(members=members))


def _encode(events: Events) -> Iterator[pa.Buffer]:
    parts = [(path, _parts(path, value, events.rows)) for path, value in events.members]
    lists = ("enrichments", _list_parts(events.enrichments))
    return lines(nested([*parts, ("unmapped.other", _other_parts(events)), lists]), events.rows)


def _parts(path: str, value: pa.Array | Constant, rows: int) -> Sequence[AnyPart]:
    around = member(path.rpartition(".")[2])
    if isinstance(value, Constant):
        return constant_parts(around.before + orjson.dumps(value.value).decode(), rows)
    return column_parts(around, value)


def _other_parts(events: Events) -> list[AnyPart]:
    inside = [p for name, array in events.others.items() for p in column_parts(member(name), array)]
    return [Open(',"other":{'), *inside, Close("}")]


def _list_parts(enrichments: Sequence[Enrichment]) -> list[AnyPart]:
    inside = [part for one in enrichments for part in _object_parts(one)]
    return [Open(',"enrichments":['), *inside, Close("]")]


def _object_parts(enrichment: Enrichment) -> list[AnyPart]:
    kind = f',"type":"{enrichment.type}","provider":"{PROVIDER}"'
    name = member("name")._replace(after=kind)
    data = [(f"data.{column}", array) for column, array in enrichment.data.items()]
    return [
        Open(",{"),
        *column_parts(name, enrichment.name),
        *column_parts(member("value"), enrichment.value),
        *nested(data),
        Close("}"),
    ]
