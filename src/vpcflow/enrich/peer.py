"""The end of the flow that is not the network interface: its address, whose it is, and where that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow import special_ranges
from vpcflow.codes import PEER_SCOPES
from vpcflow.dictionaries import codes_of, dictionary_array, row_indices, texts_of, with_last
from vpcflow.inventory import NO_TIME, distinct_numbers

if TYPE_CHECKING:
    from vpcflow.enrich.answers import Answers
    from vpcflow.inventory import Inventory

Bools = npt.NDArray[np.bool_]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

_SCOPE = {name: code for code, name in enumerate(PEER_SCOPES)}
_VPC, _OTHER_VPC, _UNKNOWN = (_SCOPE[name] for name in ("vpc", "other_known_vpc", "unknown"))
_SCOPE_OF_CLASS = {
    special_ranges.NO_ADDRESS: "unknown",
    special_ranges.GLOBAL: "internet",
    special_ranges.PRIVATE: "private",
    special_ranges.LINK_LOCAL: "link_local",
    special_ranges.MULTICAST: "multicast",
    # They stand for public addresses wherever they are used, as in AWS's own examples.
    special_ranges.DOCUMENTATION: "internet",
    special_ranges.RESERVED: "unknown",
}
_ATTRIBUTES = {
    "peer_interface_id": "interface_id",
    "peer_security_group_ids": "security_group_ids",
    "peer_instance_id": "instance_id",
    "peer_instance_name": "instance_name",
}


class _Ends(NamedTuple):
    """
    Which end of each row is the peer: the destination, else the source; neither where not ``known``.

    ``address`` is the peer's number in ``answers.ends``, -1 where it has none.
    """

    is_destination: Bools
    known: Bools
    address: Int32s


class _Cases(NamedTuple):
    """
    What peers are looked up by. Where time does not count, many rows share a case: ``of_row`` has each row's.

    ``address`` is as in ``_Ends``; ``vpc_ids`` are those of the rows' own interfaces.
    """

    vpc_ids: pa.DictionaryArray
    address: Int32s
    start_s: Int64s
    end_s: Int64s
    of_row: npt.NDArray[np.intp]


class _Vpcs(NamedTuple):
    """
    The VPC of each case's peer, by number, an index into ``ids``, and the scope that follows; -1 for what is not known.
    """

    ids: pa.StringArray
    peer: Int32s
    scope: Int32s


class _Blocks(NamedTuple):
    """
    Which VPCs' CIDR blocks hold the addresses of a batch: the distinct sets of VPCs, by number.

    ``set_of`` gives each address's set (the last item, no address: the empty set), ``only`` the VPC of a set of one,
    else -1. ``scope[set, vpc]`` is what an address in that set is, seen from that VPC, -1 where nothing follows; its
    last column stands for VPC -1, one not known.
    """

    set_of: Int32s
    only: Int32s
    scope: npt.NDArray[np.int8]


def add_peer(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write the ``peer_…`` columns and ``local_port``; reads ``direction``.

    The peer is at the destination of ``egress`` flows and at the source of ``ingress`` flows; without a direction it
    is unknown: addresses and ports are null then, and ``peer_scope`` is ``unknown``.

    ``peer_addr`` is the packet's own address (``pkt_srcaddr``, ``pkt_dstaddr``) where it is logged, else ``srcaddr`` or
    ``dstaddr``. The two differ where a layer in between rewrote the one as at the interface (a load balancer that
    preserves client addresses), and the packet's is that of the real far end, and the one that security group rules
    see. What NAT gateways, transit gateways, appliances and secondary addresses rewrite is on the other, the
    interface's own side, which is never looked at here.

    Whose address it is, is asked in the interface's own VPC, as known or else as logged, at the flow's time; then among
    the public addresses (and IPv6) of all interfaces. ``peer_vpc_id`` is the VPC of the interface found, else the own
    VPC if its CIDR blocks hold the address, else the only known VPC whose blocks do.

    ``peer_network_name`` is there where ``peer_scope`` is ``named_network``: a VPC of the inventory that holds the
    address is asked first, as it is where the address is known to be, not what its numbers stand for at large.

    Of a Transit Gateway flow the peer is the destination, and its interface that of the destination's attachment,
    ``tgw_dst_eni``; its VPC may be known from ``tgw_dst_vpc_id``.
    """
    ends = _ends(flows, answers)
    cases = _cases(answers, ends)
    interface = _interfaces(answers, cases)
    vpcs = _vpcs(answers, cases, interface)
    scope_of_case = np.where(
        vpcs.scope < 0, _scope_of_addresses(answers)[cases.address], vpcs.scope
    )
    interface = interface.take(cases.of_row)
    scope = _scope(answers, ends, interface, scope_of_case.take(cases.of_row))
    at_destination = pa.array(ends.is_destination, mask=None if ends.known.all() else ~ends.known)
    dstport, srcport = _ports(flows, "dstport"), _ports(flows, "srcport")
    return {
        "peer_addr": dictionary_array(ends.address, answers.ends.texts),
        "peer_port": pc.if_else(at_destination, dstport, srcport),
        "local_port": pc.if_else(at_destination, srcport, dstport),
        **_attributes(answers, interface),
        "peer_vpc_id": dictionary_array(vpcs.peer.take(cases.of_row), vpcs.ids),
        "peer_scope": dictionary_array(scope, texts_of(tuple(PEER_SCOPES))),
        "peer_network_name": _network_names(answers, ends, scope),
    }


def _ends(flows: pa.RecordBatch, answers: Answers) -> _Ends:
    direction = flows.column("direction")
    # A null row's code is -1: it takes the item added at the end.
    texts = [*direction.dictionary.to_pylist(), None]
    codes = codes_of(direction)
    is_destination = np.array([text == "egress" for text in texts])[codes] | answers.at_gateway
    known = (codes >= 0) | answers.at_gateway
    address = np.where(
        is_destination, answers.packet_codes("dstaddr"), answers.packet_codes("srcaddr")
    )
    return _Ends(is_destination, known, np.where(known, address, np.int32(-1)))


def _cases(answers: Answers, ends: _Ends) -> _Cases:
    """Reduce rows to distinct (own VPC, address) where nothing else counts; else each row is a case."""
    inventory, vpc_ids = answers.reference.inventory, answers.own_vpc_ids
    has_time = inventory is not None and not (
        inventory.is_timeless and answers.reference.max_stale_s is None
    )
    if has_time or answers.at_gateway.any() or not _is_null(answers.column("tgw_dst_vpc_id")):
        every = np.arange(len(ends.address))
        return _Cases(vpc_ids, ends.address, answers.start_s, answers.end_s, every)
    width = len(answers.ends.texts) + 1
    # Both numbers from -1 on: the least key is 0.
    keys, of_row = distinct_numbers((codes_of(vpc_ids) + np.int64(1)) * width + (ends.address + 1))
    vpc, address = (one.astype(np.int32) - np.int32(1) for one in np.divmod(keys, width))
    no_time = np.full(len(keys), NO_TIME)
    return _Cases(dictionary_array(vpc, vpc_ids.dictionary), address, no_time, no_time, of_row)


def _interfaces(answers: Answers, cases: _Cases) -> Int32s:
    """Find each peer's row in the inventory's interfaces, -1 where unknown."""
    inventory, reference = answers.reference.inventory, answers.reference
    if inventory is None:
        return np.full(len(cases.address), -1, np.int32)
    address, texts = cases.address, answers.ends.texts
    rows = inventory.interfaces_at(
        cases.vpc_ids,
        dictionary_array(address, texts),
        cases.start_s,
        cases.end_s,
        max_age_s=reference.max_age_s,
        max_stale_s=reference.max_stale_s,
        located=answers.located,
    ).rows
    is_public = with_last(answers.end_classes != special_ranges.PRIVATE, False)
    left = np.flatnonzero((rows < 0) & is_public[address])
    if len(left):
        rows[left] = inventory.interfaces_by_public(
            dictionary_array(address[left], texts),
            cases.start_s[left],
            cases.end_s[left],
            max_age_s=reference.max_age_s,
            max_stale_s=reference.max_stale_s,
            located=answers.located,
        ).rows
    if answers.at_gateway.any():
        attachment = answers.interfaces_of(answers.column("tgw_dst_eni"))
        if attachment is not None:
            rows = np.where(answers.at_gateway, attachment.rows, rows)
    return rows


def _vpcs(answers: Answers, cases: _Cases, interface: Int32s) -> _Vpcs:
    """Find each peer's VPC: that of its interface, else as logged, else the one whose blocks hold the address."""
    inventory = answers.reference.inventory
    numbers: dict[str, int] = {}
    own = _numbered(cases.vpc_ids, numbers)
    logged = _logged_vpcs(answers, len(own), numbers)
    if inventory is None:
        scope = _scope_of_vpcs(own, logged, np.zeros(len(numbers) + 1, np.bool_))
        return _Vpcs(pa.array(numbers, pa.string()), logged, scope)
    of_interface = with_last(_numbered(inventory.interfaces.vpc_id, numbers), -1)
    peer = of_interface[interface]
    if answers.at_gateway.any():
        peer = np.where(peer < 0, logged, peer)
    blocks = _blocks(inventory, answers, numbers)
    known = np.zeros(len(numbers) + 1, np.bool_)
    known[[numbers[vpc_id] for vpc_id in inventory.vpc_ids]] = True
    known[of_interface] = True
    known[-1] = False

    set_ = blocks.set_of[cases.address]
    by_block = blocks.scope[set_, own]
    holder = np.where(by_block == _OTHER_VPC, blocks.only[set_], np.int32(-1))
    holder = np.where(by_block == _VPC, own, holder)
    return _Vpcs(
        pa.array(numbers, pa.string()),
        np.where(peer < 0, holder, peer),
        np.where(peer < 0, by_block, _scope_of_vpcs(own, peer, known)),
    )


def _logged_vpcs(answers: Answers, count: int, numbers: dict[str, int]) -> Int32s:
    """Give the VPC logged for each case: where there is any, each row is a case."""
    column = answers.column("tgw_dst_vpc_id")
    return np.full(count, -1, np.int32) if _is_null(column) else _numbered(column, numbers)


def _scope_of_vpcs(own: Int32s, peer: Int32s, known: Bools) -> Int32s:
    """Compare VPCs by number: of two, one not known, nothing follows but that the peer may be in either."""
    scope = np.where(own < 0, np.int32(_UNKNOWN), np.int32(_OTHER_VPC))
    scope[~known[peer]] = -1
    scope[(own == peer) & (own >= 0)] = _VPC
    return scope


def _blocks(inventory: Inventory, answers: Answers, numbers: dict[str, int]) -> _Blocks:
    """Lay the CIDR blocks of all VPCs out for the batch's addresses; numbers VPCs that have none yet."""
    with_blocks = [numbers.setdefault(vpc_id, len(numbers)) for vpc_id in inventory.vpc_ids]
    sets = inventory.vpc_sets.members
    only = np.full(len(sets), -1, np.int32)
    scope = np.full((len(sets), len(numbers) + 1), -1, np.int8)
    set_of = inventory.vpc_sets.of(answers.end_addresses)
    for number in np.flatnonzero(np.bincount(set_of)).tolist():
        members = [numbers[vpc_id] for vpc_id in sets[number]]
        if members:
            # Only of a VPC whose own blocks are known can it be said that an address is in another.
            scope[number] = _UNKNOWN
            scope[number, with_blocks] = _OTHER_VPC
            scope[number, members] = _VPC
        if len(members) == 1:
            only[number] = members[0]
    return _Blocks(with_last(set_of, 0), only, scope)


def _scope(answers: Answers, ends: _Ends, interface: Int32s, scope: Int32s) -> Int32s:
    """Choose each row's scope, an index into ``codes.PEER_SCOPES``, where the row tells more than its case's."""
    is_service = _is_logged_service(answers, ends)
    if is_service is not None:
        scope[(scope == _SCOPE["internet"]) & is_service] = _SCOPE["aws_service"]
    if answers.reference.inventory is not None and answers.own is not None:
        ids = with_last(codes_of(answers.reference.inventory.interfaces.interface_id), -1)
        is_same = (interface >= 0) & (ids.take(interface) == ids.take(answers.own.rows))
        scope[is_same & ~answers.at_gateway] = _SCOPE["same_eni"]
    return scope


def _scope_of_addresses(answers: Answers) -> Int32s:
    """Give the scope of each address of ``answers.ends``, whoever its peer is; at the end that of no address."""
    classes = answers.end_classes
    scope = np.zeros(len(classes), np.int32)
    for code, name in _SCOPE_OF_CLASS.items():
        scope[classes == code] = _SCOPE[name]
    aws_ranges, networks = answers.reference.aws_ranges, answers.reference.networks
    if aws_ranges is not None:
        is_aws = aws_ranges.lookup(answers.end_addresses) >= 0
        scope[is_aws & (scope == _SCOPE["internet"])] = _SCOPE["aws_service"]
    if networks is not None:
        scope[networks.lookup(answers.end_addresses) >= 0] = _SCOPE["named_network"]
    return with_last(scope, _SCOPE["unknown"])


def _is_logged_service(answers: Answers, ends: _Ends) -> Bools | None:
    """Tell which peers' packets have an address of an AWS service, as the log says; None where it says nothing."""
    services = [answers.column(f"pkt_{side}_aws_service") for side in ("src", "dst")]
    if all(map(_is_null, services)):
        return None
    source, destination = (np.asarray(service.is_valid(), np.bool_) for service in services)
    return np.where(ends.is_destination, destination, source)


def _ports(flows: pa.RecordBatch, name: str) -> pa.Int32Array:
    if name in flows.schema.names:
        return flows.column(name)
    return pa.nulls(flows.num_rows, pa.int32())


def _attributes(answers: Answers, interface: Int32s) -> dict[str, pa.Array]:
    inventory = answers.reference.inventory
    if inventory is None:
        return {column: answers.nulls(column) for column in _ATTRIBUTES}
    rows = row_indices(interface)
    return {
        column: getattr(inventory.interfaces, attribute).take(rows)
        for column, attribute in _ATTRIBUTES.items()
    }


def _network_names(answers: Answers, ends: _Ends, scope: Int32s) -> pa.DictionaryArray:
    networks = answers.reference.networks
    if networks is None:
        return answers.nulls("peer_network_name")
    is_named = scope == _SCOPE["named_network"]
    if not is_named.any():
        return answers.nulls("peer_network_name")
    number = with_last(networks.lookup(answers.end_addresses), -1).take(ends.address)
    return dictionary_array(np.where(is_named, number, np.int32(-1)), networks.names)


def _numbered(column: pa.DictionaryArray, numbers: dict[str, int]) -> Int32s:
    """Number the values of a column, going on with the numbers there are, and give each row's; -1 where null."""
    own = [numbers.setdefault(text, len(numbers)) for text in column.dictionary.to_pylist()]
    return np.array([*own, -1], np.int32).take(codes_of(column))


def _is_null(column: pa.Array) -> bool:
    return bool(column.null_count == len(column))
