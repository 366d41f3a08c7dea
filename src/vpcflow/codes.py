"""Codes and their meanings as data: protocols, TCP flags, traffic paths, and the closed sets vpcflow answers with."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TCP_FLAGS: Mapping[int, str] = MappingProxyType(
    {1: "fin", 2: "syn", 4: "rst", 8: "psh", 16: "ack", 32: "urg", 64: "ece", 128: "cwr"}
)
"""Bit to name. https://www.iana.org/assignments/tcp-parameters/tcp-parameters.xhtml#tcp-header-flags"""

TRAFFIC_PATHS: Mapping[int, str] = MappingProxyType(
    {
        1: "same_vpc",
        2: "internet_or_gateway_endpoint",
        3: "virtual_private_gateway",
        4: "intra_region_peering",
        5: "inter_region_peering",
        6: "local_gateway",
        7: "gateway_endpoint",
        8: "internet_gateway",
    }
)
"""https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html, field traffic-path (7 and 8: Nitro only)"""

INVENTORY_STATES = ("exact", "nearest", "stale", "unknown")

DIRECTIONS = ("ingress", "egress")

PEER_SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "same_eni": "an address of the same network interface",
        "vpc": "in the network interface's own VPC",
        "peered_vpc": "in a VPC peered with it",
        "transit": "behind a transit gateway attached to it",
        "other_known_vpc": "in another VPC of the inventory",
        "private": "a private address (RFC 1918, RFC 6598, RFC 4193) of no known VPC",
        "named_network": "in a network of the file of named networks",
        "aws_service": "a public address of an AWS service",
        "internet": "on the internet: a public address of no known VPC, network or AWS service",
        "link_local": "a link-local or loopback address",
        "multicast": "a multicast or broadcast address",
        "unknown": "cannot be told",
    }
)

REJECT_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "too_few_fields": "fewer tokens than the layout has names",
        "too_many_fields": "more tokens than the layout has names",
        "bad_number": "a number is not whole, is negative, or does not fit its type",
        "bad_address": "an address is neither IPv4 nor IPv6",
        "bad_time": "a time is neither seconds nor milliseconds since 1970",
        "bad_text": "a text is not UTF-8",
        "bad_envelope": "JSON that is no envelope of flow records, or no JSON among documents",
        "ambiguous_layout": "several of the possible layouts fit",
        "line_too_long": "a line is longer than 1 MiB",
        "refused_by_index": "a search server refused the document, for good",
    }
)
"""Why a line is no flow record: a closed set, in the order of the checks of a line; the last is of documents."""

PROTOCOLS: Mapping[int, str] = MappingProxyType(dict(enumerate(
    "hopopt icmp igmp ggp ipv4 st tcp cbt egp igp bbn-rcc-mon nvp-ii pup argus emcon xnet chaos udp mux dcn-meas hmp"
    " prm xns-idp trunk-1 trunk-2 leaf-1 leaf-2 rdp irtp iso-tp4 netblt mfe-nsp merit-inp dccp 3pc idpr xtp ddp"
    " idpr-cmtp tp++ il ipv6 sdrp ipv6-route ipv6-frag idrp rsvp gre dsr bna esp ah i-nlsp swipe narp min-ipv4 tlsp"
    " skip ipv6-icmp ipv6-nonxt ipv6-opts any-host-internal cftp any-local-network sat-expak kryptolan rvd ippc"
    " any-distributed-fs sat-mon visa ipcv cpnx cphb wsn pvp br-sat-mon sun-nd wb-mon wb-expak iso-ip vmtp"
    " secure-vmtp vines iptm nsfnet-igp dgp tcf eigrp ospfigp sprite-rpc larp mtp ax.25 ipip micp scc-sp etherip"
    " encap any-private-encryption gmtp ifmp pnni pim aris scps qnx a/n ipcomp snp compaq-peer ipx-in-ip vrrp pgm"
    " any-0-hop l2tp ddx iatp stp srp uti smp sm ptp isis-over-ipv4 fire crtp crudp sscopmce iplt sps pipe sctp fc"
    " rsvp-e2e-ignore mobility-header udplite mpls-in-ip manet hip shim6 wesp rohc ethernet aggfrag nsh homa"
    " bit-emu".split()
)))  # fmt: skip
"""Number to keyword, lower case; numbers IANA has not assigned are absent.
https://www.iana.org/assignments/protocol-numbers/protocol-numbers.xhtml (146 homa, 147 bit-emu: 2025)"""

INITIATORS = ("src", "dst")
"""The end of a flow that opened its connection: the one at ``srcaddr``, or the one at ``dstaddr``."""

INITIATOR_BASES: Mapping[str, str] = MappingProxyType(
    {
        "flags": "the record's own TCP flags: SYN without ACK is sent by who opens, SYN-ACK by the other side",
        "state": "the TCP flags of another record of the connection at the same interface",
        "mirror": "the TCP flags of a record of the connection at the other end's interface",
        "rejects": "only one side was turned away, or only the answers were: the other way round it makes no sense",
        "rules": "the rules in force at the interfaces admit only one orientation",
        "starts": "one side's first packet came before the other's, and the interface was watched before that",
        "port": "one socket is a service: many talk to it, or its port is a service's and the other's is none",
    }
)
"""How it is known who opened a connection, the surest first."""

INITIATOR_CONFIDENCE: Mapping[str, float] = MappingProxyType(
    {
        "flags": 1.0,
        "state": 1.0,
        "mirror": 0.99,
        "rejects": 0.97,
        "rules": 0.95,
        "starts": 0.9,
        "port": 0.7,
    }
)

RULE_MATCHES: Mapping[str, str] = MappingProxyType(
    {
        "unique": "one rule admits it",
        "ambiguous": "several rules admit it",
        "none": "no rule in force admits it, though it was accepted",
        "response": "an answer: it needs no rule, as the interface remembers the connection",
        "unknown": "cannot be told",
    }
)

RULE_NOTES: Mapping[str, str] = MappingProxyType(
    {
        "icmp_type_not_logged": "a rule names an ICMP type or code, which flow logs do not: the match is approximate",
        "untracked_reply": "the connection is not tracked, so its answers need these rules too",
        "rule_removed": "a rule of another time admits it: connections outlive rules",
        "inventory_gap": "the inventory lacks the interface, the peer, or the entries of a prefix list",
        "unexplained": "nothing in the inventory explains it",
        "no_initiator": "who opened the connection is not known",
        "no_direction": "whether it came in or went out is not known",
        "edge_of_recording": "the connection began before what was recorded",
        "no_security_groups": "no security group guards the interface: NAT gateways and some others have none",
    }
)

REJECT_CAUSES: Mapping[str, str] = MappingProxyType(
    {
        "security_group": "no rule of the interface's security groups admits it",
        "network_acl": "rules admit it, and a network ACL does not",
        "network_acl_or_late_packet": "rules admit it: a network ACL, or it came after the connection's end",
        "unknown": "cannot be told",
    }
)
"""Why packets were rejected, where AWS gives no reason of its own (`BPA`, `EC`), which comes first."""

RULE_VERDICTS: Mapping[str, str] = MappingProxyType(
    {
        "used": "it admitted connections that no other rule does",
        "redundant": "everything it admitted another rule admits too",
        "unused": "it admitted nothing, and the logs would have shown it",
        "unproven": "it was not seen to admit anything, and might have: `reasons` say why",
    }
)

USAGE_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "recording_too_short": "the logs cover fewer days than asked for",
        "coverage_too_low": "the logs cover less of the interfaces' time than asked for",
        "interfaces_not_covered": "some of the group's interfaces have no records at all",
        "log_started_after_rule": "the rule was there before the logs begin",
        "rejects_only": "the flow log captures rejected traffic only",
        "fields_missing": "the log lacks fields that tell which rules traffic needs",
        "records_skipped": "AWS skipped records (SKIPDATA)",
        "traffic_not_logged": "the rule may admit traffic that AWS does not log: DNS, DHCP, metadata, time, endpoints",
        "initiator_unknown": "connections whose initiator or rules are not known might have needed it",
        "inventory_old": "the only snapshot is more than a day away from the recording",
        "attached_to_nothing": "no interface has the group",
        "no_records": "there are no records",
        "contained": "another rule of the group admits all that this one can",
        "approximate": "it names an ICMP type or code, which logs do not tell: it may be another rule's use",
    }
)
"""Why a rule is unproven, and what else is to be known of a verdict."""
