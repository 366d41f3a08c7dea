"""
Policies by which a server deletes old indexes, and begins new ones where that goes by size: ISM's and ILM's.

Days count from an index's creation, or from when it was full: an index of a day that is written today of last year's
flow logs stays as long as one of today's.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from vpcflow.index_template import MANAGED_BY, VERSION, priority

if TYPE_CHECKING:
    from vpcflow.index_template import Body, Layout

FULL_GB = 40
"""Of a primary shard: between the 10 and 50 GB that the servers' makers advise."""


def ism_policy(name: str, layout: Layout = "daily", keep_days: int | None = None) -> Body:
    """
    Give the body of ``PUT _plugins/_ism/policies/…``.

    https://docs.opensearch.org/latest/im-plugin/ism/policies/
    """
    rolls = layout in ("rollover", "stream")
    age = "min_rollover_age" if rolls else "min_index_age"
    rollover = {"rollover": {"min_primary_shard_size": f"{FULL_GB}gb"}}
    old = {"state_name": "old", "conditions": {age: f"{keep_days}d"}}
    states: list[Body] = [
        {
            "name": "young",
            "actions": [rollover] if rolls else [],
            "transitions": [old] if keep_days else [],
        }
    ]
    if keep_days:
        states.append({"name": "old", "actions": [{"delete": {}}], "transitions": []})
    pattern = name if layout == "stream" else f"{name}-*"
    policy: Body = {
        "default_state": "young",
        "states": states,
        "ism_template": [{"index_patterns": [pattern], "priority": priority(name)}],
    }
    return {"policy": {"description": _signature(policy), **policy}}


def ilm_policy(layout: Layout = "daily", keep_days: int | None = None) -> Body:
    """
    Give the body of ``PUT _ilm/policy/…``.

    https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-ilm-put-lifecycle
    """
    rolls = layout in ("rollover", "stream")
    rollover = {"rollover": {"max_primary_shard_size": f"{FULL_GB}gb"}}
    phases: dict[str, Any] = {"hot": {"min_age": "0ms", "actions": rollover if rolls else {}}}
    if keep_days:
        phases["delete"] = {"min_age": f"{keep_days}d", "actions": {"delete": {}}}
    policy: Body = {"phases": phases}
    return {"policy": {"_meta": {"managed_by": MANAGED_BY, "is": _signature(policy)}, **policy}}


def _signature(policy: Body) -> str:
    digest = hashlib.sha256(json.dumps(policy, sort_keys=True).encode()).hexdigest()[:16]
    return f"Written by {MANAGED_BY}, version {VERSION}, {digest}"
