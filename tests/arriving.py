"""What tests of the objects function are written with: objects, notices of them, an inventory."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import Any

from enriching import eni, inventory

from vpcflow.inventory import Inventory
from vpcflow.pipeline import Layouts

KNOWN = eni("eni-0a1b2c3d4e5f60718", "10.0.1.24", groups="sg-1 sg-2")


class FakeInventories:
    """An inventory that knows one interface."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.age_s = 30.0

    def look_up(self, interface_ids: Any) -> Inventory:
        return inventory(KNOWN)

    def layouts(self, stream_arn: str | None = None) -> Layouts:
        return Layouts()


def new(*keys: str, bucket: str = "logs") -> str:
    records = [
        {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": k}}}
        for k in keys
    ]
    return json.dumps({"Records": records})


def log(*lines: str) -> bytes:
    return gzip.compress("".join(f"{one}\n" for one in lines).encode())


def balanced(told: dict[str, Any]) -> bool:
    parts = ("delivered", "filtered", "rejected", "failed", "requeued", "duplicate")
    return told["records_found"] == sum(told.get(f"records_{part}", 0) for part in parts)
