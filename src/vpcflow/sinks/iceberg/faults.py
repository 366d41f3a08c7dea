"""What is said of an error of a catalog or a store: one line, and no secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vpcflow.sinks.iceberg.address import is_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 300
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def told(error: BaseException, properties: Mapping[str, object] | None = None) -> str:
    """
    Say what an error says, in one line; values of secret properties, and names before ``@`` in addresses, masked.

    >>> told(ValueError("no answer from https://me:pass@example.com\\nwith k3y"), {"s3.secret-access-key": "k3y"})
    'no answer from https://***@example.com with ***'
    """
    text = " ".join(str(error).split()) or type(error).__name__
    for name, value in (properties or {}).items():
        if is_secret(name) and value:
            text = text.replace(str(value), "***")
    text = _USER_INFO.sub("***", text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
