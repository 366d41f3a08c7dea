"""Named networks: the user's own list of CIDR blocks with a name and a kind (offices, partners, on-premises ranges)."""

from __future__ import annotations

import csv
import io
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson
import pyarrow as pa

from vpcflow.errors import ReferenceDataError
from vpcflow.prefixes import PrefixTable, prefix_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

    from vpcflow.addresses import Addresses

_HINT = "write CSV with the header cidr,name,kind, or a JSON list of such objects"


class Network(NamedTuple):
    """A CIDR block with its name; ``kind`` is free text, "" where not given."""

    cidr: str
    name: str
    kind: str


@dataclass(frozen=True)
class Networks:
    """The distinct names of all blocks, in the order of the file, their kinds, and which block has which name."""

    names: pa.StringArray
    kinds: pa.StringArray
    table: PrefixTable

    def lookup(self, addresses: Addresses) -> npt.NDArray[np.int32]:
        """Give the index into ``names`` of the longest block that holds each address; -1 where none does."""
        return self.table.lookup(addresses)


def load_networks(path: str | Path) -> Networks:
    """
    Read a file of named networks: CSV with the header ``cidr,name,kind``, or a JSON list of objects with these keys.

    Which one it is, its first character tells. ``kind`` may be missing; several blocks may share a name. Raises
    ReferenceDataError with the line (CSV) or entry (JSON); all faulty blocks are named at once.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ReferenceDataError(f"networks file {str(path)!r} cannot be read: {error}") from error
    read = _from_json if text.lstrip().startswith(("[", "{")) else _from_csv
    try:
        return _networks(read(text))
    except ValueError as error:
        raise ReferenceDataError(f"networks file {str(path)!r}: {error} ({_HINT})") from error


def _networks(entries: Iterable[tuple[str, Network]]) -> Networks:
    """Check and index pairs of place ("line 3") and network. Raises ValueError with all faults."""
    kinds: dict[str, str] = {}
    blocks: dict[str, tuple[str, str]] = {}
    faults: list[str] = []
    for place, network in entries:
        fault = _fault(network)
        if fault is None and network.cidr in blocks:
            fault = f"{network.cidr!r} stands in {blocks[network.cidr][0]} already"
        if fault is None and kinds.setdefault(network.name, network.kind) != network.kind:
            fault = f"{network.name!r} is of kind {kinds[network.name]!r} further up"
        if fault is None:
            blocks[network.cidr] = (place, network.name)
        else:
            faults.append(f"{place}: {fault}")
    if faults:
        raise ValueError("; ".join(faults))
    numbers = {name: number for number, name in enumerate(kinds)}
    return Networks(
        names=pa.array(kinds.keys(), pa.string()),
        kinds=pa.array(kinds.values(), pa.string()),
        table=prefix_table((cidr, numbers[name]) for cidr, (_, name) in blocks.items()),
    )


def _fault(network: Network) -> str | None:
    if not network.name:
        return f"{network.cidr!r} has no name"
    try:
        ipaddress.ip_network(network.cidr)
    except ValueError as error:
        return str(error)
    return None


def _from_csv(text: str) -> Iterator[tuple[str, Network]]:
    rows = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if header not in (["cidr", "name", "kind"], ["cidr", "name"]):
            raise ValueError(f"line 1: no header, found {','.join(header)!r}")
        for row in rows:
            if not row:
                continue
            if len(row) > len(header) or len(row) < 2:
                raise ValueError(f"line {rows.line_num}: {len(row)} values, expected {len(header)}")
            cidr, name, kind = (*(value.strip() for value in row), "")[:3]
            yield f"line {rows.line_num}", _network(cidr, name, kind)
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num}: {error}") from error


def _from_json(text: str) -> Iterator[tuple[str, Network]]:
    entries = orjson.loads(text)
    if not isinstance(entries, list):
        raise ValueError("the JSON is no list")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not {"cidr"} <= entry.keys() <= {"cidr", "name", "kind"}:
            raise ValueError(f"entry {number}: no object of cidr, name and kind")
        values = [entry.get(key, "") for key in ("cidr", "name", "kind")]
        if not all(isinstance(value, str) for value in values):
            raise ValueError(f"entry {number}: cidr, name and kind are texts")
        yield f"entry {number}", _network(*values)


def _network(cidr: str, name: str, kind: str) -> Network:
    """Write the block in its one spelling, so that equal blocks are found; a bad one is left for ``_fault``."""
    try:
        return Network(str(ipaddress.ip_network(cidr)), name, kind)
    except ValueError:
        return Network(cidr, name, kind)
