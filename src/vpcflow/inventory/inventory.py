"""The inventory: who owned what, when; and in which VPC an address is."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.addresses import parse_addresses
from vpcflow.inventory.as_of import Interfaces, distinct_numbers, look_up, run_table
from vpcflow.inventory.cidrs import vpc_cidrs
from vpcflow.inventory.history import History, history
from vpcflow.inventory.holdings import (
    HeldPlaces,
    Holdings,
    RowRun,
    held_places,
    holdings,
    networks_of,
    own_addresses,
    private_networks_of,
    public_networks_of,
)
from vpcflow.inventory.networks import network_book
from vpcflow.inventory.table import EniVersion, InterfaceTable
from vpcflow.inventory.timeline import Entries, runs_of, timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vpcflow.addresses import Addresses
    from vpcflow.inventory.cidrs import VpcCidrs, VpcSets
    from vpcflow.inventory.holdings import OwnAddresses
    from vpcflow.inventory.model import Eni, FlowLog, Instance, Scope, Snapshot
    from vpcflow.inventory.networks import Located, Network, NetworkBook
    from vpcflow.inventory.timeline import Entry, Run

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_ANYWHERE = (None, None)


class Inventory:
    """
    Snapshots of one or many times, made ready for lookups; immutable.

    Columns given to the lookups are dictionary arrays (``dictionary<int32, string>``) with distinct values, a null
    being a null index; ``start_s`` and ``end_s`` are Unix seconds, ``NO_TIME`` where null. ``located`` is what
    ``locate`` gives for the values of the address dictionary, where the caller has it already.
    """

    def __init__(self, snapshots: Iterable[Snapshot]) -> None:
        self.snapshots = tuple(sorted(snapshots, key=lambda s: (s.captured_at, s.origin)))
        asked = [s for s in self.snapshots if "interfaces" in s.kinds]
        seen, scopes = _versions(asked)
        self._line = timeline(asked, "interfaces", scopes)
        runs = runs_of(self._line, seen)
        versions, self._row_runs = _rows(runs.values())
        self.versions: tuple[EniVersion, ...] = tuple(versions)
        """The versions behind the rows of `interfaces`, as objects."""
        self.interfaces = InterfaceTable(self.versions)
        """The versions of all ENIs as columns: what the rows of `Interfaces` index."""
        self._enis: tuple[Eni, ...] = tuple(version.eni for version in self.versions)
        self._subject_of = {interface_id: subject for subject, interface_id in enumerate(runs)}
        self._runs = run_table(
            [
                (subject, r.first, r.last, r.row, r.scope)
                for subject, of_one in enumerate(self._row_runs)
                for r in of_one
            ],
            len(asked),
        )

    # Lookups of interfaces

    def interfaces_of(
        self,
        interface_ids: pa.DictionaryArray,
        start_s: Int64s,
        end_s: Int64s,
        *,
        max_age_s: int = 3600,
        max_stale_s: int | None = None,
    ) -> Interfaces:
        """Find the version of each ENI in force then; see `as_of.look_up` for what the states mean."""
        subjects = _spread(interface_ids, self._subject_of)
        return look_up(
            self._line, self._runs, subjects, start_s, end_s,
            max_age_s=max_age_s, max_stale_s=max_stale_s,
        )  # fmt: skip

    def interfaces_at(
        self,
        vpc_ids: pa.DictionaryArray,
        addresses: pa.DictionaryArray,
        start_s: Int64s,
        end_s: Int64s,
        *,
        max_age_s: int = 3600,
        max_stale_s: int | None = None,
        located: Located | None = None,
    ) -> Interfaces:
        """
        Find the ENI version that had the address in that VPC then, as one of its addresses or in a delegated prefix.

        Public addresses count as addresses in the VPC of their ENI. Where two ENIs had the address at once, the
        answer is ``unknown``.
        """
        return self._holders(
            self._in_vpcs, _spread(vpc_ids, self._in_vpcs.places), _indices(addresses),
            self._located(addresses, located), start_s, end_s, max_age_s, max_stale_s,
        )  # fmt: skip

    def interfaces_by_public(
        self,
        addresses: pa.DictionaryArray,
        start_s: Int64s,
        end_s: Int64s,
        *,
        max_age_s: int = 3600,
        max_stale_s: int | None = None,
        located: Located | None = None,
    ) -> Interfaces:
        """
        Find the ENI version that had the address then, in whatever VPC: public IPv4 addresses and IPv6 addresses.

        IPv6 addresses of fc00::/7 may be in two VPCs at once, and are not found so.
        """
        places = np.zeros(len(addresses), np.int32)
        return self._holders(
            self._public, places, _indices(addresses), self._located(addresses, located),
            start_s, end_s, max_age_s, max_stale_s,
        )  # fmt: skip

    @property
    def private_vpcs(self) -> tuple[str, ...]:
        """The VPCs whose interfaces have private addresses, in the order of their numbers in the lookups of these."""
        return tuple(self._private.places)

    def private_places(self, located: Located) -> tuple[Int64s, Int32s]:
        """
        Give where the addresses were held as private or IPv6 address or in a delegated prefix, at whatever time.

        That is pairs of an address, by its place in ``located``, and a VPC's number, in this order.
        """
        return self._private_places.of(located.levels)

    def private_interfaces_at(
        self,
        vpcs: Int32s,
        addresses: npt.NDArray[np.integer],
        start_s: Int64s,
        end_s: Int64s,
        *,
        located: Located,
        max_age_s: int = 3600,
        max_stale_s: int | None = None,
    ) -> Interfaces:
        """
        Find as `interfaces_at` does, but by private and IPv6 addresses and delegated prefixes alone.

        ``vpcs`` are numbers of VPCs, ``addresses`` places in ``located``, -1 each where not known.
        """
        return self._holders(
            self._private, vpcs, addresses, located, start_s, end_s, max_age_s, max_stale_s
        )

    def owns(
        self, rows: Int32s, addresses: pa.DictionaryArray, *, located: Located | None = None
    ) -> Bools:
        """Tell for each row whether the address is one of that ENI version's; false where row or address is unknown."""
        levels = self._located(addresses, located).levels
        return self._own.hold(rows, levels, _indices(addresses))

    def locate(self, addresses: Addresses) -> Located:
        """Find the networks of the ENIs that hold each address: what the lookups of addresses begin with."""
        return self._book.locate(addresses)

    # CIDR questions

    def in_vpc(
        self,
        vpc_ids: pa.DictionaryArray,
        addresses: pa.DictionaryArray,
        *,
        parsed: Addresses | None = None,
    ) -> Bools:
        """Tell for each row whether the address is in that VPC's CIDR blocks (IPv4 and IPv6); false where unknown."""
        numbers = _numbers(addresses, parsed)
        index, vpc = _indices(addresses), _indices(vpc_ids)
        found = np.zeros(len(addresses), np.bool_)
        for code, vpc_id in enumerate(vpc_ids.dictionary.to_pylist()):
            if vpc_id in self._cidrs.by_vpc:
                held = np.append(self._cidrs.holding(vpc_id, numbers), False)
                found |= (vpc == code) & held[index]
        return found

    def known_vpcs(
        self, values: pa.Array, *, parsed: Addresses | None = None
    ) -> list[tuple[str, ...]]:
        """Give for each of the distinct addresses the known VPCs whose CIDR blocks hold it, sorted."""
        return self._cidrs.vpcs_of(parse_addresses(values) if parsed is None else parsed)

    def prepare(self) -> None:
        """
        Make now what else the first flows would wait for.

        Where a hand has written what EC2 does not, that raises ``InventoryError``, ``TypeError``, ``ValueError`` or
        ``AttributeError``.
        """
        self.interfaces.make_all()
        for _ in (self.vpc_sets, self._own, self._in_vpcs, self._public):
            pass

    @cached_property
    def vpc_sets(self) -> VpcSets:
        """The known VPCs by address, as ``known_vpcs``, for many addresses at once."""
        return self._cidrs.sets()

    @property
    def is_timeless(self) -> bool:
        """Whether there is but one snapshot: which interface is found then depends on no flow's time."""
        return len(self._line.times) <= 1

    # What there is

    def knows(self, interface_id: str) -> bool:
        """Tell whether an interface is in any of the snapshots."""
        return interface_id in self._subject_of

    @property
    def vpc_ids(self) -> tuple[str, ...]:
        """All VPCs with known CIDR blocks, sorted."""
        return tuple(sorted(self._cidrs.by_vpc))

    @property
    def vpc_blocks(self) -> dict[str, tuple[Network, ...]]:
        """The CIDR blocks of each VPC, of all times."""
        return self._cidrs.by_vpc

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The accounts and regions of the snapshots, sorted."""
        found = {scope for snapshot in self.snapshots for scope in snapshot.scopes}
        return tuple(sorted(found, key=lambda s: (s[0] or "", s[1] or "")))

    @cached_property
    def flow_logs(self) -> tuple[FlowLog, ...]:
        """Every flow log of any snapshot, as the latest that has it shows it, sorted by id."""
        latest = {f.flow_log_id: f for snapshot in self.snapshots for f in snapshot.flow_logs}
        return tuple(latest[i] for i in sorted(latest))

    @cached_property
    def history(self) -> History:
        """The validity intervals of every object."""
        return history(self.snapshots)

    @property
    def capture_times(self) -> tuple[int, ...]:
        """When the snapshots were taken, Unix seconds, ascending."""
        return tuple(s.captured_at for s in self.snapshots)

    @cached_property
    def _cidrs(self) -> VpcCidrs:
        return vpc_cidrs(self.snapshots)

    @cached_property
    def _networks(self) -> list[list[Network]]:
        return [networks_of(eni) for eni in self._enis]

    @cached_property
    def _book(self) -> NetworkBook:
        return network_book(n for of_one in self._networks for n in of_one)

    @cached_property
    def _in_vpcs(self) -> Holdings:
        return self._holdings([eni.vpc_id for eni in self._enis], self._networks)

    @cached_property
    def _private(self) -> Holdings:
        own = [private_networks_of(eni) for eni in self._enis]
        return self._holdings([eni.vpc_id for eni in self._enis], own)

    @cached_property
    def _private_places(self) -> HeldPlaces:
        return held_places(self._private)

    @cached_property
    def _public(self) -> Holdings:
        own = [public_networks_of(eni) for eni in self._enis]
        return self._holdings([""] * len(own), own)

    @cached_property
    def _own(self) -> OwnAddresses:
        return own_addresses(self._networks, self._book)

    def _holdings(self, place: Sequence[str | None], own: Sequence[list[Network]]) -> Holdings:
        runs = (run for of_one in self._row_runs for run in of_one)
        return holdings(self._line, runs, self._book, place, own)

    def _located(self, addresses: pa.DictionaryArray, located: Located | None) -> Located:
        return self.locate(_numbers(addresses, None)) if located is None else located

    def _holders(
        self,
        held: Holdings,
        places: Int32s,
        index: npt.NDArray[np.integer],
        located: Located,
        start_s: Int64s,
        end_s: Int64s,
        max_age_s: int,
        max_stale_s: int | None,
    ) -> Interfaces:
        levels = located.levels
        subjects = np.full(len(index), -1, np.int32)
        maybe = np.flatnonzero((places >= 0) & _any_level(levels).take(index))
        width = len(located.addresses.valid)
        pairs, code = distinct_numbers(places[maybe].astype(np.int64) * width + index[maybe])
        if len(maybe):
            place, address = np.divmod(pairs, width)
            found = held.subjects(place.astype(np.int32), [level[address] for level in levels])
            subjects[maybe] = found[code]
        return look_up(
            self._line, held.runs, subjects, start_s, end_s,
            max_age_s=max_age_s, max_stale_s=max_stale_s,
        )  # fmt: skip


def _versions(
    snapshots: Iterable[Snapshot],
) -> tuple[list[list[Entry[EniVersion]]], Iterable[Scope]]:
    """Give the ENI versions of each snapshot, and the scopes of all."""
    names: Entries[Instance, str | None] = Entries(lambda i: (i.instance_id, _ANYWHERE, i.name))
    # Snapshots of a history share the objects that did not change; a version keeps its own, so identities stay.
    known: dict[tuple[int, str | None], Entry[EniVersion]] = {}
    seen = []
    for snapshot in snapshots:
        name_of = {instance_id: name for instance_id, _, name in names.of(snapshot.instances)}
        entries = []
        for eni in snapshot.interfaces:
            name = name_of.get(eni.instance_id or "")
            entry = known.get((id(eni), name))
            if entry is None:
                entry = eni.interface_id, eni.scope, EniVersion(eni, name)
                known[id(eni), name] = entry
            entries.append(entry)
        seen.append(entries)
    return seen, dict.fromkeys(scope for _, scope, _ in known.values())


def _rows(
    runs: Iterable[list[Run[EniVersion]]],
) -> tuple[list[EniVersion], list[list[RowRun]]]:
    """Number the versions, and give the runs of each ENI by these numbers; a version that comes back keeps its own."""
    versions: list[EniVersion] = []
    found = []
    for of_one in runs:
        # Versions of two ENIs are never equal: only an ENI's own are compared.
        own: list[tuple[EniVersion, int]] = []
        row_runs = []
        for run in of_one:
            row = next((row for version, row in own if version == run.value), len(versions))
            if row == len(versions):
                versions.append(run.value)
                own.append((run.value, row))
            row_runs.append(RowRun(run.first, run.last, row, run.scope))
        found.append(row_runs)
    return versions, found


def _numbers(addresses: pa.DictionaryArray, parsed: Addresses | None) -> Addresses:
    return parse_addresses(addresses.dictionary) if parsed is None else parsed


def _indices(column: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    """Give the dictionary index of each row, -1 where null."""
    indices = column.indices
    if indices.null_count:
        indices = indices.fill_null(-1)
    return np.asarray(indices.to_numpy())


def _spread(column: pa.DictionaryArray, codes: dict[str, int]) -> Int32s:
    """Look every distinct value up and give each row its code; -1 where null or not found."""
    found = [codes.get(value, -1) for value in column.dictionary.to_pylist()]
    return np.array([*found, -1], np.int32).take(_indices(column))


def _any_level(levels: list[Int32s]) -> Bools:
    """Tell which addresses are in any network; false at the end, which is where index -1 looks."""
    found = np.zeros(len(levels[0]) + 1, np.bool_)
    for level in levels:
        found[:-1] |= level >= 0
    return found
