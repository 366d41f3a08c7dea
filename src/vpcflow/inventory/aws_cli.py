"""The AWS CLI's own JSON files: what ``aws ec2 describe-…`` printed, known by their content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpcflow.errors import InventoryError
from vpcflow.inventory.capture import KINDS, Page

if TYPE_CHECKING:
    from collections.abc import Callable

    Warn = Callable[[str], None]

_PREFIX_LIST_ID = re.compile(r"pl-[0-9a-f]+")


def pages_of(answer: Any, path: Path, warn: Warn) -> list[Page]:
    """
    Take the lists out of an answer, mostly one; none where it holds nothing that is known.

    Warns where the file is one page of several, for what is missing would count as not existing. Raises InventoryError
    where entries of a prefix list come in a file that doesn't name the list.
    """
    if not isinstance(answer, dict):
        return []
    pages = []
    for key in KINDS:
        objects = answer.get(key)
        if not isinstance(objects, list):
            continue
        list_id = _prefix_list_id(path) if key == "Entries" else ""
        pages.append(Page(key, objects, str(path), list_id))
    if pages and answer.get("NextToken"):
        warn(
            f"{path} is one page of several (it has a NextToken): what is on the others is missing;"
            " let the AWS CLI fetch all pages, without --max-items or --no-paginate"
        )
    return pages


def _prefix_list_id(path: Path) -> str:
    found = set(_PREFIX_LIST_ID.findall(path.name))
    if len(found) != 1:
        raise InventoryError(
            f"{path}: entries of a prefix list, whose answer doesn't name the list: name the file after it,"
            " as in get-managed-prefix-list-entries_pl-0123456789abcdef0.json"
        )
    return str(found.pop())
