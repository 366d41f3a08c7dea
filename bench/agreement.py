"""Whether all outputs say the same: counts and sums of each, asked after the clock has stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TYPES = {
    "interface_id": "VARCHAR",
    "packets": "BIGINT",
    "bytes": "BIGINT",
    "action": "VARCHAR",
    "security_group_ids": "VARCHAR[]",
    "direction": "VARCHAR",
    "src_geo_country_code": "VARCHAR",
    "src_geo_country_name": "VARCHAR",
    "src_geo_region_code": "VARCHAR",
    "src_geo_region_name": "VARCHAR",
    "src_geo_city": "VARCHAR",
    "src_geo_latitude": "DOUBLE",
    "src_geo_longitude": "DOUBLE",
}

_OF_PARSED = {
    "records": "count(*)",
    "bytes": "sum(bytes)",
    "packets": "sum(packets)",
    "interfaces": "count(DISTINCT interface_id)",
    "by action": "histogram(coalesce(action, '-'))",
}

_OF_ENRICHED = {
    **_OF_PARSED,
    "with groups": "count(security_group_ids)",
    "groups": "sum(len(security_group_ids))",
    "by direction": "histogram(coalesce(direction, '-'))",
    "by source country": "histogram(coalesce(src_geo_country_code, '-'))",
    "country names": "count(DISTINCT src_geo_country_name)",
    "region codes": "count(src_geo_region_code)",
    "regions": "count(src_geo_region_name)",
    "cities": "count(DISTINCT src_geo_city)",
    "latitudes": "round(sum(src_geo_latitude), 1)",
    "longitudes": "round(sum(src_geo_longitude), 1)",
}


def disagreements(parsed: Sequence[Path], enriched: Sequence[Path]) -> list[str]:
    """Say where an output differs from the first of its kind, and the first of each kind from one another."""
    found = []
    firsts = []
    for paths, sums in ((parsed, _OF_PARSED), (enriched, _OF_ENRICHED)):
        all_sums = [_sums(path, sums) for path in paths]
        firsts.append(all_sums[0])
        for path, its in zip(paths[1:], all_sums[1:], strict=True):
            found += _differences(paths[0], all_sums[0], path, its, sums)
    return found + _differences(parsed[0], firsts[0], enriched[0], firsts[1], _OF_PARSED)


def _differences(
    first: Path,
    its: dict[str, object],
    other: Path,
    others: dict[str, object],
    sums: dict[str, str],
) -> list[str]:
    return [
        f"{name}: {first.name} {its[name]!r}, {other.name} {others[name]!r}"
        for name in sums
        if its[name] != others[name]
    ]


def _sums(path: Path, sums: dict[str, str]) -> dict[str, object]:
    if path.suffix == ".parquet":
        rows = f"read_parquet('{path}')"
    else:
        rows = f"read_json('{path}', format = 'newline_delimited', columns = {_TYPES})"
    expressions = ", ".join(sums.values())
    found = duckdb.execute(f"SELECT {expressions} FROM {rows}").fetchone()
    return dict(zip(sums, found, strict=True))
