"""The table of addresses that talk: those of the network's ENIs, and public ones; traffic speaks of them by row."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vpcflow.generate.network import Eni

IntArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]

SAME_VPC, PEERING, GATEWAY_ENDPOINT, INTERNET_GATEWAY = 1, 4, 7, 8
"""Codes of ``traffic-path``, as seen by a Nitro instance that sends there."""

_PREFIX_ADDRESSES = 4


class Endpoints(NamedTuple):
    """
    One row an address; the last row is ``-``, of records without traffic.

    ``eni`` is the row of its ENI in the network, -1 for public addresses. ``shown`` is the row of the address that the
    ENI's own records show for it as a destination: AWS writes the primary private IPv4 address for a secondary one.
    ``path`` is the traffic path of what is sent there from its own VPC, ``service`` the AWS service it belongs to or
    ``-``.
    """

    texts: list[str]
    eni: IntArray
    shown: IntArray
    ipv6: BoolArray
    path: IntArray
    service: list[str]

    @property
    def dash(self) -> int:
        """The row of ``-``."""
        return len(self.texts) - 1


class EndpointsBuilder:
    """Collects addresses; ``ipv4_of`` and ``ipv6_of`` give the rows of an ENI's addresses."""

    def __init__(self, enis: Iterable[Eni]) -> None:
        self._texts: list[str] = []
        self._eni: list[int] = []
        self._shown: list[int] = []
        self._path: list[int] = []
        self._service: list[str] = []
        self._ipv4: list[range] = []
        self._ipv6: list[range] = []
        for number, eni in enumerate(enis):
            primary = len(self._texts)
            delegated = [address for block in eni.prefixes for address in _some_of(block)]
            self._ipv4.append(self._add_own((*eni.ipv4, *delegated), number, primary))
            self._ipv6.append(self._add_own(eni.ipv6, number, None))

    def ipv4_of(self, enis: Iterable[int], *, primary_only: bool = False) -> IntArray:
        """Give the rows of the ENIs' private IPv4 addresses, delegated prefixes' among them."""
        return _rows(self._ipv4[eni][:1] if primary_only else self._ipv4[eni] for eni in enis)

    def ipv6_of(self, enis: Iterable[int]) -> IntArray:
        return _rows(self._ipv6[eni] for eni in enis)

    def add_public(
        self, texts: Sequence[str], *, path: int = INTERNET_GATEWAY, service: str = "-"
    ) -> IntArray:
        """Add public addresses and give their rows."""
        first = len(self._texts)
        self._texts += texts
        self._eni += [-1] * len(texts)
        self._shown += range(first, first + len(texts))
        self._path += [path] * len(texts)
        self._service += [service] * len(texts)
        return np.arange(first, first + len(texts), dtype=np.int32)

    def build(self) -> Endpoints:
        rows = len(self._texts)
        return Endpoints(
            texts=[*self._texts, "-"],
            eni=np.array([*self._eni, -1], np.int32),
            shown=np.array([*self._shown, rows], np.int32),
            ipv6=np.array([*(":" in text for text in self._texts), False], np.bool_),
            path=np.array([*self._path, 0], np.int32),
            service=[*self._service, "-"],
        )

    def _add_own(self, texts: Sequence[str], eni: int, primary: int | None) -> range:
        rows = range(len(self._texts), len(self._texts) + len(texts))
        self._texts += texts
        self._eni += [eni] * len(texts)
        self._shown += rows if primary is None else [primary] * len(texts)
        self._path += [SAME_VPC] * len(texts)
        self._service += ["-"] * len(texts)
        return rows


def _rows(ranges: Iterable[range]) -> IntArray:
    return np.array([row for rows in ranges for row in rows], np.int32)


def _some_of(block: str) -> list[str]:
    """Give a few addresses of a delegated prefix: containers don't use all of it."""
    network = ipaddress.IPv4Network(block)
    return [str(network[i]) for i in range(1, 1 + _PREFIX_ADDRESSES)]
