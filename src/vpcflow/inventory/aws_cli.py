"""The AWS CLI's own JSON files: what ``aws ec2 describe-…`` printed, known by their content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpcflow.errors import InventoryError
from vpcflow.inventory.capture import KINDS, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    Warn = Callable[[str], None]

# As every printer of JSON lays it out: what is deeper is indented further.
_ONE_LIST = re.compile(rb'\s*\{\r?\n([ \t]+)"(\w+)":[ \t]*\[\r?\n')
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


def is_unwanted(text: bytes, kinds: Collection[str]) -> bool:
    """
    Tell, without parsing it, whether a whole answer holds one list and that fills none of the wanted fields.

    False where that cannot be seen, as in a file that is not indented.

    >>> is_unwanted(b'{\\n  "Vpcs": [\\n    {"VpcId": "vpc-1"}\\n  ]\\n}\\n', {"interfaces"})
    True
    """
    begin = _ONE_LIST.match(text)
    if begin is None:
        return False
    indent, key = begin.groups()
    filled = KINDS.get(key.decode())
    if not filled or not set(filled).isdisjoint(kinds):
        return False
    codes = np.frombuffer(text, np.uint8)
    feeds = np.flatnonzero(codes == ord("\n"))
    behind = np.minimum(feeds + 1 + len(indent), len(codes) - 1)
    shallow = feeds[codes[behind] != indent[0]]
    # The list's key, its end and that of the object: nothing else is indented as little.
    return len(shallow) > 1 and text[shallow[1] :].split() == [b"]", b"}"]


def _prefix_list_id(path: Path) -> str:
    found = set(_PREFIX_LIST_ID.findall(path.name))
    if len(found) != 1:
        raise InventoryError(
            f"{path}: entries of a prefix list, whose answer doesn't name the list: name the file after it,"
            " as in get-managed-prefix-list-entries_pl-0123456789abcdef0.json"
        )
    return str(found.pop())
