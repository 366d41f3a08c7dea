"""Rules, packets and answers of the rule book, spelt so that a test reads well."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from inventories import ACCOUNT, REGION

from vpcflow.addresses import parse_addresses
from vpcflow.admission import Packets
from vpcflow.inventory import SecurityGroupRule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vpcflow.admission import Admitted, RuleBook

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58


class Asks(NamedTuple):
    """A packet that asks: the interface's row, the peer, and what it carries."""

    row: int
    peer: str | None
    port: int = 443
    protocol: int = TCP
    is_egress: bool = False
    time_s: int = 0


def rule(number: int, counterpart: str, ports: str = "", **fields: Any) -> SecurityGroupRule:
    """Make a rule of sg-a: "10.0.0.0/8", "2001:db8::/32", "sg-b" or "pl-1", with ports such as "443" or "80-90"."""
    low, _, high = ports.partition("-")
    given: dict[str, Any] = {
        "group_id": "sg-a",
        "group_owner_id": ACCOUNT,
        "region": REGION,
        "protocol": TCP if ports else -1,
        "from_port": int(low) if low else None,
        "to_port": int(high or low) if low else None,
        _kind_of(counterpart): counterpart,
    }
    return SecurityGroupRule(rule_id=f"sgr-{number}", **{**given, **fields})


def _kind_of(counterpart: str) -> str:
    if counterpart.startswith("sg-"):
        return "referenced_group_id"
    if counterpart.startswith("pl-"):
        return "prefix_list_id"
    return "ipv6_cidr" if ":" in counterpart else "ipv4_cidr"


def packets(asked: Iterable[Asks]) -> Packets:
    """Lay packets out in columns."""
    every = list(asked)
    return Packets(
        np.array([one.row for one in every], np.int32),
        np.array([one.is_egress for one in every], np.bool_),
        np.array([one.protocol for one in every], np.int32),
        np.array([one.port for one in every], np.int32),
        parse_addresses(pa.array([one.peer for one in every], pa.string())),
        np.array([one.time_s for one in every], np.int64),
    )


def keys_of(book: RuleBook, admitted: Admitted) -> list[list[str]]:
    """Give the keys of the rules that admit each packet, in their order."""
    keys = book.keys.to_pylist()
    ends = admitted.offsets.tolist()
    return [
        [keys[rule] for rule in admitted.rules[first:last].tolist()]
        for first, last in pairwise(ends)
    ]


def admitting(book: RuleBook, *asked: Asks) -> list[list[str]]:
    """Give the keys of the rules that admit each packet."""
    return keys_of(book, book.admit(packets(asked)))
