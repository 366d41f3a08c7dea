"""What an MMDB file says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow import native

if TYPE_CHECKING:
    from maxminddb.reader import Metadata as Theirs

_MARK = b"\xab\xcd\xefMaxMind.com"
_MOST_BYTES = 128 * 1024
_FORMAT_VERSION = 2
_NUMBERS = ("binary_format_major_version", "node_count", "record_size", "ip_version", "build_epoch")
_TEXTS = ("database_type", "description/en")


class Metadata(NamedTuple):
    """The metadata section, as far as it is used; ``description`` is the English one, None where there is none."""

    node_count: int
    record_size: int
    ip_version: int
    build_epoch: int
    database_type: str
    description: str | None


def metadata_of(theirs: Theirs) -> Metadata:
    """Take it from what ``maxminddb`` has read."""
    return Metadata(
        theirs.node_count,
        theirs.record_size,
        theirs.ip_version,
        theirs.build_epoch,
        theirs.database_type,
        theirs.description.get("en"),
    )


def read_metadata(data: npt.NDArray[np.uint8]) -> Metadata | None:
    """
    Read it out of a whole file; None where that has to be looked at more closely, or there is no compiled code.

    To import ``maxminddb`` takes 27 ms, and most runs never ask it anything else.
    """
    tail = data[-_MOST_BYTES:]
    at = tail.tobytes().rfind(_MARK)
    if at < 0:
        return None
    section = tail[at + len(_MARK) :]
    values = native.find_values(section, np.zeros(1, np.int64), (*_NUMBERS, *_TEXTS))
    if values is None or (values.kinds[: len(_NUMBERS)] != native.INTEGER).any():
        return None
    version, nodes, bits, ip_version, epoch = values.numbers[: len(_NUMBERS), 0].tolist()
    try:
        type_, description = (
            str(section[at : at + size].data, "utf-8") if kind == native.TEXT else None
            for kind, at, size in zip(*(array[len(_NUMBERS) :, 0].tolist() for array in values))
        )
    except UnicodeDecodeError:
        return None
    is_usual = version == _FORMAT_VERSION and bits in (24, 28, 32) and ip_version in (4, 6)
    if not is_usual or nodes <= 0 or type_ is None:
        return None
    return Metadata(nodes, bits, ip_version, epoch, type_, description)
