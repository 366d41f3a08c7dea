"""Load an inventory from whatever lies at a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpcflow.inventory.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def load_inventory(
    path: str | Path, *, captured_at: float | None = None, warn: Callable[[str], None]
) -> Inventory:
    """Load a directory or file."""
    raise NotImplementedError
