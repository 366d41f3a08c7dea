"""
The table of fields: the one place that knows what a flow record may hold and what vpcflow adds to it.

Parser, Arrow and Parquet schemas, documents and the reference pages are derived from it.
Source: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html and
https://docs.aws.amazon.com/vpc/latest/tgw/tgw-flow-logs.html#flow-log-records
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["text", "address", "int32", "int64", "time", "tag"]
"""How a value is checked: ``time`` is Unix seconds or milliseconds, ``tag`` is percent-encoded UTF-8 text."""


class Field(NamedTuple):
    """
    A field of a flow log record, as AWS defines it.

    ``name`` is AWS's spelling, ``since`` the version that introduced it. ``kind`` gives the check and the column type.
    ``ecs`` and ``ocsf`` are the paths in the Elastic Common Schema and OCSF's Network Activity class, or None; in
    ``ocsf``, ``own_endpoint`` is where the ENI is: ``dst_endpoint`` for ingress, ``src_endpoint`` for egress and where
    there is no traffic, ``network_observation_point`` where there is no direction.
    """

    name: str
    since: int
    kind: Kind
    logs: str
    description: str
    dash: str
    ecs: str | None = None
    ocsf: str | None = None

    @property
    def column(self) -> str:
        """The column name: AWS's Parquet spelling, with underscores."""
        return self.name.replace("-", "_")

    @property
    def type(self) -> pa.DataType:
        """The Parquet type: string, int32 or int64."""
        return _TYPES[self.kind]


class Added(NamedTuple):
    """
    A column vpcflow adds, and the enricher that writes it; null when not known.

    ``reader`` and ``attribution`` are no enrichers: what reads a record knows where it is from, and ``rules`` sees the
    whole recording.

    ``ecs`` and ``ocsf`` are its paths in documents, as those of a ``Field``.
    """

    column: str
    type: pa.DataType
    enricher: str
    description: str
    ecs: str | None = None
    ocsf: str | None = None


_TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "tag": pa.string(),
    "address": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "time": pa.int64(),
}

_NEVER = "never"
_QUIET = "NODATA and SKIPDATA records"
_NOT_ECS = "the traffic is not of an Amazon ECS task"
_NO_TAG = "no such tag, or not computed"

# One row a field; the order is AWS's. The logs column: v = VPC, t = Transit Gateway default layout, o = Transit Gateway optional.
FIELDS: tuple[Field, ...] = (
    Field("version", 2, "int32", "vt", "Version of the flow log: the highest version among its fields", _NEVER, "aws.vpcflow.version", "metadata.product.version"),
    Field("account-id", 2, "text", "vt", "AWS account of the owner of the source network interface; `unknown` for interfaces AWS services create", _NEVER, "cloud.account.id", "cloud.account.uid"),
    Field("interface-id", 2, "text", "v", "Network interface the traffic was recorded at", "traffic of a regional NAT gateway", "aws.vpcflow.interface_id", "own_endpoint.interface_uid"),
    Field("srcaddr", 2, "address", "vt", "Source address as at the network interface; of the interface itself always the private IPv4 address", _QUIET, "source.ip", "src_endpoint.ip"),
    Field("dstaddr", 2, "address", "vt", "Destination address as at the network interface; of the interface itself always the primary private IPv4 address", _QUIET, "destination.ip", "dst_endpoint.ip"),
    Field("srcport", 2, "int32", "vt", "Source port; 0 for ICMP", _QUIET, "source.port", "src_endpoint.port"),
    Field("dstport", 2, "int32", "vt", "Destination port; 0 for ICMP", _QUIET, "destination.port", "dst_endpoint.port"),
    Field("protocol", 2, "int32", "vt", "IANA protocol number", _QUIET, "network.iana_number", "connection_info.protocol_num"),
    Field("packets", 2, "int64", "vt", "Packets during the interval", _QUIET, "network.packets", "traffic.packets"),
    Field("bytes", 2, "int64", "vt", "Bytes during the interval", _QUIET + ", traffic rejected by VPC Block Public Access", "network.bytes", "traffic.bytes"),
    Field("start", 2, "time", "vt", "Unix seconds of the first packet in the interval; up to 60 s off", _NEVER, "event.start", "start_time"),
    Field("end", 2, "time", "vt", "Unix seconds of the last packet in the interval; up to 60 s off", _NEVER, "event.end", "end_time"),
    Field("action", 2, "text", "v", "`ACCEPT` or `REJECT`", _QUIET, "aws.vpcflow.action", "disposition"),
    Field("log-status", 2, "text", "vt", "`OK`, `NODATA` (no traffic in the interval) or `SKIPDATA` (records were skipped)", _NEVER, "aws.vpcflow.log_status", "status_code"),
    Field("vpc-id", 3, "text", "v", "VPC of the network interface", "not computed", "aws.vpcflow.vpc_id", "own_endpoint.vpc_uid"),
    Field("subnet-id", 3, "text", "v", "Subnet of the network interface", "not computed", "aws.vpcflow.subnet_id", "own_endpoint.subnet_uid"),
    Field("instance-id", 3, "text", "v", "Instance the network interface is attached to, if in the owner's account", "requester-managed interfaces (NAT gateway, load balancer, …)", "cloud.instance.id", "own_endpoint.instance_uid"),
    Field("tcp-flags", 3, "int32", "vo", "TCP flags of the interval, OR-ed: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32; 0 where only ACKs were seen", _QUIET, "aws.vpcflow.tcp_flags", "connection_info.tcp_flags"),
    Field("type", 3, "text", "vt", "`IPv4`, `IPv6` or `EFA`", _QUIET, "aws.vpcflow.type", "connection_info.protocol_ver"),
    Field("pkt-srcaddr", 3, "address", "v", "Source address in the packet, where an intermediate layer rewrote `srcaddr`", _QUIET, "aws.vpcflow.pkt_srcaddr", "src_endpoint.ip"),
    Field("pkt-dstaddr", 3, "address", "v", "Destination address in the packet, where an intermediate layer rewrote `dstaddr`", _QUIET, "aws.vpcflow.pkt_dstaddr", "dst_endpoint.ip"),
    Field("region", 4, "text", "vo", "Region of the network interface", "not computed", "cloud.region", "cloud.region"),
    Field("az-id", 4, "text", "v", "Availability Zone id of the network interface", "the interface is in a sublocation", "cloud.availability_zone", "cloud.zone"),
    Field("sublocation-type", 4, "text", "v", "`wavelength`, `outpost` or `localzone`", "the interface is in no sublocation", "aws.vpcflow.sublocation.type", "unmapped.sublocation_type"),
    Field("sublocation-id", 4, "text", "v", "Id of the sublocation", "the interface is in no sublocation", "aws.vpcflow.sublocation.id", "unmapped.sublocation_id"),
    Field("pkt-src-aws-service", 5, "text", "vo", "AWS service whose address `pkt-srcaddr` is", "no AWS service's address", "aws.vpcflow.pkt_src_service", "src_endpoint.svc_name"),
    Field("pkt-dst-aws-service", 5, "text", "vo", "AWS service whose address `pkt-dstaddr` is", "no AWS service's address", "aws.vpcflow.pkt_dst_service", "dst_endpoint.svc_name"),
    Field("flow-direction", 5, "text", "vo", "`ingress` or `egress`, seen from the network interface", _QUIET, "aws.vpcflow.flow_direction", "connection_info.direction"),
    Field("traffic-path", 5, "int32", "v", "Path of egress traffic, 1 to 8", "ingress traffic, or no path determined", "aws.vpcflow.traffic_path", "connection_info.boundary_id"),
    Field("ecs-cluster-arn", 7, "text", "v", "ARN of the ECS cluster", _NOT_ECS, "orchestrator.cluster.id", "unmapped.ecs_cluster_arn"),
    Field("ecs-cluster-name", 7, "text", "v", "Name of the ECS cluster", _NOT_ECS, "orchestrator.cluster.name", "unmapped.ecs_cluster_name"),
    Field("ecs-container-instance-arn", 7, "text", "v", "ARN of the ECS container instance", _NOT_ECS + ", or runs on Fargate", "aws.vpcflow.ecs_container_instance_arn", "unmapped.ecs_container_instance_arn"),
    Field("ecs-container-instance-id", 7, "text", "v", "Id of the ECS container instance", _NOT_ECS + ", or runs on Fargate", "aws.vpcflow.ecs_container_instance_id", "unmapped.ecs_container_instance_id"),
    Field("ecs-container-id", 7, "text", "v", "Docker runtime id of the first container", _NOT_ECS, "container.id", "unmapped.ecs_container_id"),
    Field("ecs-second-container-id", 7, "text", "v", "Docker runtime id of the second container", _NOT_ECS + ", or has one container", "aws.vpcflow.ecs_second_container_id", "unmapped.ecs_second_container_id"),
    Field("ecs-service-name", 7, "text", "v", "Name of the ECS service", _NOT_ECS, "service.name", "unmapped.ecs_service_name"),
    Field("ecs-task-definition-arn", 7, "text", "v", "ARN of the ECS task definition", _NOT_ECS, "aws.vpcflow.ecs_task_definition_arn", "unmapped.ecs_task_definition_arn"),
    Field("ecs-task-arn", 7, "text", "v", "ARN of the ECS task", _NOT_ECS, "aws.vpcflow.ecs_task_arn", "unmapped.ecs_task_arn"),
    Field("ecs-task-id", 7, "text", "v", "Id of the ECS task", _NOT_ECS, "aws.vpcflow.ecs_task_id", "unmapped.ecs_task_id"),
    Field("reject-reason", 8, "text", "v", "Why AWS rejected: `BPA` (VPC Block Public Access) or `EC` (encryption controls)", "accepted, or rejected by a group or network ACL", "event.reason", "unmapped.reject_reason"),
    Field("resource-id", 9, "text", "v", "Resource the traffic was recorded at, where it is no network interface (regional NAT gateway)", "recorded at a network interface", "aws.vpcflow.resource_id", "own_endpoint.uid"),
    Field("encryption-status", 10, "int32", "v", "0 clear, 1 encrypted by Nitro, 2 by the application, 3 by both", "unknown, or encryption controls are off", "aws.vpcflow.encryption_status", "unmapped.encryption_status"),
    Field("instance-tag", 11, "tag", "v", "Value of the instance tag chosen first", _NO_TAG, "aws.vpcflow.instance_tag", "unmapped.instance_tag"),
    Field("instance-tag-2", 11, "tag", "v", "Value of the instance tag chosen second", _NO_TAG, "aws.vpcflow.instance_tag_2", "unmapped.instance_tag_2"),
    Field("interface-tag", 11, "tag", "v", "Value of the network interface tag chosen first", _NO_TAG, "aws.vpcflow.interface_tag", "unmapped.interface_tag"),
    Field("interface-tag-2", 11, "tag", "v", "Value of the network interface tag chosen second", _NO_TAG, "aws.vpcflow.interface_tag_2", "unmapped.interface_tag_2"),
    Field("asg-tag", 11, "tag", "v", "Value of the Auto Scaling group tag chosen first", _NO_TAG, "aws.vpcflow.asg_tag", "unmapped.asg_tag"),
    Field("asg-tag-2", 11, "tag", "v", "Value of the Auto Scaling group tag chosen second", _NO_TAG, "aws.vpcflow.asg_tag_2", "unmapped.asg_tag_2"),
    Field("interface-type", 11, "text", "v", "Type of the network interface: `nat_gateway`, `network_load_balancer`, `regional_nat_gateway`, `transit_gateway`, `vpc_endpoint`", "an interface of another type", "aws.vpcflow.interface_type", "unmapped.interface_type"),
    Field("next-hop-interface-id", 11, "text", "v", "Network interface that receives (egress) or sent (ingress) the traffic next", "local delivery, or not computed", "aws.vpcflow.next_hop_interface_id", "unmapped.next_hop_interface_id"),
    Field("next-hop-subnet-id", 11, "text", "v", "Subnet of the next hop", "local delivery, or not computed", "aws.vpcflow.next_hop_subnet_id", "unmapped.next_hop_subnet_id"),
    Field("next-hop-az-id", 11, "text", "v", "Availability Zone id of the next hop", "local delivery, or not computed", "aws.vpcflow.next_hop_az_id", "unmapped.next_hop_az_id"),
    Field("next-hop-vpc-id", 11, "text", "v", "VPC of the next hop", "local delivery, or not computed", "aws.vpcflow.next_hop_vpc_id", "unmapped.next_hop_vpc_id"),
    Field("next-hop-interface-type", 11, "text", "v", "Type of the next hop's network interface", "local delivery, or not computed", "aws.vpcflow.next_hop_interface_type", "unmapped.next_hop_interface_type"),
    Field("resource-type", 6, "text", "t", "`TransitGateway`", _NEVER, "aws.vpcflow.resource_type", "unmapped.resource_type"),
    Field("tgw-id", 6, "text", "t", "Transit gateway the traffic was recorded at", _NEVER, "aws.vpcflow.tgw_id", "network_observation_point.uid"),
    Field("tgw-attachment-id", 6, "text", "t", "Transit gateway attachment the traffic was recorded at", _NEVER, "aws.vpcflow.tgw_attachment_id", "unmapped.tgw_attachment_id"),
    Field("tgw-src-vpc-account-id", 6, "text", "t", "Account of the source VPC", "the source is no VPC", "aws.vpcflow.tgw_src_vpc_account_id", "src_endpoint.owner.account.uid"),
    Field("tgw-dst-vpc-account-id", 6, "text", "t", "Account of the destination VPC", "the destination is no VPC", "aws.vpcflow.tgw_dst_vpc_account_id", "dst_endpoint.owner.account.uid"),
    Field("tgw-src-vpc-id", 6, "text", "t", "Source VPC", "the source is no VPC", "aws.vpcflow.tgw_src_vpc_id", "src_endpoint.vpc_uid"),
    Field("tgw-dst-vpc-id", 6, "text", "t", "Destination VPC", "the destination is no VPC", "aws.vpcflow.tgw_dst_vpc_id", "dst_endpoint.vpc_uid"),
    Field("tgw-src-subnet-id", 6, "text", "t", "Subnet of the source", "the source is no VPC", "aws.vpcflow.tgw_src_subnet_id", "src_endpoint.subnet_uid"),
    Field("tgw-dst-subnet-id", 6, "text", "t", "Subnet of the destination", "the destination is no VPC", "aws.vpcflow.tgw_dst_subnet_id", "dst_endpoint.subnet_uid"),
    Field("tgw-src-eni", 6, "text", "t", "Network interface of the source's transit gateway attachment", "the source is no VPC", "aws.vpcflow.tgw_src_eni", "src_endpoint.interface_uid"),
    Field("tgw-dst-eni", 6, "text", "t", "Network interface of the destination's transit gateway attachment", "the destination is no VPC", "aws.vpcflow.tgw_dst_eni", "dst_endpoint.interface_uid"),
    Field("tgw-src-az-id", 6, "text", "t", "Availability Zone id of the source", "the source is no VPC", "aws.vpcflow.tgw_src_az_id", "unmapped.tgw_src_az_id"),
    Field("tgw-dst-az-id", 6, "text", "t", "Availability Zone id of the destination", "the destination is no VPC", "aws.vpcflow.tgw_dst_az_id", "unmapped.tgw_dst_az_id"),
    Field("tgw-pair-attachment-id", 6, "text", "t", "Attachment at the other side: of the egress for ingress traffic, and the reverse", "not computed", "aws.vpcflow.tgw_pair_attachment_id", "unmapped.tgw_pair_attachment_id"),
    Field("packets-lost-no-route", 6, "int64", "t", "Packets lost for want of a route", _QUIET, "aws.vpcflow.packets_lost_no_route", "unmapped.packets_lost_no_route"),
    Field("packets-lost-blackhole", 6, "int64", "t", "Packets lost to a black hole route", _QUIET, "aws.vpcflow.packets_lost_blackhole", "unmapped.packets_lost_blackhole"),
    Field("packets-lost-mtu-exceeded", 6, "int64", "t", "Packets lost for being larger than the MTU", _QUIET, "aws.vpcflow.packets_lost_mtu_exceeded", "unmapped.packets_lost_mtu_exceeded"),
    Field("packets-lost-ttl-expired", 6, "int64", "t", "Packets lost to an expired time to live", _QUIET, "aws.vpcflow.packets_lost_ttl_expired", "unmapped.packets_lost_ttl_expired"),
)  # fmt: skip

FIELD_BY_NAME: Mapping[str, Field] = MappingProxyType({f.name: f for f in FIELDS})
FIELD_BY_COLUMN: Mapping[str, Field] = MappingProxyType({f.column: f for f in FIELDS})

VPC_FIELDS = tuple(f for f in FIELDS if "v" in f.logs)
"""All fields of VPC flow logs, in AWS's order: the first 14 are version 2's default layout."""

DEFAULT_LAYOUT = tuple(f.name for f in VPC_FIELDS if f.since == 2)

# The default and the optional fields do not stand in the order of the table above: the page lists them so.
TGW_DEFAULT_LAYOUT = tuple(
    "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id"
    " tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id"
    " tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end"
    " log-status type packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded"
    " packets-lost-ttl-expired".split()
)
TGW_LAYOUT = (
    *TGW_DEFAULT_LAYOUT,
    *"tcp-flags region flow-direction pkt-src-aws-service pkt-dst-aws-service".split(),
)

_LIST = pa.list_(pa.string())
_TAGS = pa.list_(pa.struct([pa.field("key", pa.string()), pa.field("value", pa.string())]))


def _geo(side: str, end: str, of: str) -> tuple[Added, ...]:
    return (
        Added(f"{side}_geo_country_code", pa.string(), f"{side}_geo", f"ISO 3166-1 code of the country of {of}", f"{end}.geo.country_iso_code", ocsf=f"{side}_endpoint.location.country"),
        Added(f"{side}_geo_country_name", pa.string(), f"{side}_geo", f"Country of {of}", f"{end}.geo.country_name", ocsf=f"{side}_endpoint.location.desc"),
        Added(f"{side}_geo_region_code", pa.string(), f"{side}_geo", f"ISO 3166-2 code, without the country, of the region of {of}", f"{end}.geo.region_iso_code", ocsf=f"{side}_endpoint.location.region"),
        Added(f"{side}_geo_region_name", pa.string(), f"{side}_geo", f"Region of {of}", f"{end}.geo.region_name", ocsf=f"unmapped.{side}_geo_region_name"),
        Added(f"{side}_geo_city", pa.string(), f"{side}_geo", f"City of {of}", f"{end}.geo.city_name", ocsf=f"{side}_endpoint.location.city"),
        Added(f"{side}_geo_latitude", pa.float64(), f"{side}_geo", f"Latitude of {of}, degrees north", f"{end}.geo.location.lat", ocsf=f"{side}_endpoint.location.lat"),
        Added(f"{side}_geo_longitude", pa.float64(), f"{side}_geo", f"Longitude of {of}, degrees east", f"{end}.geo.location.lon", ocsf=f"{side}_endpoint.location.long"),
        Added(f"{side}_as_number", pa.int64(), f"{side}_geo", f"Autonomous system that announces {of}", f"{end}.as.number", ocsf=f"{side}_endpoint.autonomous_system.number"),
        Added(f"{side}_as_org", pa.string(), f"{side}_geo", "Organisation of that autonomous system", f"{end}.as.organization.name", ocsf=f"{side}_endpoint.autonomous_system.name"),
    )  # fmt: skip


ADDED: tuple[Added, ...] = (
    Added("source_object", pa.string(), "reader", "File or object the record was read from"),
    Added("source_line", pa.int64(), "reader", "Line in that object, from 1; row in a Parquet file"),
    Added("cloudwatch_event_id", pa.string(), "reader", "Id CloudWatch Logs gave the event that held the record", "vpcflow.cloudwatch_event_id", ocsf="metadata.original_event_uid"),
    Added("event_id", pa.string(), "identity", "Deterministic 128-bit hash of all AWS fields of the record, 32 hexadecimal digits", "event.id", ocsf="metadata.uid"),
    Added("duration_s", pa.int64(), "identity", "`end` less `start`, seconds; negative where the log has them so", "event.duration", ocsf="duration"),
    Added("eni_type", pa.string(), "eni", "Type of the network interface, as EC2 names it", "vpcflow.eni_type", ocsf="enrichments[].data.eni_type"),
    Added("eni_owner_id", pa.string(), "eni", "Account that owns the network interface", "vpcflow.eni_owner_id", ocsf="enrichments[].data.eni_owner_id"),
    Added("eni_description", pa.string(), "eni", "Description of the network interface", "observer.ingress.interface.alias", ocsf="enrichments[].data.eni_description"),
    Added("eni_instance_id", pa.string(), "eni", "Instance the network interface is attached to", "cloud.instance.id", ocsf="enrichments[].data.eni_instance_id"),
    Added("eni_instance_name", pa.string(), "eni", "Name tag of that instance", "cloud.instance.name", ocsf="enrichments[].data.eni_instance_name"),
    Added("eni_vpc_id", pa.string(), "eni", "VPC of the network interface", "vpcflow.eni_vpc_id", ocsf="enrichments[].data.eni_vpc_id"),
    Added("eni_subnet_id", pa.string(), "eni", "Subnet of the network interface", "vpcflow.eni_subnet_id", ocsf="enrichments[].data.eni_subnet_id"),
    Added("eni_az_id", pa.string(), "eni", "Availability Zone id of the network interface", "cloud.availability_zone", ocsf="enrichments[].data.eni_az_id"),
    Added("eni_tags", _TAGS, "eni", "Tags of the network interface, sorted by key", "vpcflow.eni_tags", ocsf="enrichments[].data.eni_tags"),
    Added("security_group_ids", _LIST, "security_groups", "Security groups of the network interface at that time, sorted", "vpcflow.security_group_ids", ocsf="enrichments[].data.security_group_ids"),
    Added("security_group_names", _LIST, "security_groups", "Their names, in the order of the ids", "vpcflow.security_group_names", ocsf="enrichments[].data.security_group_names"),
    Added("inventory_state", pa.string(), "security_groups", "How good the inventory's answer is: `exact`, `nearest`, `stale` or `unknown`", "vpcflow.inventory_state", ocsf="enrichments[].data.inventory_state"),
    Added("inventory_age_s", pa.int64(), "security_groups", "Seconds from the snapshot used to the flow; negative where the snapshot is the later", "vpcflow.inventory_age_s", ocsf="enrichments[].data.inventory_age_s"),
    Added("direction", pa.string(), "direction", "`ingress` or `egress`, seen from the network interface: as logged, else inferred", "network.direction", ocsf="connection_info.direction"),
    Added("direction_basis", pa.string(), "direction", "Where `direction` comes from: `log` or `address`", "vpcflow.direction_basis", ocsf="unmapped.direction_basis"),
    Added("peer_addr", pa.string(), "peer", "Address of the end that is not the network interface", "vpcflow.peer_addr", ocsf="unmapped.peer_addr"),
    Added("peer_port", pa.int32(), "peer", "Port of that end", "vpcflow.peer_port", ocsf="unmapped.peer_port"),
    Added("local_port", pa.int32(), "peer", "Port at the network interface's end", "vpcflow.local_port", ocsf="unmapped.local_port"),
    Added("peer_interface_id", pa.string(), "peer", "Network interface of the peer", "vpcflow.peer_interface_id", ocsf="enrichments[].data.peer_interface_id"),
    Added("peer_security_group_ids", _LIST, "peer", "Security groups of the peer's network interface at that time, sorted", "vpcflow.peer_security_group_ids", ocsf="enrichments[].data.peer_security_group_ids"),
    Added("peer_instance_id", pa.string(), "peer", "Instance of the peer", "vpcflow.peer_instance_id", ocsf="enrichments[].data.peer_instance_id"),
    Added("peer_instance_name", pa.string(), "peer", "Name tag of that instance", "vpcflow.peer_instance_name", ocsf="enrichments[].data.peer_instance_name"),
    Added("peer_vpc_id", pa.string(), "peer", "VPC of the peer", "vpcflow.peer_vpc_id", ocsf="enrichments[].data.peer_vpc_id"),
    Added("peer_scope", pa.string(), "peer", "Where the peer is: see `codes.PEER_SCOPES`", "vpcflow.peer_scope", ocsf="enrichments[].data.peer_scope"),
    Added("peer_network_name", pa.string(), "peer", "Name of the network the peer is in, from the file of named networks", "vpcflow.peer_network_name", ocsf="enrichments[].data.peer_network_name"),
    Added("connection_id", pa.string(), "attribution", "Id that all records of a connection share, both ways and at both ends, 32 hexadecimal digits; written by `vpcflow rules attribute`", "vpcflow.connection_id", ocsf="connection_info.uid"),
    Added("initiator", pa.string(), "initiator", "End that opened the connection: `src` or `dst`", "vpcflow.initiator", ocsf="unmapped.initiator"),
    Added("initiator_basis", pa.string(), "initiator", "Where `initiator` comes from: see `codes.INITIATOR_BASES`", "vpcflow.initiator_basis", ocsf="unmapped.initiator_basis"),
    Added("initiator_confidence", pa.float64(), "initiator", "How likely `initiator` is right, 0 to 1", "vpcflow.initiator_confidence", ocsf="unmapped.initiator_confidence"),
    Added("rule_ids", _LIST, "rules", "Security group rules that admitted the flow at its network interface, sorted", "vpcflow.rule_ids", ocsf="enrichments[].data.rule_ids"),
    Added("rule_match", pa.string(), "rules", "How rules match an accepted flow: see `codes.RULE_MATCHES`", "vpcflow.rule_match", ocsf="enrichments[].data.rule_match"),
    Added("rule_note", pa.string(), "rules", "What is to be said of that: see `codes.RULE_NOTES`", "vpcflow.rule_note", ocsf="enrichments[].data.rule_note"),
    Added("reject_cause", pa.string(), "rules", "Why a flow was rejected: AWS's `reject_reason`, else one of `codes.REJECT_CAUSES`", "vpcflow.reject_cause", ocsf="unmapped.reject_cause"),
    *_geo("src", "source", "the source address"),
    *_geo("dst", "destination", "the destination address"),
    Added("src_aws_service", pa.string(), "aws_service", "AWS service the source address belongs to", "vpcflow.src_aws_service", ocsf="src_endpoint.svc_name"),
    Added("src_aws_region", pa.string(), "aws_service", "Region of that AWS address", "vpcflow.src_aws_region", ocsf="unmapped.src_aws_region"),
    Added("dst_aws_service", pa.string(), "aws_service", "AWS service the destination address belongs to", "vpcflow.dst_aws_service", ocsf="dst_endpoint.svc_name"),
    Added("dst_aws_region", pa.string(), "aws_service", "Region of that AWS address", "vpcflow.dst_aws_region", ocsf="unmapped.dst_aws_region"),
    Added("protocol_name", pa.string(), "names", "IANA keyword of the protocol, lower case", "network.transport", ocsf="connection_info.protocol_name"),
    Added("tcp_flag_names", _LIST, "names", "Names of the TCP flags set, lowest bit first", "aws.vpcflow.tcp_flags_array", ocsf="unmapped.tcp_flag_names"),
    Added("traffic_path_name", pa.string(), "names", "What the traffic path's number means", "vpcflow.traffic_path_name", ocsf="unmapped.traffic_path_name"),
)  # fmt: skip

ADDED_BY_COLUMN: Mapping[str, Added] = MappingProxyType({a.column: a for a in ADDED})
