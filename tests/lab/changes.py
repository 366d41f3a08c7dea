"""Changes of rules that the lab really makes, and that a replay must foretell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lab.inventory import describe_rule
from lab.vpc import APP, DATABASE, ICMP, METRICS, OFFICES, PROXY, RULES, TCP, UDP, rule

if TYPE_CHECKING:
    from lab.vpc import Rule


class Change(NamedTuple):
    """Rules that go, by id, then rules that come."""

    remove: tuple[str, ...] = ()
    add: tuple[Rule, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """The change as ``vpcflow rules replay`` reads it."""
        return {"remove": list(self.remove), "add": [describe_rule(one) for one in self.add]}


_ID = "sgr-0fffffffffffff{:03d}".format

CHANGES = {
    # One of several rules that admit the same, and rules that are alone.
    "narrower": Change(tuple(map(_ID, (11, 41, 50, 61, 16, 60, 21)))),
    # Ranges replaced by references, and the other way round; a rule that comes back changed under its id.
    "rewritten": Change(
        tuple(map(_ID, (10, 11, 40, 42, 31, 17, 62))),
        (
            rule(10, APP, "ingress", TCP, (8080, 8080), "10.0.0.10/32"),
            rule(90, APP, "ingress", TCP, (9001, 9001), APP),
            rule(91, DATABASE, "ingress", TCP, (5432, 5432), "10.0.1.11/32"),
            rule(92, PROXY, "ingress", TCP, (22, 22), OFFICES),
            rule(93, METRICS, "ingress", UDP, (53, 53), "2001:db8:ffff:2::/64"),
            rule(94, PROXY, "ingress", ICMP, (-1, -1), "192.0.2.0/24"),
        ),
    ),
    # The rule for replies of connections that are not tracked: without it they are tracked, and need none.
    "tracked": Change((_ID(72),)),
    # Nothing is admitted by anyone.
    "closed": Change(tuple(one.id for one in RULES)),
}  # fmt: skip
