"""From a flow record, or the words of a command, to the question that rules answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vpcflow.addresses import is_address
from vpcflow.errors import FormatError, SourceError
from vpcflow.rules.explain import Question
from vpcflow.rules.rule_document import protocol_number

if TYPE_CHECKING:
    from collections.abc import Mapping

_OTHER_WAY = {"ingress": "egress", "egress": "ingress", None: None}
_LAST_PORT = 65535


class Asked(NamedTuple):
    """A question, and the direction in which its packet passes the interface of the record it comes from, if known."""

    question: Question
    direction: str | None


def asked_by(row: Mapping[str, Any]) -> list[Asked]:
    """
    Ask about the connection of an enriched flow record: one question, or two where nobody knows who opened it.

    Raises ``SourceError`` where the record tells of no packets.
    """
    src, dst = (row.get(f"pkt_{side}addr") or row.get(f"{side}addr") for side in ("src", "dst"))
    start, protocol = row.get("start"), row.get("protocol")
    if src is None or dst is None or start is None or protocol is None:
        raise SourceError(
            "the record has no addresses, protocol or time: there is nothing that rules could admit"
        )
    src_port, dst_port = (row.get(f"{side}port") or 0 for side in ("src", "dst"))
    direction = row.get("direction")
    by_src = Asked(Question(protocol, src, src_port, dst, dst_port, start), direction)
    by_dst = Asked(Question(protocol, dst, dst_port, src, src_port, start), _OTHER_WAY[direction])
    return {"src": [by_src], "dst": [by_dst]}.get(row.get("initiator") or "", [by_src, by_dst])


def asked_for(initiator: str, responder: str, protocol: str, time_s: int) -> Question:
    """Read ``ADDR[:PORT]`` of both ends and the protocol; raises ``FormatError``."""
    number = protocol_number(protocol.lower())
    if number is None or number < 0:
        raise FormatError(f"{protocol!r} is no protocol: write tcp, udp, icmp, icmpv6 or a number")
    (from_addr, from_port), (to_addr, to_port) = map(_end, (initiator, responder))
    if (":" in from_addr) != (":" in to_addr):
        raise FormatError(f"{from_addr} and {to_addr} are not of one address family")
    if number in (6, 17):
        if to_port is None:
            raise FormatError(f"to which port of {to_addr}? write --to ADDRESS:PORT")
        return Question(number, from_addr, from_port, to_addr, to_port, time_s)
    return Question(number, from_addr, 0, to_addr, 0, time_s)


def _end(text: str) -> tuple[str, int | None]:
    """
    Read an address with or without port.

    >>> _end("192.0.2.1:443"), _end("2001:db8::1"), _end("[2001:db8::1]:443")
    (('192.0.2.1', 443), ('2001:db8::1', None), ('2001:db8::1', 443))
    """
    address, port = text, ""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    is_port = port == "" or (port.isascii() and port.isdigit() and int(port) <= _LAST_PORT)
    if not is_address(address) or not is_port or text.endswith(":"):
        raise FormatError(
            f"{text!r} is no address with or without port, as 192.0.2.1:443 or [2001:db8::1]:443"
        )
    return address, int(port) if port else None
