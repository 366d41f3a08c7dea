"""What guards the interfaces of an inventory: security group rules, and network ACLs."""

from __future__ import annotations

import functools
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
        """Give an inventory's rules and ACLs, made ready; of the inventory asked for last they are kept."""
        return _made(inventory, max_age_s, max_stale_s)


# A function asks for each batch, of an inventory that stays for minutes; making ready takes up to a second.
@functools.lru_cache(maxsize=1)
def _made(inventory: Inventory, max_age_s: int, max_stale_s: int | None) -> Guards:
    book = RuleBook(inventory, max_age_s=max_age_s, max_stale_s=max_stale_s)
    book.prepare()
    return Guards(book, NetworkAcls(inventory))
