"""
Our own snapshots: one JSON file, plain or gzip, for everything captured at one time.

::

    {"vpcflow_snapshot": 1,
     "captured_at": "2026-11-24T05:39:00Z",
     "scopes": [["123456789012", "eu-west-1"]],
     "interfaces": [{"interface_id": "eni-…", "owner_id": "123456789012", "groups": [{"group_id": "sg-…"}], …}],
     "security_groups": […], "security_group_rules": […], "prefix_lists": […], "instances": […],
     "subnets": […], "vpcs": […], "flow_logs": […]}

Objects have the fields of the classes in `model`, tags as one object. A field that has its default is left out; a
list that was not captured is left out too, an empty one says that there was nothing. Room is left for lists to come:
``vpc_peerings``, ``network_acls`` and ``transit_gateway_attachments``, with a version of their own. Every version
ever written is still read.
"""

from __future__ import annotations

import dataclasses
import gzip
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from vpcflow.errors import InventoryError
from vpcflow.inventory.capture import scopes_seen
from vpcflow.inventory.model import (
    ConnectionTracking,
    Eni,
    FlowLog,
    GroupRef,
    Instance,
    PrefixList,
    PrefixListEntry,
    PrivateAddress,
    SecurityGroup,
    SecurityGroupRule,
    Snapshot,
    Subnet,
    Vpc,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VERSION = 1
MARK = "vpcflow_snapshot"

_LISTS: Mapping[str, tuple[type[Any], str]] = {
    "interfaces": (Eni, "interface_id"),
    "security_groups": (SecurityGroup, "group_id"),
    "security_group_rules": (SecurityGroupRule, "rule_id"),
    "prefix_lists": (PrefixList, "prefix_list_id"),
    "instances": (Instance, "instance_id"),
    "subnets": (Subnet, "subnet_id"),
    "vpcs": (Vpc, "vpc_id"),
    "flow_logs": (FlowLog, "flow_log_id"),
}


def _many(cls: type[Any]) -> Callable[[Any], Any]:
    return lambda raw: tuple(cls(**one) for one in raw)


_NESTED: Mapping[str, Callable[[Any], Any]] = {
    "private_addresses": _many(PrivateAddress),
    "groups": _many(GroupRef),
    "entries": _many(PrefixListEntry),
    "connection_tracking": lambda raw: ConnectionTracking(**raw),
    "tags": lambda raw: tuple(sorted(raw.items())),
    "tag_fields": lambda raw: tuple(sorted((k, tuple(v)) for k, v in raw.items())),
}


class SnapshotReader:
    """
    Reads snapshots one after the other; an object that is as it was in the one before is not made again.

    That makes a long history fast to read and small in memory.
    """

    def __init__(self) -> None:
        self._before: dict[str, dict[str, tuple[Any, Any]]] = {}

    def read(self, raw: dict[str, Any], origin: str) -> Snapshot:
        """Make a snapshot of parsed JSON; InventoryError, naming ``origin``, where it is none that we know."""
        version = raw[MARK]
        if not isinstance(version, int) or not 1 <= version <= VERSION:
            raise InventoryError(
                f"{origin}: snapshot format {version!r} is not known to this vpcflow, which reads up to {VERSION}:"
                " use a newer vpcflow"
            )
        unknown = raw.keys() - _LISTS.keys() - {MARK, "captured_at", "scopes"}
        if unknown:
            raise InventoryError(f"{origin}: no snapshot has {', '.join(sorted(unknown))}")
        try:
            lists = {name: self._objects(name, raw[name]) for name in _LISTS if name in raw}
            snapshot = Snapshot(
                captured_at=seconds_of(raw["captured_at"]),
                scopes=tuple((account, region) for account, region in raw.get("scopes", ())),
                kinds=frozenset(lists),
                origin=origin,
                **lists,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InventoryError(f"{origin}: damaged snapshot ({error})") from error
        scopes = {*snapshot.scopes, *scopes_seen(snapshot)}
        in_order = tuple(sorted(scopes, key=lambda s: (s[0] or "", s[1] or "")))
        return dataclasses.replace(snapshot, scopes=in_order)

    def _objects(self, name: str, raws: list[dict[str, Any]]) -> tuple[Any, ...]:
        cls, id_field = _LISTS[name]
        before = self._before.get(name, {})
        now: dict[str, tuple[Any, Any]] = {}
        objects = []
        for raw in raws:
            one_id = raw.get(id_field)
            known = before.get(one_id) if one_id else None
            one = known[1] if known is not None and known[0] == raw else _object(cls, raw)
            objects.append(one)
            if one_id:
                now[one_id] = raw, one
        self._before[name] = now
        return tuple(objects)


def _object(cls: type[Any], raw: dict[str, Any]) -> Any:
    values = {}
    for name, value in raw.items():
        if name in _NESTED and value is not None:
            values[name] = _NESTED[name](value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


def snapshot_json(snapshot: Snapshot) -> bytes:
    """Write a snapshot as JSON, the same bytes for equal snapshots; `Snapshot.origin` is not part of it."""
    lists = {
        name: [_plain(one) for one in getattr(snapshot, name)]
        for name in _LISTS
        if name in snapshot.kinds
    }
    head = {MARK: VERSION, "captured_at": text_of(snapshot.captured_at), "scopes": snapshot.scopes}
    return orjson.dumps({**head, **lists}, option=orjson.OPT_APPEND_NEWLINE)


def _plain(one: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in dataclasses.fields(one):
        value = getattr(one, field.name)
        if field.name in {"tags", "tag_fields"}:
            value = dict(value)
        elif dataclasses.is_dataclass(value):
            value = _plain(value)
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            value = [_plain(item) for item in value]
        if value != field.default and value != {}:
            found[field.name] = value
    return found


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """
    Write a snapshot to a file, compressed where its name ends in ``.gz``.

    The file appears whole or not at all: it is written under a hidden name beside it, then renamed.
    """
    data = snapshot_json(snapshot)
    if path.name.endswith(".gz"):
        # No time in the header: equal snapshots are equal files.
        data = gzip.compress(data, 6, mtime=0)
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden.write_bytes(data)
        hidden.replace(path)
    except OSError as error:
        raise InventoryError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        hidden.unlink(missing_ok=True)


def file_name(captured_at: int) -> str:
    """Name a snapshot after its capture time, so that names sort as times do."""
    return f"snapshot-{text_of(captured_at).replace(':', '')}.json.gz"


def text_of(captured_at: int) -> str:
    """Write Unix seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(captured_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str) -> int:
    """Read ISO 8601; without a zone it is UTC. ValueError where it is no time; fractions are dropped."""
    parsed = datetime.fromisoformat(text)
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
