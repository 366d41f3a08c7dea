"""OCSF events as JSON: members as parts of documents, laid out by ``fragments``."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa

from vpcflow.fragments import Close, Open, Part, column_parts, constant_parts, member, nested
from vpcflow.json_lines import lines
from vpcflow.schemas.ocsf.enrichments import PROVIDER
from vpcflow.schemas.ocsf.events import SPARED, events_of
from vpcflow.schemas.ocsf.values import Account, Constant, Enumerated
from vpcflow.schemas.ocsf.words import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vpcflow.fragments import AnyPart
    from vpcflow.schemas.ocsf.enrichments import Enrichment
    from vpcflow.schemas.ocsf.events import Events
    from vpcflow.schemas.ocsf.values import Value

_ACCOUNT = f',"type":"{ACCOUNT.caption}","type_id":{ACCOUNT.id}'


def encode_ocsf(flows: pa.RecordBatch) -> Iterator[pa.Buffer]:
    """Write each flow as an OCSF event, one a line, in order; the buffers hold whole lines."""
    return _encode(events_of(flows))


def encode_spare(flows: pa.RecordBatch) -> Iterator[pa.Buffer]:
    """Write the same without the captions that ids stand for."""
    events = events_of(flows)
    members = [one for path, value in events.members for one in _spared(path, value)]
    return _encode(events._replace(members=members))


def _spared(path: str, value: Value) -> list[tuple[str, Value]]:
    if path not in SPARED:
        return [(path, value)]
    return [(f"{path}_id", value.ids)] if isinstance(value, Enumerated) else []


def _encode(events: Events) -> Iterator[pa.Buffer]:
    parts: list[tuple[str, Sequence[AnyPart] | pa.Array]] = []
    for _, some in groupby(events.members, _object_and_kind):
        members = [*some]
        path, first = members[0]
        if isinstance(first, Constant):
            parts.append((path, constant_parts("".join(map(_text, members)), events.rows)))
        else:
            parts += [(path, _parts(path, value)) for path, value in members]
    parts.append(("unmapped.other", _other_parts(events)))
    parts.append(("enrichments", _list_parts(events.enrichments)))
    return lines(nested(parts), events.rows)


def _object_and_kind(of: tuple[str, Value]) -> tuple[str, bool]:
    """Constants that follow each other in an object become one text: one copy a row."""
    path, value = of
    return path.rpartition(".")[0], isinstance(value, Constant)


def _parts(path: str, value: Value) -> Sequence[AnyPart] | pa.Array:
    name = path.rpartition(".")[2]
    if isinstance(value, Account):
        around = member("uid")._replace(after=_ACCOUNT)
        return [Open(f"{member(name).before}{{"), *column_parts(around, value.uid), Close("}")]
    if isinstance(value, Enumerated):
        pieces = [_pair(name, *meaning) for meaning in value.meanings]
        return [Part(pa.array(["", *pieces]), value.numbers + np.int32(1), nullable=True)]
    return value


def _pair(name: str, number: int, caption: str) -> str:
    return f"{member(f'{name}_id').before}{number}{member(name).before}{_json(caption)}"


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _text(of: tuple[str, Value]) -> str:
    path, constant = of
    assert isinstance(constant, Constant)
    return member(path.rpartition(".")[2]).before + _json(constant.value)


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
