"""What the reference knows about one batch of flows: found at first use, shared by all enrichers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.addresses import Addresses, parse_addresses
from vpcflow.dictionaries import coalesce, codes_of, row_indices, spread
from vpcflow.fields import ADDED_BY_COLUMN
from vpcflow.inventory import NO_TIME
from vpcflow.special_ranges import classify

if TYPE_CHECKING:
    from collections.abc import Collection

    from vpcflow.enrich.judgement import Judgement
    from vpcflow.enrich.reference import Reference
    from vpcflow.inventory import Interfaces, Located

TEXT = pa.dictionary(pa.int32(), pa.string())
"""Text in memory: distinct values and the number of one of them, or null, in each row."""

ADDRESS_COLUMNS = ("srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr")

_IN_MEMORY = {
    pa.string(): TEXT,
    pa.list_(pa.string()): pa.list_(TEXT),
    ADDED_BY_COLUMN["eni_tags"].type: pa.list_(pa.struct([("key", TEXT), ("value", TEXT)])),
}


class Ends(NamedTuple):
    """
    All addresses of a batch under one numbering, so that those of different columns can be compared and mixed.

    ``numbers`` has, for each address column the batch has, the number of each value of its dictionary: an index into
    ``texts``, which are distinct.
    """

    texts: pa.StringArray
    numbers: dict[str, npt.NDArray[np.int32]]


class Answers:
    """
    The answers for one batch; ``flows`` are as the parser made them, without what enrichers have added.

    An enricher may leave out columns that are not ``wanted``; None is all.
    """

    def __init__(
        self,
        flows: pa.RecordBatch,
        reference: Reference,
        wanted: Collection[str] | None = None,
    ) -> None:
        self.flows = flows
        self.reference = reference
        self._wanted = wanted
        self.columns: dict[str, pa.Array] = dict(zip(flows.schema.names, flows.columns))
        """By name, at once: Arrow looks each name up among all, and makes an array of each each time."""
        self._addresses: dict[str, Addresses] = {}
        self._packet_codes: dict[str, npt.NDArray[np.int32]] = {}
        self.judgement: Judgement | None = None
        """What rules tell of the batch, kept by ``judgement.judged``."""

    @cached_property
    def at_gateway(self) -> npt.NDArray[np.bool_]:
        """Mark the flows of a Transit Gateway: they have no network interface of their own."""
        marked = np.zeros(self.flows.num_rows, np.bool_)
        for name in ("resource_type", "tgw_id", "tgw_attachment_id", "tgw_src_eni", "tgw_dst_eni"):
            if name in self.columns:
                marked |= self.column(name).is_valid().to_numpy(zero_copy_only=False)
        return marked

    @cached_property
    def own(self) -> Interfaces | None:
        """
        Look the network interface of each row up, at the row's time; None without an inventory.

        That is ``interface_id``; of a Transit Gateway flow, ``tgw_src_eni``.
        """
        return self.interfaces_of(coalesce(self.column("interface_id"), self.column("tgw_src_eni")))

    @cached_property
    def own_vpc_ids(self) -> pa.DictionaryArray:
        """The VPC of each row's network interface: as the inventory knows it, else as logged, else null."""
        logged = coalesce(self.column("vpc_id"), self.column("tgw_src_vpc_id"))
        inventory, own = self.reference.inventory, self.own
        if inventory is None or own is None:
            return logged
        return coalesce(inventory.interfaces.vpc_id.take(row_indices(own.rows)), logged)

    @cached_property
    def start_s(self) -> npt.NDArray[np.int64]:
        """When each flow began: ``start``, else ``end``, else ``inventory.NO_TIME``."""
        return self._times("start", "end")

    @cached_property
    def end_s(self) -> npt.NDArray[np.int64]:
        """When each flow ended: ``end``, else ``start``, else ``inventory.NO_TIME``."""
        return self._times("end", "start")

    @cached_property
    def ends(self) -> Ends:
        """Number the addresses of ``srcaddr``, ``dstaddr`` and their ``pkt_`` columns together."""
        names = [name for name in ADDRESS_COLUMNS if name in self.columns]
        values = [self.column(name).dictionary for name in names]
        merged = pa.chunked_array(values, pa.string()).combine_chunks().dictionary_encode()
        places = np.cumsum([0, *map(len, values)])[1:-1]
        numbers = np.split(merged.indices.to_numpy(), places)
        return Ends(merged.dictionary, dict(zip(names, numbers)))

    @cached_property
    def end_addresses(self) -> Addresses:
        """The addresses of ``ends``, parsed."""
        count = len(self.ends.texts)
        merged = Addresses(
            np.empty(count, np.bool_),
            np.empty(count, np.bool_),
            np.empty(count, np.uint64),
            np.empty(count, np.uint64),
        )
        for name, numbers in self.ends.numbers.items():
            # The parser has read these very arrays, and ``parse_addresses`` remembers.
            for whole, part in zip(merged, parse_addresses(self.column(name).dictionary)):
                whole[numbers] = part
        return merged

    @cached_property
    def end_classes(self) -> npt.NDArray[np.int8]:
        """The classes of the addresses of ``ends``: see ``special_ranges``."""
        return classify(self.end_addresses)

    @cached_property
    def located(self) -> Located | None:
        """The addresses of ``ends`` with the inventory's networks that hold them; None without an inventory."""
        inventory = self.reference.inventory
        return None if inventory is None else inventory.locate(self.end_addresses)

    def end_codes(self, name: str) -> npt.NDArray[np.int32]:
        """Give the number in ``ends`` of each row's address, -1 where null."""
        if name not in self.ends.numbers:
            return np.full(self.flows.num_rows, -1, np.int32)
        return spread(self.ends.numbers[name], codes_of(self.column(name)))

    def packet_codes(self, name: str) -> npt.NDArray[np.int32]:
        """Give the number in ``ends`` of each row's address in the packet where it is logged, else as ``end_codes``."""
        if name not in self._packet_codes:
            codes = self.end_codes(name)
            if f"pkt_{name}" in self.ends.numbers:
                packet = self.end_codes(f"pkt_{name}")
                codes = np.where(packet < 0, codes, packet)
            self._packet_codes[name] = codes
        return self._packet_codes[name]

    def addresses(self, name: str) -> Addresses:
        """Parse the distinct addresses of an address column: item *i* is that of the dictionary's value *i*."""
        if name not in self._addresses:
            numbers = self.ends.numbers.get(name, np.zeros(0, np.int32))
            self._addresses[name] = self.end_addresses.take(numbers)
        return self._addresses[name]

    def column(self, name: str) -> pa.DictionaryArray:
        """Give a text or address column of the flows, all null where the layout lacks it."""
        if name in self.columns:
            return self.columns[name]
        return pa.nulls(self.flows.num_rows, TEXT)

    def interfaces_of(self, interface_ids: pa.DictionaryArray) -> Interfaces | None:
        """Look network interfaces up, each at its row's time; None without an inventory."""
        if self.reference.inventory is None:
            return None
        return self.reference.inventory.interfaces_of(
            interface_ids,
            self.start_s,
            self.end_s,
            max_age_s=self.reference.max_age_s,
            max_stale_s=self.reference.max_stale_s,
        )

    def owns(self, name: str) -> npt.NDArray[np.bool_]:
        """Tell in which rows an address column has one of the row's own interface; false where either is not known."""
        inventory, own, located = self.reference.inventory, self.own, self.located
        if inventory is None or own is None or located is None or name not in self.ends.numbers:
            return np.zeros(self.flows.num_rows, np.bool_)
        return inventory.owns(
            own.rows, self.column(name), located=located.take(self.ends.numbers[name])
        )

    def wants(self, added: str) -> bool:
        """Tell whether an added column is wanted."""
        return self._wanted is None or added in self._wanted

    def nulls(self, added: str) -> pa.Array:
        """Give an all-null column in place of an added one."""
        return pa.nulls(self.flows.num_rows, added_type(added))

    def _times(self, *names: str) -> npt.NDArray[np.int64]:
        times = [self.columns[name] for name in names if name in self.columns]
        if times and times[0].null_count == 0:
            return np.asarray(times[0].to_numpy(), np.int64)
        no_time = pa.scalar(NO_TIME, pa.int64())
        return np.asarray(pc.coalesce(*times, pa.repeat(no_time, self.flows.num_rows)))


def added_type(column: str) -> pa.DataType:
    """Give the type an added column has in memory: texts, also in lists, are dictionaries, save the distinct ids."""
    declared = ADDED_BY_COLUMN[column].type
    return declared if column == "event_id" else _IN_MEMORY.get(declared, declared)
