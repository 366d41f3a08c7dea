"""Small inventories for tests: made of snapshots, without files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from vpcflow.codes import INVENTORY_STATES
from vpcflow.inventory import Eni, GroupRef, Inventory, PrivateAddress, Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.inventory import Interfaces

ACCOUNT = "123456789012"
REGION = "eu-west-1"
SCOPE = (ACCOUNT, REGION)


def eni(number: int, *addresses: str, groups: str = "sg-a", **fields: Any) -> Eni:
    """Make an ENI in vpc-a with these private addresses, the first being the primary, and groups ("sg-a sg-b")."""
    given = {
        "owner_id": ACCOUNT,
        "vpc_id": "vpc-a",
        "availability_zone": f"{REGION}a",
        "private_addresses": tuple(PrivateAddress(a, i == 0) for i, a in enumerate(addresses)),
        "groups": tuple(GroupRef(g, g.removeprefix("sg-")) for g in groups.split()),
    }
    return Eni(f"eni-{number}", **{**given, **fields})


def snapshot(
    captured_at: int,
    *enis: Eni,
    scopes: Sequence[Any] = (SCOPE,),
    gaps: Sequence[Any] = (),
    **fields: Any,
) -> Snapshot:
    """Make a snapshot that captured interfaces, and the other lists given."""
    return Snapshot(
        captured_at,
        scopes=tuple(scopes),
        gaps=tuple(gaps),
        kinds=frozenset({"interfaces", *fields}),
        interfaces=enis,
        **fields,
    )


def inventory(*snapshots: Snapshot) -> Inventory:
    return Inventory(snapshots)


def column(*values: str | None) -> pa.DictionaryArray:
    """Make a column as flows have them: distinct values, null as null index."""
    return pa.array(values, pa.string()).dictionary_encode()


def seconds(*values: int) -> Any:
    return np.array(values, np.int64)


def answers(of: Inventory, found: Interfaces) -> list[tuple[Eni | None, str, int]]:
    """Spell a lookup's result out: the ENI's version, the state, the age."""
    enis = [of.versions[row].eni if row >= 0 else None for row in found.rows.tolist()]
    states = [INVENTORY_STATES[state] for state in found.state.tolist()]
    return list(zip(enis, states, found.age_s.tolist()))
