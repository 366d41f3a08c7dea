"""Who talks to whom: patterns of traffic, and connections drawn from them, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.generate.admission import ACCEPTED, ICMP, ICMPV6, TCP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.generate.endpoints import BoolArray, Endpoints, IntArray

FloatArray = npt.NDArray[np.float64]
LongArray = npt.NDArray[np.int64]

_ROUND_SHARE = 0.35
_STANDING_AGE_S = 3600.0


class Shape(NamedTuple):
    """
    The medians of a connection: seconds, packets, and bytes a packet, out (from the initiator) and in.

    ``spread`` is the deviation of the logarithm of its duration and of its packets.
    """

    duration_s: float
    packets_out: int
    packets_in: int
    size_out: int
    size_in: int
    spread: float = 0.8


class Pattern(NamedTuple):
    """
    A kind of connection: any of ``initiators`` opens it to any of ``responders`` (rows of the endpoints, one family).

    Of public addresses few are busy and most are rare (Zipf), but none is left out. ``verdict`` is what becomes of the
    first packet; where it is accepted, ``replies`` is what becomes of the answer, from each of the initiator's ports
    on. ``via`` is the row of the NAT gateway's ENI it passes, or -1. ``standing`` connections were open before the
    simulation starts, and stay so.
    """

    name: str
    initiators: IntArray
    responders: IntArray
    protocol: int
    port: int
    per_minute: float
    shape: Shape
    verdict: int = ACCEPTED
    via: int = -1
    standing: int = 0
    replies: tuple[tuple[int, int], ...] = ((0, ACCEPTED),)


class Connections(NamedTuple):
    """
    Connections, a row each. Times are seconds since the simulation's start; a standing connection began before it.

    ``reset`` marks those that end by RST instead of FIN. ``via_port`` is the NAT gateway's port.
    """

    number: LongArray
    pattern: IntArray
    start: FloatArray
    duration: FloatArray
    initiator: IntArray
    responder: IntArray
    initiator_port: IntArray
    responder_port: IntArray
    protocol: IntArray
    packets_out: LongArray
    packets_in: LongArray
    bytes_out: LongArray
    bytes_in: LongArray
    verdict: IntArray
    via: IntArray
    via_port: IntArray
    reset: BoolArray


class Traffic:
    """
    Draws connections of the patterns, step by step.

    It counts connections, and whose turn it is in each pool of public addresses; apart from that, what a step gives
    depends on its random generator alone.
    """

    def __init__(self, patterns: Sequence[Pattern], endpoints: Endpoints) -> None:
        self.patterns = tuple(patterns)
        self.drawn = 0
        self._endpoints = endpoints
        self._pools = _Pools()
        self._sides = (
            np.array([self._pools.add(p.initiators) for p in patterns]),
            np.array([self._pools.add(p.responders) for p in patterns]),
        )
        self._pools.close(endpoints)
        self._rates = np.array([p.per_minute for p in patterns])
        self._shapes = np.array([p.shape for p in patterns])
        self._cut = {
            number: np.array(p.replies, np.int32).T
            for number, p in enumerate(patterns)
            if p.verdict == ACCEPTED and p.replies != ((0, ACCEPTED),)
        }
        self._fixed = np.array([(p.protocol, p.port, p.verdict, p.via) for p in patterns], np.int32)

    @property
    def per_minute(self) -> float:
        """Connections a minute, of all patterns together."""
        return float(self._rates.sum())

    def draw(
        self, rng: np.random.Generator, start_s: float, length_s: float, rate_scale: float
    ) -> Connections:
        """Draw the connections that begin in a step of the simulation."""
        count = int(rng.poisson(self.per_minute * rate_scale * length_s / 60))
        share = np.cumsum(self._rates) / self.per_minute
        pattern = np.searchsorted(share, rng.random(count), side="right")
        start = np.sort(start_s + rng.random(count) * length_s)
        return self._complete(rng, np.minimum(pattern, len(share) - 1), start)

    def draw_standing(self, rng: np.random.Generator) -> Connections:
        """Draw the connections open at the start: up to an hour old, and longer to live than most simulations."""
        counts = np.array([p.standing for p in self.patterns])
        pattern = np.repeat(np.arange(len(counts)), counts)
        start = -rng.random(len(pattern)) * _STANDING_AGE_S
        drawn = self._complete(rng, pattern, start)
        duration = -drawn.start + _STANDING_AGE_S * (0.05 + 8 * rng.random(len(drawn.start)))
        longer = duration / np.maximum(self._shapes[drawn.pattern, 0], 1)
        return drawn._replace(
            duration=duration,
            packets_out=(drawn.packets_out * longer).astype(np.int64) + 2,
            packets_in=(drawn.packets_in * longer).astype(np.int64) + 2,
            bytes_out=(drawn.bytes_out * longer).astype(np.int64) + 104,
            bytes_in=(drawn.bytes_in * longer).astype(np.int64) + 104,
        )

    def _complete(
        self, rng: np.random.Generator, pattern: npt.NDArray[np.intp], start: FloatArray
    ) -> Connections:
        """Draw the rest of connections whose patterns and starts are known; one from an ENI to itself falls away."""
        initiator = self._pools.draw(rng, self._sides[0][pattern])
        responder = self._pools.draw(rng, self._sides[1][pattern])
        own, far = self._endpoints.eni[initiator], self._endpoints.eni[responder]
        apart = (own != far) | (own < 0)
        if not apart.all():
            pattern, start = pattern[apart], start[apart]
            initiator, responder, own = initiator[apart], responder[apart], own[apart]
        count = len(start)
        protocol, port, verdict, via = self._fixed[pattern].T
        has_ports = (protocol != ICMP) & (protocol != ICMPV6)
        numbers = np.arange(self.drawn, self.drawn + count)
        self.drawn += count
        ports = np.where(has_ports, _client_ports(numbers, own >= 0), 0).astype(np.int32)
        verdict = self._with_replies(pattern, ports, verdict)
        accepted = verdict == ACCEPTED
        duration, packets, sizes = self._draw_sizes(rng, pattern, protocol, accepted)
        return Connections(
            number=numbers,
            pattern=pattern.astype(np.int32),
            start=start,
            duration=duration,
            initiator=initiator,
            responder=responder,
            initiator_port=ports,
            responder_port=np.where(has_ports, port, 0).astype(np.int32),
            protocol=protocol,
            packets_out=packets[0],
            packets_in=packets[1],
            bytes_out=sizes[0],
            bytes_in=sizes[1],
            verdict=verdict,
            via=via,
            via_port=np.where(has_ports, 1_024 + numbers * 7_919 % 64_512, 0).astype(np.int32),
            reset=rng.random(count) < 0.03,
        )

    def _with_replies(
        self, pattern: npt.NDArray[np.intp], ports: IntArray, verdict: IntArray
    ) -> IntArray:
        """Give the verdicts, those on replies among them."""
        verdict = verdict.copy()
        for number, (first_ports, verdicts) in self._cut.items():
            (rows,) = np.nonzero(pattern == number)
            verdict[rows] = verdicts[np.searchsorted(first_ports, ports[rows], "right") - 1]
        return verdict

    def _draw_sizes(
        self,
        rng: np.random.Generator,
        pattern: npt.NDArray[np.intp],
        protocol: IntArray,
        accepted: BoolArray,
    ) -> tuple[FloatArray, list[LongArray], list[LongArray]]:
        """Draw durations, packets and bytes; an unanswered connection is a few tries in a few seconds."""
        count = len(pattern)
        shape = self._shapes[pattern]
        spread = shape[:, 5]
        duration = shape[:, 0] * np.exp(spread * rng.standard_normal(count))
        tries = 1 + (rng.random(count) < 0.3) + (rng.random(count) < 0.1)
        duration = np.where(accepted, duration, (tries - 1) * (1.0 + rng.random(count)))
        activity = np.exp(spread * rng.standard_normal(count))
        # SYN, ACK, FIN: fewer packets don't make a TCP connection.
        least = np.where(protocol == TCP, 3, 1)
        size_noise = 0.8 + 0.4 * rng.random(count)
        packets: list[LongArray] = []
        sizes: list[LongArray] = []
        for median, size in ((1, 3), (2, 4)):
            side = np.maximum((shape[:, median] * activity).astype(np.int64), least)
            side = np.where(accepted, side, tries)
            each = np.where(accepted, np.maximum(shape[:, size] * size_noise, 40), 44)
            packets.append(side)
            sizes.append((side * each).astype(np.int64))
        return duration, packets, sizes


class _Pools:
    """Addresses to choose from, each set kept once however many patterns use it."""

    def __init__(self) -> None:
        self._pools: list[IntArray] = []
        self._numbers: dict[int, int] = {}

    def add(self, rows: IntArray) -> int:
        if id(rows) not in self._numbers:
            self._numbers[id(rows)] = len(self._pools)
            self._pools.append(rows)
        return self._numbers[id(rows)]

    def close(self, endpoints: Endpoints) -> None:
        """Lay the pools out flat; a pool of several public addresses is drawn from by popularity."""
        self._flat = np.concatenate(self._pools)
        self._size = np.array([len(pool) for pool in self._pools])
        self._first = np.cumsum(self._size) - self._size
        self._is_public = (self._size > 1) & (endpoints.eni[self._flat[self._first]] < 0)
        self._turn = dict.fromkeys(np.flatnonzero(self._is_public).tolist(), 0)

    def draw(self, rng: np.random.Generator, pool: npt.NDArray[np.intp]) -> IntArray:
        """Draw an address for each pool number."""
        size = self._size[pool]
        chance = rng.random(len(pool))
        place = (chance * size).astype(np.int64)
        public = self._is_public[pool]
        if public.any():
            place = np.where(public, (np.power(size + 1.0, chance) - 1).astype(np.int64), place)
            in_turn = public & (rng.random(len(pool)) < _ROUND_SHARE)
            self._take_turns(pool, in_turn, place)
        drawn: IntArray = self._flat[self._first[pool] + np.minimum(place, size - 1)]
        return drawn

    def _take_turns(self, pool: npt.NDArray[np.intp], in_turn: BoolArray, place: LongArray) -> None:
        """Let some draws go round their pool instead, so that its rarest address comes up too."""
        for number in self._turn:
            (rows,) = np.nonzero(in_turn & (pool == number))
            place[rows] = (self._turn[number] + np.arange(len(rows))) % self._size[number]
            self._turn[number] += len(rows)


def _client_ports(numbers: LongArray, is_own: BoolArray) -> IntArray:
    """
    Give client ports: Linux's range for own instances, what is left behind address translation for the public.

    They go round by the connection's number, so that two connections between the same ends differ.
    """
    mixed = numbers * 12_347
    return np.where(is_own, 32_768 + mixed % 28_232, 1_024 + mixed % 64_512).astype(np.int32)
