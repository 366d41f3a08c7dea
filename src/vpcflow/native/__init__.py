"""
The compiled part: what costs most per record, several times as fast as the plain way, with the same answers.

Each function gives None where there is no compiled library (the platform has no wheel of its own): its caller, which
has the plain way, goes that. Nothing else in vpcflow knows of C.
"""

from vpcflow.native.community_ids import End, community_ids
from vpcflow.native.documents import DEPTH, Closed, Opened, Written, needs_escape, write_rows
from vpcflow.native.encoding import from_base64, to_base64
from vpcflow.native.ipv4 import read_ipv4
from vpcflow.native.library import is_available
from vpcflow.native.lines import read_columns
from vpcflow.native.mmdb import (
    CONTAINER,
    FLOAT,
    INTEGER,
    NOTHING,
    TEXT,
    UNSURE,
    Values,
    find_values,
    walk_tree,
)
from vpcflow.native.rows import Source, hash_texts, mix_rows

__all__ = [
    "CONTAINER",
    "DEPTH",
    "FLOAT",
    "INTEGER",
    "NOTHING",
    "TEXT",
    "UNSURE",
    "Closed",
    "End",
    "Opened",
    "Source",
    "Values",
    "Written",
    "community_ids",
    "find_values",
    "from_base64",
    "hash_texts",
    "is_available",
    "mix_rows",
    "needs_escape",
    "read_columns",
    "read_ipv4",
    "to_base64",
    "walk_tree",
    "write_rows",
]
