"""Load an inventory from whatever lies at a path: files of the AWS CLI, a snapshot, a history of snapshots."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from isal import igzip, igzip_lib

from vpcflow.errors import InventoryError
from vpcflow.inventory.aws_cli import is_unwanted, pages_of
from vpcflow.inventory.capture import KINDS, Page, snapshot_of
from vpcflow.inventory.inventory import Inventory
from vpcflow.inventory.snapshots import MARK, SnapshotReader, is_snapshot, read_snapshot, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from vpcflow.inventory.model import Snapshot

    Warn = Callable[[str], None]

_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


class _Found(NamedTuple):
    """What the files at a path hold: our snapshots, and pages of the AWS CLI by their directory."""

    snapshots: list[Snapshot]
    pages: dict[Path, list[Page]]
    modified_at: dict[Path, float]


def load_inventory(
    path: str | Path,
    *,
    captured_at: float | None = None,
    warn: Callable[[str], None],
    kinds: Collection[str] | None = None,
) -> Inventory:
    """
    Load a file or a directory, recursively.

    ``kinds`` are the fields of a ``Snapshot`` that are wanted, None for all: of the AWS CLI's files those with nothing
    else are not read, and what is in them counts as not captured.

    The files of the AWS CLI in one directory are one capture; each snapshot of ours is one. ``captured_at`` (Unix
    seconds) overrides when a capture was taken; else a snapshot of ours says it, and for others the newest
    modification time of their files counts, which is said to ``warn``. Raises InventoryError.
    """
    return Inventory(load_snapshots([Path(path)], captured_at=captured_at, warn=warn, kinds=kinds))


def load_snapshots(
    paths: Sequence[Path],
    *,
    captured_at: float | None = None,
    warn: Warn,
    kinds: Collection[str] | None = None,
) -> list[Snapshot]:
    """Load the captures at several paths; see `load_inventory`."""
    found = _Found([], {}, {})
    for path in paths:
        _read_path(path, found, warn, kinds)
    snapshots = [*found.snapshots, *_captures(found, captured_at, warn, kinds)]
    if not snapshots:
        raise _nothing(paths)
    if captured_at is None:
        return snapshots
    if len(found.snapshots) > 1:
        raise InventoryError(
            f"{paths[0]}: {len(found.snapshots)} snapshots, each with a time of its own: no capture time can be given"
        )
    return [replace(s, captured_at=int(captured_at)) for s in snapshots]


def import_captures(
    paths: Sequence[Path], *, captured_at: float | None = None, warn: Warn
) -> Snapshot:
    """
    Put the AWS CLI's files at several paths together into one snapshot.

    Raises InventoryError where there are none, or where a snapshot of ours lies among them.
    """
    found = _Found([], {}, {})
    for path in paths:
        _read_path(path, found, warn)
    if found.snapshots:
        raise InventoryError(
            f"{found.snapshots[0].origin} is a snapshot already: only what the AWS CLI printed is imported"
        )
    if not found.pages:
        raise _nothing(paths)
    newest = max(found.modified_at.values())
    if captured_at is None:
        warn(_taken_as(found, newest))
    at = int(newest if captured_at is None else captured_at)
    pages = (page for of_directory in found.pages.values() for page in of_directory)
    return snapshot_of(pages, captured_at=at, origin=str(paths[0]), warn=warn)


def snapshot_of_bytes(data: bytes, origin: str, reader: SnapshotReader) -> Snapshot:
    """Read a snapshot of ours, plain or gzip; raises InventoryError where it is damaged, or none."""
    data = _plain(data, origin)
    snapshot = reader.read(data, origin) if is_snapshot(data) else None
    if snapshot is not None:
        return snapshot
    parsed = _parse(data, origin)
    if not isinstance(parsed, dict) or MARK not in parsed:
        raise InventoryError(f"{origin}: no snapshot")
    return read_snapshot(parsed, origin)


def _captures(
    found: _Found, captured_at: float | None, warn: Warn, kinds: Collection[str] | None
) -> Iterator[Snapshot]:
    """Make a snapshot of each directory of AWS CLI files."""
    if captured_at is None and found.pages:
        warn(_taken_as(found, max(found.modified_at.values())))
    for directory, pages in found.pages.items():
        at = found.modified_at[directory] if captured_at is None else captured_at
        yield snapshot_of(pages, captured_at=int(at), origin=str(directory), warn=warn, kinds=kinds)


def _taken_as(found: _Found, newest: float) -> str:
    more = f" and {len(found.pages) - 1} more" if len(found.pages) > 1 else ""
    return (
        f"the inventory in {next(iter(found.pages))}{more} is taken to be of {text_of(int(newest))},"
        " when its newest file was written: give its capture time if that is wrong"
    )


def _nothing(paths: Sequence[Path]) -> InventoryError:
    return InventoryError(
        f"{', '.join(map(str, paths))}: no inventory there: save what `aws ec2 describe-network-interfaces`"
        " and the like print as JSON files, or give a snapshot"
    )


def _read_path(path: Path, found: _Found, warn: Warn, kinds: Collection[str] | None = None) -> None:
    reader = SnapshotReader()
    if path.is_file():
        if not _read_file(path, found, reader, warn, kinds):
            raise InventoryError(f"{path}: {_unknown()}")
        return
    if not path.is_dir():
        raise InventoryError(f"{path}: no such file or directory")
    ignored = []
    for file in _files(path):
        if not _is_json_name(file) and not _starts_as_json(file):
            ignored.append(file.name)
        elif not _read_file(file, found, reader, warn, kinds):
            warn(f"{file} is left out: {_unknown()}")
    if ignored:
        warn(f"{path}: left out what is not JSON: {_first(ignored)}")


def _files(directory: Path) -> Iterable[Path]:
    """Give the files below a directory, sorted, without hidden ones."""
    for file in sorted(directory.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(directory).parts)
        if not hidden and file.is_file():
            yield file


def _is_json_name(file: Path) -> bool:
    return file.name.lower().endswith((".json", ".json.gz"))


def _starts_as_json(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def _read_file(
    file: Path,
    found: _Found,
    reader: SnapshotReader,
    warn: Warn,
    kinds: Collection[str] | None,
) -> bool:
    """Add what a file holds; false where that is nothing we know."""
    data = _read_bytes(file)
    snapshot = reader.read(data, str(file)) if is_snapshot(data) else None
    if snapshot is not None:
        found.snapshots.append(snapshot)
        return True
    pages: Sequence[Page] = ()
    if kinds is None or not is_unwanted(data, kinds):
        parsed = _parse(data, file)
        if isinstance(parsed, dict) and MARK in parsed:
            found.snapshots.append(read_snapshot(parsed, str(file)))
            return True
        pages = pages_of(parsed, file, warn)
        if not pages:
            return False
    directory = file.parent
    found.pages.setdefault(directory, []).extend(pages)
    modified_at = file.stat().st_mtime
    found.modified_at[directory] = max(modified_at, found.modified_at.get(directory, 0.0))
    return True


def _read_bytes(file: Path) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InventoryError(f"{file}: cannot be read: {error}") from error
    return _plain(data, file)


def _plain(data: bytes, origin: Path | str) -> bytes:
    """Give UTF-8, out of gzip where it is."""
    try:
        if data.startswith(b"\x1f\x8b"):
            data = igzip.decompress(data)  # type: ignore[no-untyped-call]
    except (OSError, EOFError, igzip_lib.IsalError) as error:  # type: ignore[misc]  # its stub is wrong
        raise InventoryError(f"{origin}: cannot be read: {error}") from error
    # PowerShell's `>` writes UTF-16, or UTF-8 with a byte order mark.
    for bom, encoding in _BOMS.items():
        if data.startswith(bom):
            return data.decode(encoding, "replace").encode()
    return data


def _parse(data: bytes, origin: Path | str) -> Any:
    if not data or data.isspace():
        raise InventoryError(f"{origin}: empty: did the command that should have filled it work?")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InventoryError(
            f"{origin}: not JSON ({error}): run the AWS CLI with --output json"
        ) from error


def _unknown() -> str:
    return f"neither a snapshot nor an answer with one of {', '.join(KINDS)}"


def _first(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
