"""Columns that have another form in ECS than in the log: numbers as text, seconds as dates, regions in full."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.dictionaries import codes_of, dictionary_array
from vpcflow.fragments import Member, column_parts, member
from vpcflow.iso_times import iso_times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vpcflow.fragments import AnyPart

    Form = Callable[["Source", str], Sequence[AnyPart] | pa.Array]
    """From the flows, and the path the value goes to, to what is written there."""

_NS = 10**9
_MOST_S = (2**63 - 1) // _NS


class Source(NamedTuple):
    """The columns of flows by name, and how many rows they have."""

    columns: Mapping[str, pa.Array]
    rows: int

    def text(self, name: str) -> pa.DictionaryArray:
        """Give a column of text, all null where the flows have none."""
        return self.get(name, pa.dictionary(pa.int32(), pa.string()))

    def number(self, name: str) -> pa.Array:
        """Give a column of 32-bit numbers, all null where the flows have none."""
        return self.get(name, pa.int32())

    def get(self, name: str, kind: pa.DataType) -> pa.Array:
        """Give a column, all null and of that type where the flows have none."""
        found = self.columns.get(name)
        return pa.nulls(self.rows, kind) if found is None else found


KEYWORDS = ("version", "protocol", "tcp_flags", "traffic_path")
"""Numbers that ECS, or Elastic's integration for AWS, has as keywords: they are written as text."""


def _as_text(column: str) -> Form:
    def form(source: Source, path: str) -> Sequence[AnyPart]:
        before = member(path.rsplit(".", 1)[-1]).before
        return column_parts(Member(f'{before}"', '"'), source.columns[column])

    return form


def _as_date(column: str) -> Form:
    return lambda source, _: iso_times(source.columns[column])


def _as_nanoseconds(source: Source, _: str) -> pa.Array:
    seconds = source.columns["duration_s"]
    fits = pc.and_(pc.less_equal(seconds, _MOST_S), pc.greater_equal(seconds, -_MOST_S))
    return pc.multiply(pc.if_else(fits, seconds, None), _NS)


def _with_country(side: str) -> Form:
    """Write ISO 3166-2 in full, country and region: ``US-WA``."""

    def form(source: Source, _: str) -> pa.Array:
        country = source.text(f"{side}_geo_country_code")
        region = source.text(f"{side}_geo_region_code")
        countries, regions = codes_of(country).astype(np.int64), codes_of(region)
        width = len(region.dictionary)
        both = np.where((countries < 0) | (regions < 0), -1, countries * width + regions)
        distinct = pa.array(both).dictionary_encode()
        numbers = distinct.dictionary.to_numpy()
        texts = pc.binary_join_element_wise(
            country.dictionary.take(pa.array(numbers // max(width, 1), mask=numbers < 0)),
            region.dictionary.take(pa.array(numbers % max(width, 1), mask=numbers < 0)),
            "-",
        )
        codes = np.asarray(distinct.indices.to_numpy(zero_copy_only=False), np.int32)
        return dictionary_array(np.where(both < 0, np.int32(-1), codes), texts)

    return form


def _degrees(side: str, name: str) -> Form:
    """Write one coordinate of a place of which both are known."""

    def form(source: Source, _: str) -> pa.Array:
        both = [source.get(f"{side}_geo_{one}", pa.float64()) for one in ("latitude", "longitude")]
        known = pc.and_(*(pc.is_finite(one).fill_null(False) for one in both))
        return pc.if_else(known, source.columns[f"{side}_geo_{name}"], None)

    return form


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        **{column: _as_text(column) for column in KEYWORDS},
        **{column: _as_date(column) for column in ("start", "end")},
        "duration_s": _as_nanoseconds,
        **{f"{side}_geo_region_code": _with_country(side) for side in ("src", "dst")},
        **{
            f"{side}_geo_{name}": _degrees(side, name)
            for side in ("src", "dst")
            for name in ("latitude", "longitude")
        },
    }
)
"""How such columns are written."""
