"""
Makes the calls, with sockets of this process that live in the namespaces.

The recording has its own clock. A word is spoken when it is its turn; when it has arrived, or the kernel has dropped
it, the clock goes on to the next: minutes pass without waiting, and twice the same calls have the same times. What the
kernel logged meanwhile happened in that second.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, NamedTuple

from lab.kernel_log import KernelLog
from lab.packets import packets_of
from lab.vpc import ICMP, ICMPV6, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from lab.calls import Call
    from lab.network import Network
    from lab.packets import Packet

_PATIENCE_S = 5.0
_QUIET_S = 0.001
_WORD = b"0123456789" * 4


class Outcome(NamedTuple):
    """A call, and whether its first packet arrived."""

    call: Call
    arrived: bool


class Traffic:
    """Calls made in a network, and the packets that were logged of them."""

    def __init__(self, network: Network) -> None:
        self.packets: list[Packet] = []
        self._network = network
        self._open = contextlib.ExitStack()
        self._logs: dict[str, KernelLog] = {}
        self._servers: dict[tuple[str, str, int, int], socket.socket] = {}
        self._now_s = 0
        for one in network.vpc.interfaces:
            with network.inside(one.name):
                self._logs[one.name] = self._open.enter_context(contextlib.closing(KernelLog()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._open.close()

    def make(self, calls: Iterable[Call]) -> list[Outcome]:
        """Make these calls, word by word in the order of their times."""
        talks = [Talk(self, call) for call in calls]
        turns = [turn for number, talk in enumerate(talks) for turn in talk.turns(number)]
        for self._now_s, _, number, what in sorted(turns):
            try:
                getattr(talks[number], what)()
            except OSError as error:
                raise RuntimeError(f"second {self._now_s}, {what}: {talks[number].call}") from error
            self._hear_out()
        return [Outcome(talk.call, talk.arrived) for talk in talks]

    def forget(self, protocol: str) -> None:
        """Let all interfaces forget the connections of a protocol."""
        for one in self._network.vpc.interfaces:
            self._network.forget(one.name, protocol)

    def socket(self, name: str, address: str, kind: int, protocol: int) -> socket.socket:
        """Make a socket in a namespace that is closed at the end."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self._network.inside(name):
            made = self._open.enter_context(socket.socket(family, kind, protocol))
        made.setblocking(False)
        return made

    def server(self, call: Call) -> socket.socket:
        """Give the socket that is called; the same for all that call it."""
        address = self._private(call)
        key = (call.server, address, call.port, call.protocol)
        if key not in self._servers:
            kind = _KINDS.get(call.protocol, socket.SOCK_RAW)
            made = self.socket(call.server, address, kind, call.protocol)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((address, call.port))
            if call.protocol == TCP:
                made.listen()
            self._servers[key] = made
        return self._servers[key]

    def arrives(self, has_arrived: Callable[[], bool]) -> bool:
        """Wait for something to arrive or a packet to be rejected; raises TimeoutError where neither comes."""
        before = len(self.packets)
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            if has_arrived():
                return True
            self._listen()
            if any(packet.action == "REJECT" for packet in self.packets[before:]):
                return False
        raise TimeoutError("a packet neither arrived nor was rejected")

    def _hear_out(self) -> None:
        while self._listen():
            pass

    def _listen(self) -> bool:
        """Take what the kernel logged within a moment; tell whether there was any."""
        ready, _, _ = select.select([*self._logs.values()], [], [], _QUIET_S)
        for name, log in self._logs.items():
            if log in ready:
                own = frozenset(self._network.vpc.interface(name).addresses)
                self.packets.extend(packets_of(log.read(), name, own, self._now_s))
        return bool(ready)

    def _private(self, call: Call) -> str:
        for one in self._network.vpc.interfaces:
            if one.public == call.to:
                return one.ipv4[0]
        return call.to


_KINDS = {TCP: socket.SOCK_STREAM, UDP: socket.SOCK_DGRAM}
_NAMES = {UDP: "udp", ICMP: "icmp"}


class Talk:
    """A call as it goes on."""

    def __init__(self, traffic: Traffic, call: Call) -> None:
        self.call = call
        self.arrived = False
        self._traffic = traffic
        self._client: socket.socket | None = None
        self._accepted: socket.socket | None = None

    def turns(self, number: int) -> Iterator[tuple[int, int, int, str]]:
        """Yield (time, order, number, what is done)."""
        call = self.call
        yield call.at, 0, number, "begin"
        for beat in call.beats:
            yield call.at + beat, 1, number, "speak"
        for push in call.pushes:
            yield call.at + push, 2, number, "push"
        if call.ends and call.protocol == TCP:
            yield call.at + max((*call.beats, *call.pushes)) + 1, 3, number, "end"

    def begin(self) -> None:
        call = self.call
        if call.fresh:
            self._traffic.forget(_NAMES[call.protocol])
        if call.listens and call.protocol not in (ICMP, ICMPV6):
            self._traffic.server(call)
        if call.protocol == TCP:
            self._connect()
            return
        kind = _KINDS.get(call.protocol, socket.SOCK_RAW)
        self._client = self._traffic.socket(call.client, call.client_addr, kind, call.protocol)
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        has_ports = call.protocol == UDP
        # A server that calls, by the port it is called at.
        self._client.bind((call.client_addr, call.client_port if has_ports else 0))

    def speak(self) -> None:
        if self.call.protocol == TCP:
            if self._accepted is None:
                self._connect()
            elif self._client is not None:
                self._exchange(self._client, self._accepted)
        elif self.call.protocol in (ICMP, ICMPV6):
            self._ping()
        else:
            self._send()

    def push(self) -> None:
        if self._accepted is not None and self._client is not None:
            self._say(self._accepted, self._client)

    def end(self) -> None:
        """Close both ends, the client's first."""
        if self._accepted is None or self._client is None:
            return
        self._client.shutdown(socket.SHUT_WR)
        self._traffic.arrives(lambda: _received(self._accepted) == b"")
        self._accepted.close()
        self._traffic.arrives(lambda: _received(self._client) == b"")
        self._client.close()

    def _connect(self) -> None:
        """Try to open a TCP connection; one that was dropped is tried again at the next word, from the same port."""
        call = self.call
        client = self._traffic.socket(
            call.client, call.client_addr, socket.SOCK_STREAM, call.protocol
        )
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((call.client_addr, call.client_port))
        refused: list[int] = []

        def is_open() -> bool:
            if code := client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                refused.append(code)
                return True
            if call.listens and self._accepted is None:
                with contextlib.suppress(BlockingIOError):
                    self._accepted, _ = self._traffic.server(call).accept()
                    self._accepted.setblocking(False)
            return self._accepted is not None

        code = client.connect_ex((call.to, call.port))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, f"connect of {call}")
        self.arrived |= self._traffic.arrives(is_open)
        if self._accepted is None:
            # So that nothing is sent again when the recording is elsewhere.
            client.close()
        else:
            self._client = client

    def _exchange(self, client: socket.socket, server: socket.socket) -> None:
        self._say(client, server)
        if not self.call.one_way:
            self._say(server, client)

    def _say(self, speaker: socket.socket, listener: socket.socket) -> None:
        speaker.send(_WORD)
        self._traffic.arrives(lambda: bool(_received(listener)))
        # Acknowledge now: the kernel may wait longer than the recording goes on.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _send(self) -> None:
        """Send a datagram, or a packet of a protocol without ports, and answer it."""
        call, server = self.call, self._traffic.server(self.call)
        assert self._client is not None
        heard: list[tuple[str, int]] = []

        def is_heard() -> bool:
            with contextlib.suppress(BlockingIOError):
                heard.append(server.recvfrom(2048)[1][:2])
            return bool(heard)

        if not self._arrives(self._client, (call.to, call.port), is_heard):
            return
        if not call.one_way:
            client = self._client
            self._arrives(server, heard[0], lambda: bool(_received(client)))

    def _ping(self) -> None:
        call, client = self.call, self._client
        assert client is not None
        request = 8 if call.protocol == ICMP else 128
        message = struct.pack(">BBHHH", request, 0, 0, call.client_port, 1) + _WORD
        if call.protocol == ICMP:
            # The kernel does this for IPv6 alone.
            message = message[:2] + struct.pack(">H", _checksum(message)) + message[4:]
        self._arrives(client, (call.to, 0), lambda: bool(_received(client)), message)

    def _arrives(
        self,
        sender: socket.socket,
        to: tuple[str, int],
        has_arrived: Callable[[], bool],
        message: bytes = _WORD,
    ) -> bool:
        # EPERM: the kernel dropped it on the way out.
        with contextlib.suppress(PermissionError):
            sender.sendto(message, to)
        arrived = self._traffic.arrives(has_arrived)
        self.arrived |= arrived
        return arrived


def _received(end: socket.socket | None) -> bytes | None:
    """Give what has arrived; nothing of it is None, the end of a connection empty."""
    assert end is not None
    try:
        return end.recv(2048)
    except BlockingIOError:
        return None


def _checksum(message: bytes) -> int:
    total = sum(struct.unpack(f">{len(message) // 2}H", message))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
