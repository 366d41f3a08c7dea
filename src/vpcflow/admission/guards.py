"""What guards the interfaces of an inventory: security group rules, and network ACLs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vpcflow.admission.acls import NetworkAcls
from vpcflow.admission.rule_book import RuleBook

if TYPE_CHECKING:
    from vpcflow.inventory import Inventory


class Guards(NamedTuple):
    """Both, made ready for the first packet."""

    book: RuleBook
    acls: NetworkAcls

    @classmethod
    def of(
        cls, inventory: Inventory, *, max_age_s: int = 3600, max_stale_s: int | None = None
    ) -> Guards:
        """Make an inventory's rules and ACLs ready."""
        book = RuleBook(inventory, max_age_s=max_age_s, max_stale_s=max_stale_s)
        book.prepare()
        return cls(book, NetworkAcls(inventory))
