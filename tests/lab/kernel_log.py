"""
What the kernel logs of packets: messages of nfnetlink_log, read with `struct`.

Their layout is that of linux/netlink.h, linux/netfilter/nfnetlink.h and linux/netfilter/nfnetlink_log.h.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = 7
"""The group of the log; rules of the firewall write to it."""

COPIED = 128
"""How much of a packet is copied: IP header, extension headers, TCP header."""

_NETLINK_NETFILTER = 12
_MESSAGE = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_FAMILY = struct.Struct(">BBH")  # address family, version, group
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_PACKET, _CONFIGURE = 4 << 8, 4 << 8 | 1  # of the log's subsystem
_REQUEST, _ACKNOWLEDGE = 1, 4
_ERROR = 2
_COMMAND, _MODE, _AT_ONCE, _FLAGS = 1, 2, 5, 6  # of a configuration
_BIND, _COPY_PACKET, _NUMBERED = 1, 2, 1
_HEADER, _PAYLOAD, _PREFIX, _NUMBER = 1, 9, 10, 12  # of a packet
_BUFFER_BYTES = 8 << 20


class Logged(NamedTuple):
    """A packet as a rule logged it: the rule's words, and the first bytes from the IP header on."""

    words: str
    packet: bytes


class KernelLog:
    """The log of the namespace it is made in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, 33, _BUFFER_BYTES)  # SO_RCVBUFFORCE
        self._socket.bind((0, 0))
        self._expected = 0
        self._configure(_COMMAND, struct.pack(">B", _BIND))
        self._configure(_MODE, struct.pack(">IBB", COPIED, _COPY_PACKET, 0))
        # Each packet at once: the kernel would wait for a hundred, or a second.
        self._configure(_AT_ONCE, struct.pack(">I", 1))
        self._configure(_FLAGS, struct.pack(">H", _NUMBERED))
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def read(self) -> Iterator[Logged]:
        """Yield what was logged since; raises OSError where the kernel had no room for something."""
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return
            for kind, body in _messages(data):
                if kind == _PACKET:
                    yield self._logged(body)

    def _logged(self, body: bytes) -> Logged:
        attributes = dict(_attributes(body[_FAMILY.size :]))
        (number,) = struct.unpack(">I", attributes[_NUMBER])
        if number != self._expected:
            raise OSError(errno.ENOBUFS, f"log messages {self._expected} to {number - 1} are lost")
        self._expected = number + 1
        return Logged(attributes[_PREFIX].rstrip(b"\0").decode(), attributes[_PAYLOAD])

    def _configure(self, attribute: int, value: bytes) -> None:
        body = _FAMILY.pack(socket.AF_UNSPEC, 0, GROUP) + _ATTRIBUTE.pack(
            _ATTRIBUTE.size + len(value), attribute
        )
        body += value + bytes(-len(value) % 4)
        flags = _REQUEST | _ACKNOWLEDGE
        self._socket.send(_MESSAGE.pack(_MESSAGE.size + len(body), _CONFIGURE, flags, 0, 0) + body)
        for kind, answer in _messages(self._socket.recv(1 << 16)):
            if kind == _ERROR and (code := struct.unpack_from("=i", answer)[0]):
                raise OSError(-code, "the kernel's packet log cannot be read")


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _MESSAGE.size <= len(data):
        length, kind, *_ = _MESSAGE.unpack_from(data, place)
        yield kind, data[place + _MESSAGE.size : place + length]
        place += length + -length % 4


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, place)
        yield kind & 0x3FFF, data[place + _ATTRIBUTE.size : place + length]
        place += length + -length % 4
