"""Which network interfaces a connection passes, by the addresses of its ends or by one that is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from vpcflow.errors import FormatError, InventoryError
from vpcflow.rules.explain import Place, Places

if TYPE_CHECKING:
    from vpcflow.inventory import Eni, Inventory
    from vpcflow.rules.explain import Explainer, Question


def places_at(
    explainer: Explainer, question: Question, interface_id: str, direction: str | None = None
) -> Places:
    """
    Find how a connection passes a named interface, and the one at the other end where group references reach it.

    One that has neither address, as a NAT gateway or a firewall, is passed in the given direction (that of the opening
    packet), both ways where that is not known. Raises ``InventoryError`` where there is no such interface then.
    """
    inventory = explainer.inventory
    row = _row_of(inventory, interface_id, question.time_s)
    rows = np.array([row], np.int32)
    egress, ingress = Place(row, is_egress=True), Place(row, is_egress=False)
    is_sender = bool(inventory.owns(rows, _column(question.initiator_addr))[0])
    is_receiver = bool(inventory.owns(rows, _column(question.responder_addr))[0])
    if is_sender != is_receiver:
        return _with_peer(explainer, question, egress if is_sender else ingress)
    note = f"{interface_id} has {'both addresses' if is_sender else 'neither address: it forwards'}"
    if direction is not None:
        return Places((egress if direction == "egress" else ingress,), (note,))
    return Places((ingress, egress) if not is_sender else (egress, ingress), (note,))


def places_between(explainer: Explainer, question: Question) -> Places:
    """
    Find the interfaces that have the addresses of initiator and responder.

    Raises ``InventoryError`` where none has, ``FormatError`` where one has to be named to tell which is meant.
    """
    inventory, time_s = explainer.inventory, question.time_s
    senders = _holders(inventory, question.initiator_addr, time_s)
    receivers = _holders(inventory, question.responder_addr, time_s)
    if not senders and not receivers:
        raise InventoryError(
            f"the inventory knows no interface that had {question.initiator_addr} or {question.responder_addr}"
        )
    senders, receivers = _in_one_vpc(inventory, senders, receivers)
    for address, rows in ((question.initiator_addr, senders), (question.responder_addr, receivers)):
        if len(rows) > 1:
            enis = (inventory.versions[row].eni for row in rows)
            said = " and ".join(f"{eni.interface_id} ({eni.vpc_id})" for eni in enis)
            raise FormatError(f"{address} is an address of {said}: choose one with --interface")
    places = [Place(row, is_egress=True) for row in senders]
    places += [Place(row, is_egress=False) for row in receivers]
    if len(places) == 1:
        return _with_peer(explainer, question, places[0])
    return _without_translated(inventory, question, tuple(places))


def _with_peer(explainer: Explainer, question: Question, own: Place) -> Places:
    peer_row = explainer.peer_of(question, own)
    peer = question.responder_addr if own.is_egress else question.initiator_addr
    if peer_row < 0:
        return Places((own,), (f"{peer} is no address of a known interface: its side is not told",))
    other = Place(peer_row, is_egress=not own.is_egress)
    return Places((own, other) if own.is_egress else (other, own), ())


def _without_translated(
    inventory: Inventory, question: Question, places: tuple[Place, ...]
) -> Places:
    """Leave out an end that is reached by its public address: it sees another address than the initiator's own."""
    sender, receiver = (inventory.versions[place.row].eni for place in places)
    if question.responder_addr not in receiver.public_addresses:
        return Places(places, ())
    if question.initiator_addr in sender.public_addresses:
        return Places(places, ())
    note = (
        f"{receiver.interface_id} is reached by its public address and sees the one {question.initiator_addr} is"
        " translated to: ask with that for what it makes of it"
    )
    return Places(places[:1], (note,))


def _row_of(inventory: Inventory, interface_id: str, time_s: int) -> int:
    at = np.array([time_s], np.int64)
    row = int(inventory.interfaces_of(_column(interface_id), at, at).rows[0])
    if row < 0:
        raise InventoryError(f"the inventory knows no interface {interface_id!r} then")
    return row


def _holders(inventory: Inventory, address: str, time_s: int) -> list[int]:
    """Give the rows of the interfaces that had an address, in any VPC."""
    vpcs = sorted({v.eni.vpc_id for v in inventory.versions if v.eni.vpc_id is not None})
    if not vpcs:
        return []
    at = np.full(len(vpcs), time_s, np.int64)
    addresses = pa.array([address] * len(vpcs)).dictionary_encode()
    found = inventory.interfaces_at(pa.array(vpcs).dictionary_encode(), addresses, at, at)
    return [row for row in found.rows.tolist() if row >= 0]


def _in_one_vpc(
    inventory: Inventory, senders: list[int], receivers: list[int]
) -> tuple[list[int], list[int]]:
    """Of several interfaces that have an address keep those in a VPC that the other end is in too, if any is."""

    def vpc(row: int) -> str | None:
        eni: Eni = inventory.versions[row].eni
        return eni.vpc_id

    if len(senders) < 2 and len(receivers) < 2:
        return senders, receivers
    shared = {*map(vpc, senders)} & {*map(vpc, receivers)}
    kept = ([row for row in rows if vpc(row) in shared] for rows in (senders, receivers))
    near_senders, near_receivers = kept
    return (near_senders, near_receivers) if shared else (senders, receivers)


def _column(value: str) -> pa.DictionaryArray:
    return pa.array([value], pa.string()).dictionary_encode()
