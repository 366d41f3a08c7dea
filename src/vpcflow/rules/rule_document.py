"""
Security group rules as ``describe-security-group-rules`` writes them: written, and checked where a hand wrote them.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vpcflow.inventory import SecurityGroupRule

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58

_NAMES = {ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMPV6: "icmpv6"}
_NUMBERS = {"all": -1} | {name: number for number, name in _NAMES.items()}
_COUNTERPARTS = ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupInfo")


def rule_document(rule: SecurityGroupRule) -> dict[str, Any]:
    """
    Give the rule as EC2 writes it, without its ARN; what is not known is left out.

    Ports are -1 where all are meant, for TCP and UDP 0 to 65535.
    """
    first, last = rule.from_port, rule.to_port
    if rule.protocol in (TCP, UDP) and first is None:
        first, last = 0, 65535
    referenced = {
        "GroupId": rule.referenced_group_id,
        "UserId": rule.referenced_account_id,
        "VpcId": rule.referenced_vpc_id,
    }
    return _without_nulls(
        {
            "SecurityGroupRuleId": rule.rule_id,
            "GroupId": rule.group_id,
            "GroupOwnerId": rule.group_owner_id,
            "IsEgress": rule.is_egress,
            "IpProtocol": _NAMES.get(rule.protocol) or str(rule.protocol),
            "FromPort": -1 if first is None else first,
            "ToPort": -1 if last is None else last,
            "CidrIpv4": rule.ipv4_cidr,
            "CidrIpv6": rule.ipv6_cidr,
            "PrefixListId": rule.prefix_list_id,
            "ReferencedGroupInfo": _without_nulls(referenced) if rule.referenced_group_id else None,
            "Description": rule.description,
            "Tags": [{"Key": key, "Value": value} for key, value in rule.tags] or None,
        }
    )


def _without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def faults_of_rule(raw: Any) -> Iterator[str]:
    """Say what keeps an object from being a rule to add: what EC2 would refuse, and what no rule can be read from."""
    if not isinstance(raw, dict):
        yield f"{raw!r} is no rule: write it as describe-security-group-rules does"
        return
    yield from _faults_of_text(raw, "SecurityGroupRuleId", is_needed=False)
    yield from _faults_of_text(raw, "GroupId", is_needed=True)
    if raw.get("IsEgress") is None:
        yield "IsEgress is missing"
    elif not isinstance(raw["IsEgress"], bool):
        yield f"IsEgress is neither true nor false: {raw['IsEgress']!r}"
    yield from _faults_of_protocol(raw)
    yield from _faults_of_counterpart(raw)
    yield from _faults_of_text(raw, "Description", is_needed=False)
    tags = raw.get("Tags")
    if not (tags is None or (isinstance(tags, list) and all(map(_is_tag, tags)))):
        yield 'Tags is no list of {"Key": …, "Value": …}'


def _faults_of_text(raw: dict[str, Any], name: str, *, is_needed: bool) -> Iterator[str]:
    value = raw.get(name)
    if is_needed and value in (None, ""):
        yield f"{name} is missing"
    elif not isinstance(value, str | None):
        yield f"{name} is no text: {value!r}"


def _is_tag(tag: Any) -> bool:
    return (
        isinstance(tag, dict)
        and isinstance(tag.get("Key"), str)
        and isinstance(tag.get("Value"), str | None)
    )


def _faults_of_protocol(raw: dict[str, Any]) -> Iterator[str]:
    given = raw.get("IpProtocol")
    if given is None:
        yield "IpProtocol is missing"
        return
    protocol = protocol_number(given)
    if protocol is None:
        yield f"IpProtocol is none: {given!r} (tcp, udp, icmp, icmpv6, -1 for all, or a number up to 255)"
        return
    first, last = raw.get("FromPort"), raw.get("ToPort")
    if protocol in (TCP, UDP):
        yield from _faults_of_ports(first, last)
    elif protocol in (ICMP, ICMPV6):
        yield from _faults_of_types(first, last)


def protocol_number(given: Any) -> int | None:
    """Give the IANA number of what ``IpProtocol`` says, -1 for all; None where it says nothing that is one."""
    if isinstance(given, str):
        given = _NUMBERS.get(given, int(given) if _is_number(given) else given)
    is_one = isinstance(given, int) and not isinstance(given, bool) and -1 <= given <= 255
    return given if is_one else None


def _is_number(text: str) -> bool:
    return text == "-1" or (text.isascii() and text.isdigit() and len(text) <= 3)


def _faults_of_ports(first: Any, last: Any) -> Iterator[str]:
    faults = [*_faults_of_one("FromPort", first, 0, 65535), *_faults_of_one("ToPort", last, 0, 65535)]  # fmt: skip
    yield from faults
    if not faults and first > last:
        yield f"FromPort is greater than ToPort: {first} > {last}"


def _faults_of_types(first: Any, last: Any) -> Iterator[str]:
    """Check ICMP type and code: -1 is all, and so is what is missing."""
    first, last = (-1 if one is None else one for one in (first, last))
    faults = [*_faults_of_one("FromPort", first, -1, 255), *_faults_of_one("ToPort", last, -1, 255)]
    yield from faults
    if not faults and first == -1 and last != -1:
        yield f"ToPort is an ICMP code, {last}, and FromPort no type: all types have all codes"


def _faults_of_one(name: str, value: Any, lowest: int, highest: int) -> Iterator[str]:
    if value is None:
        yield f"{name} is missing"
    elif isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        yield f"{name} is no number from {lowest} to {highest}: {value!r}"


def _faults_of_counterpart(raw: dict[str, Any]) -> Iterator[str]:
    given = [name for name in _COUNTERPARTS if raw.get(name) not in (None, "", {})]
    if len(given) != 1:
        said = f"has {' and '.join(given)}" if given else "has no counterpart"
        yield f"{said}: a rule has exactly one of {', '.join(_COUNTERPARTS)}"
        return
    name, value = given[0], raw[given[0]]
    if name == "ReferencedGroupInfo":
        yield from _faults_of_reference(value)
    elif not isinstance(value, str):
        yield f"{name} is no text: {value!r}"
    elif name != "PrefixListId" and not _is_block(value, 4 if name == "CidrIpv4" else 6):
        yield f"{name} is no {name[-4:].replace('Ip', 'IP')} CIDR block: {value!r}"


def _faults_of_reference(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f'ReferencedGroupInfo is no object with a "GroupId": {value!r}'
        return
    for name in ("GroupId", "UserId", "VpcId"):
        for fault in _faults_of_text(value, name, is_needed=name == "GroupId"):
            yield f"ReferencedGroupInfo.{fault}"


def _is_block(text: str, version: int) -> bool:
    address, slash, length = text.partition("/")
    # Netmasks and zones, which the library takes, are nothing EC2 does.
    if not slash or not (length.isascii() and length.isdigit()) or "%" in address:
        return False
    try:
        return ipaddress.ip_network(text, strict=False).version == version
    except ValueError:
        return False
