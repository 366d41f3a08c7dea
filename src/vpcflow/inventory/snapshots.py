"""
Our own snapshots: one JSON file, plain or gzip, for everything captured at one time.

::

    {"vpcflow_snapshot":1,"captured_at":"2026-11-24T05:39:00Z","scopes":[["123456789012","eu-west-1"]],
    "interfaces":[
    {"interface_id":"eni-…","owner_id":"123456789012","groups":[{"group_id":"sg-…","name":"web"}],…},
    {"interface_id":"eni-…",…}
    ],
    "security_groups":[
    …
    ]}

The lists are those of a `Snapshot`, each object on a line of its own: what changed between two of them is what
``diff`` shows.

Objects have the fields of the classes in `model`, tags as one object. A field that has its default is left out; a
list that was not captured is left out too, an empty one says that there was nothing. ``"gaps"``, where there are any,
are triples of a list, an account and a region in which it was not wholly captured.

Version 2 has ``vpc_peering_connections``, ``network_acls``, ``transit_gateways`` and ``transit_gateway_attachments``,
and ``max_entries`` of prefix lists; a snapshot with none of these is written as version 1, which older programs read.
Every version ever written is still read.
"""

from __future__ import annotations

import dataclasses
import gzip
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from vpcflow.errors import InventoryError
from vpcflow.inventory.capture import scopes_seen
from vpcflow.inventory.connectivity import (
    NetworkAcl,
    NetworkAclEntry,
    PeeredVpc,
    TransitGateway,
    TransitGatewayAttachment,
    VpcPeeringConnection,
)
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
    from collections.abc import Callable, Iterable, Mapping

VERSION = 2
_FILE_NAME = re.compile(r"snapshot-(\d{4}-\d\d-\d\dT\d{6}Z)\.json\.gz")
MARK = "vpcflow_snapshot"

_LISTS: Mapping[str, type[Any]] = {
    "interfaces": Eni,
    "security_groups": SecurityGroup,
    "security_group_rules": SecurityGroupRule,
    "prefix_lists": PrefixList,
    "instances": Instance,
    "subnets": Subnet,
    "vpcs": Vpc,
    "flow_logs": FlowLog,
    "vpc_peering_connections": VpcPeeringConnection,
    "network_acls": NetworkAcl,
    "transit_gateways": TransitGateway,
    "transit_gateway_attachments": TransitGatewayAttachment,
}
_SINCE_VERSION_2 = {
    "vpc_peering_connections", "network_acls", "transit_gateways", "transit_gateway_attachments",
}  # fmt: skip


def _many(cls: type[Any]) -> Callable[[Any], Any]:
    return lambda raw: tuple(cls(**one) for one in raw)


def _peered_vpc(raw: Any) -> PeeredVpc:
    return PeeredVpc(**{**raw, "cidrs": tuple(raw.get("cidrs", ()))})


_NESTED: Mapping[str, Callable[[Any], Any]] = {
    "private_addresses": _many(PrivateAddress),
    "groups": _many(GroupRef),
    "entries": _many(PrefixListEntry),
    "connection_tracking": lambda raw: ConnectionTracking(**raw),
    "requester": _peered_vpc,
    "accepter": _peered_vpc,
    "tags": lambda raw: tuple(sorted(raw.items())),
    "tag_fields": lambda raw: tuple(sorted((k, tuple(v)) for k, v in raw.items())),
}
_NESTED_IN: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(_LISTS, _NESTED),
    "network_acls": {**_NESTED, "entries": _many(NetworkAclEntry)},
}
"""How to read what is nested in the objects of each list, by its field."""


class SnapshotReader:
    """
    Reads snapshots one after the other; an object whose line was in one before is not made again.

    That makes a long history fast to read and small in memory.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[str, bytes], Any] = {}

    def read(self, data: bytes, origin: str) -> Snapshot | None:
        """
        Make a snapshot of a file; None where it is not laid out line by line, as `snapshot_json` does.

        Raises InventoryError, which names ``origin``, where the snapshot is damaged or newer than this program.
        """
        head, *lines = data.rstrip().split(b"\n")
        if not is_snapshot(data) or not head.endswith(b",") or lines[-1:] != [b"]}"]:
            return None
        lists: dict[str, list[Any]] = {}
        name = ""
        for line in lines:
            if line.startswith(b"{") and name:
                lists[name].append(self._object(name, line.rstrip(b","), origin))
            elif line.startswith(b'"') and line.endswith(b'":['):
                name = line[1:-3].decode("utf-8", "replace")
                _check_list(name, origin)
                lists[name] = []
            # An empty list is an empty line.
            elif line not in {b"", b"],", b"]}"}:
                return None
        return _snapshot(_parse(head[:-1] + b"}", origin), lists, origin)

    def forget_all_but(self, snapshots: Iterable[Snapshot]) -> None:
        """Let go of objects that are in none of these snapshots."""
        kept = {id(one) for s in snapshots for name in s.kinds for one in getattr(s, name)}
        self._made = {line: one for line, one in self._made.items() if id(one) in kept}

    def _object(self, name: str, line: bytes, origin: str) -> Any:
        one = self._made.get((name, line))
        if one is None:
            one = self._made[name, line] = _object(name, _parse(line, origin), origin)
        return one


def is_snapshot(data: bytes) -> bool:
    """Tell whether the bytes begin as a snapshot of ours does."""
    return data.startswith(b'{"%s":' % MARK.encode())


def read_snapshot(raw: dict[str, Any], origin: str) -> Snapshot:
    """Make a snapshot of parsed JSON; raises InventoryError as `SnapshotReader.read` does."""
    lists: dict[str, list[Any]] = {}
    _check_version(raw[MARK], origin)
    for name in raw.keys() - {MARK, "captured_at", "scopes", "gaps"}:
        _check_list(name, origin)
        lists[name] = [_object(name, one, origin) for one in raw[name]]
    return _snapshot(raw, lists, origin)


def _snapshot(head: dict[str, Any], lists: dict[str, list[Any]], origin: str) -> Snapshot:
    _check_version(head[MARK], origin)
    try:
        captured_at = seconds_of(head["captured_at"])
        scopes = {(account, region) for account, region in head.get("scopes", ())}
        gaps = sorted((kind, (account, region)) for kind, account, region in head.get("gaps", ()))
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(origin, error) from error
    objects = {name: tuple(ones) for name, ones in lists.items()}
    kinds = frozenset(lists)
    snapshot = Snapshot(captured_at, kinds=kinds, origin=origin, gaps=tuple(gaps), **objects)
    # An account may see others' interfaces in a VPC they share: where scopes are stated, these are no further ones.
    found = scopes or scopes_seen(snapshot)
    in_order = sorted(found, key=lambda s: (s[0] or "", s[1] or ""))
    return dataclasses.replace(snapshot, scopes=tuple(in_order))


def _check_version(version: Any, origin: str) -> None:
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise InventoryError(
            f"{origin}: snapshot format {version!r} is not known to this vpcflow, which reads up to {VERSION}:"
            " use a newer vpcflow"
        )


def _check_list(name: str, origin: str) -> None:
    if name not in _LISTS:
        raise InventoryError(f"{origin}: no snapshot has {name!r} (known: {', '.join(_LISTS)})")


def _damaged(origin: str, error: Exception) -> InventoryError:
    return InventoryError(f"{origin}: damaged snapshot ({error}): capture or import it again")


def _parse(data: bytes, origin: str) -> dict[str, Any]:
    try:
        return dict(orjson.loads(data))
    except ValueError as error:
        raise _damaged(origin, error) from error


def _object(name: str, raw: dict[str, Any], origin: str) -> Any:
    values = {}
    nested = _NESTED_IN[name]
    try:
        for field, value in raw.items():
            if field in nested and value is not None:
                values[field] = nested[field](value)
            else:
                values[field] = tuple(value) if isinstance(value, list) else value
        return _LISTS[name](**values)
    except (TypeError, ValueError, AttributeError) as error:
        raise _damaged(origin, error) from error


def snapshot_json(snapshot: Snapshot) -> bytes:
    """
    Write a snapshot as JSON, a line for each object, the same bytes for equal snapshots.

    ``Snapshot.origin`` is not part of it.
    """
    head = {
        MARK: _version_for(snapshot),
        "captured_at": text_of(snapshot.captured_at),
        "scopes": snapshot.scopes,
    }
    if snapshot.gaps:
        head["gaps"] = [(kind, *scope) for kind, scope in snapshot.gaps]
    lists = [
        b'"%s":[\n' % name.encode()
        + b"".join(b"%s,\n" % orjson.dumps(_plain(one)) for one in getattr(snapshot, name))[:-2]
        for name in _LISTS
        if name in snapshot.kinds
    ]
    if not lists:
        return orjson.dumps(head)
    return b"%s,\n" % orjson.dumps(head)[:-1] + b"\n],\n".join(lists) + b"\n]}\n"


def _version_for(snapshot: Snapshot) -> int:
    """Give the least version that has all there is."""
    is_old = _SINCE_VERSION_2.isdisjoint(snapshot.kinds) and not any(
        one.max_entries for one in snapshot.prefix_lists
    )
    return 1 if is_old else VERSION


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


def snapshot_bytes(snapshot: Snapshot, name: str) -> bytes:
    """Give the content of a file of this name: compressed where it ends in ``.gz``."""
    data = snapshot_json(snapshot)
    # No time in the header: equal snapshots are equal files.
    return gzip.compress(data, 6, mtime=0) if name.endswith(".gz") else data


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """
    Write a snapshot to a file, compressed where its name ends in ``.gz``.

    The file appears whole or not at all: it is written under a hidden name beside it, then renamed.
    """
    data = snapshot_bytes(snapshot, path.name)
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            hidden.write_bytes(data)
            hidden.replace(path)
        finally:
            hidden.unlink(missing_ok=True)
    except OSError as error:
        raise InventoryError(f"{path}: cannot be written: {error.strerror}") from error


def file_name(captured_at: int) -> str:
    """Name a snapshot after its capture time, so that names sort as times do."""
    return f"snapshot-{text_of(captured_at).replace(':', '')}.json.gz"


def time_of_name(name: str) -> int | None:
    """
    Read the capture time out of a file's name; None where it is not named as `file_name` does.

    >>> time_of_name(file_name(1_700_000_000))
    1700000000
    """
    found = _FILE_NAME.fullmatch(name)
    return seconds_of(found[1]) if found else None


def text_of(captured_at: int) -> str:
    """Write Unix seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(captured_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str) -> int:
    """Read ISO 8601; without a zone it is UTC. ValueError where it is no time; fractions are dropped."""
    parsed = datetime.fromisoformat(text)
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
