"""
The same columns in DuckDB SQL.

    python duckdb_sql.py LOGS TABLES RANGES OUT

TABLES has ``groups.parquet`` and ``addresses.parquet`` of the ENIs, RANGES the geolocation database as ranges, both
made beforehand. OUT is Parquet or, with any other suffix, JSON lines.

A table of the flows beats one query with a CTE or with two readings of the files; places are found for distinct
addresses alone. Without ``asof_loop_join_threshold`` a small file may get a nested loop over millions of ranges.
"""

import os
import sys
from pathlib import Path

import duckdb

_TYPES = {
    "version": "INTEGER",
    "account_id": "VARCHAR",
    "interface_id": "VARCHAR",
    "srcaddr": "VARCHAR",
    "dstaddr": "VARCHAR",
    "srcport": "INTEGER",
    "dstport": "INTEGER",
    "protocol": "INTEGER",
    "packets": "BIGINT",
    "bytes": "BIGINT",
    "start": "BIGINT",
    "end": "BIGINT",
    "action": "VARCHAR",
    "log_status": "VARCHAR",
}

_SETTINGS = """
SET threads = {threads};
SET asof_loop_join_threshold = 0;
"""

_MACROS = """
CREATE MACRO ipv4(text) AS
    split_part(text, '.', 1)::BIGINT * 16777216 + split_part(text, '.', 2)::BIGINT * 65536
    + split_part(text, '.', 3)::BIGINT * 256 + split_part(text, '.', 4)::BIGINT;
CREATE MACRO groups_of(text) AS list_filter(string_split(text, ':'), lambda g: g <> '');
CREATE MACRO all_groups(text) AS CASE WHEN contains(text, '::') THEN
    list_concat(groups_of(split_part(text, '::', 1)),
        list_concat(list_transform(range(8 - len(groups_of(text))), lambda i: '0'),
            groups_of(split_part(text, '::', 2))))
    ELSE string_split(text, ':') END;
CREATE MACRO ipv6(text) AS list_reduce(
    list_transform(all_groups(text), lambda g: ('0x' || g)::UHUGEINT),
    lambda a, b: a * 65536::UHUGEINT + b);
"""

_READ = """
CREATE TEMP TABLE flows AS FROM read_csv('{logs}/**/*.log.gz', delim = ' ', header = true,
    nullstr = '-', quote = '', escape = '', auto_detect = false, columns = {types});
"""

_PLACES = """
CREATE TEMP TABLE sources AS
WITH distinct_sources AS (SELECT DISTINCT srcaddr FROM flows WHERE srcaddr IS NOT NULL),
v4 AS (SELECT srcaddr, ipv4(srcaddr) AS ip FROM distinct_sources WHERE NOT contains(srcaddr, ':')),
v6 AS (SELECT srcaddr, ipv6(srcaddr) AS ip FROM distinct_sources WHERE contains(srcaddr, ':')),
ranges4 AS (FROM '{ranges}/ranges4.parquet'),
ranges6 AS (SELECT high::UHUGEINT * 18446744073709551616::UHUGEINT + low::UHUGEINT AS start, place
    FROM '{ranges}/ranges6.parquet'),
found AS (
    SELECT srcaddr, place FROM v4 ASOF JOIN ranges4 ON v4.ip >= ranges4.start
    UNION ALL
    SELECT srcaddr, place FROM v6 ASOF JOIN ranges6 ON v6.ip >= ranges6.start)
SELECT srcaddr, places.* EXCLUDE (place)
FROM found JOIN '{ranges}/places.parquet' AS places USING (place);
"""

_WRITE = """
COPY (
    SELECT flows.*, owners.security_group_ids,
        CASE WHEN sent.address IS NOT NULL AND got.address IS NULL THEN 'egress'
             WHEN got.address IS NOT NULL AND sent.address IS NULL THEN 'ingress' END AS direction,
        sources.* EXCLUDE (srcaddr)
    FROM flows
    LEFT JOIN '{tables}/groups.parquet' AS owners USING (interface_id)
    LEFT JOIN '{tables}/addresses.parquet' AS sent
        ON sent.interface_id = flows.interface_id AND sent.address = flows.srcaddr
    LEFT JOIN '{tables}/addresses.parquet' AS got
        ON got.interface_id = flows.interface_id AND got.address = flows.dstaddr
    LEFT JOIN sources ON sources.srcaddr = flows.srcaddr
) TO '{out}' (FORMAT {format});
"""


def main(logs: str, tables: str, ranges: str, out: str) -> None:
    form = "parquet" if Path(out).suffix == ".parquet" else "json"
    connection = duckdb.connect()
    connection.execute(_SETTINGS.format(threads=len(os.sched_getaffinity(0))))
    connection.execute(_MACROS)
    connection.execute(_READ.format(logs=logs, types=_TYPES))
    connection.execute(_PLACES.format(ranges=ranges))
    connection.execute(_WRITE.format(tables=tables, out=out, format=form))


if __name__ == "__main__":
    main(*sys.argv[1:])
