"""The simulated account as data: VPCs, subnets, security groups, rules, prefix lists, instances, ENIs, flow logs."""

from __future__ import annotations

import ipaddress
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
ZONES = {"us-east-1a": "use1-az1", "us-east-1b": "use1-az2", "us-east-1c": "use1-az4"}

Tags = tuple[tuple[str, str], ...]


class Vpc(NamedTuple):
    """A VPC; the first of ``cidrs`` is its primary block."""

    id: str
    name: str
    cidrs: tuple[str, ...]
    ipv6_cidr: str


class Subnet(NamedTuple):
    """A subnet; ``public`` ones route to the internet gateway, others to the NAT gateway if there is one."""

    id: str
    name: str
    vpc_id: str
    cidr: str
    ipv6_cidr: str
    zone: str
    public: bool


class Group(NamedTuple):
    """A security group."""

    id: str
    name: str
    description: str
    vpc_id: str


class Rule(NamedTuple):
    """
    A security group rule, in AWS's terms: ``protocol`` is ``-1``, ``tcp``, ``udp``, ``icmp`` or ``icmpv6``.

    ``peer`` is a CIDR (IPv4 or IPv6), a prefix list (``pl-…``) or a group (``sg-…``). Ports of ICMP are type and code.
    """

    id: str
    group_id: str
    egress: bool
    protocol: str
    from_port: int
    to_port: int
    peer: str
    description: str


class PrefixList(NamedTuple):
    """A managed prefix list, IPv4; entries are CIDR and description."""

    id: str
    name: str
    owner_id: str
    entries: tuple[tuple[str, str], ...]


class NetworkAclEntry(NamedTuple):
    """A numbered rule of a network ACL, of one direction; its protocol and ports are written as those of a `Rule`."""

    number: int
    egress: bool
    allow: bool
    protocol: str
    from_port: int
    to_port: int
    cidr: str


class NetworkAcl(NamedTuple):
    """A network ACL and the subnets it guards; the lowest number that fits decides."""

    id: str
    name: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    is_default: bool
    entries: tuple[NetworkAclEntry, ...]


class Peering(NamedTuple):
    """A VPC peering connection; packets pass, and references to groups reach, while its status is ``active``."""

    id: str
    name: str
    status: str
    requester_vpc_id: str
    accepter_vpc_id: str


class Instance(NamedTuple):
    """An EC2 instance; its network interfaces name it."""

    id: str
    name: str
    type: str
    tags: Tags


class Eni(NamedTuple):
    """
    A network interface.

    ``ipv4`` holds the private addresses, the primary first, ``prefixes`` delegated IPv4 prefixes. ``requester`` is the
    AWS service that created it, None for the owner's own. ``account_id`` is what its records show (``unknown`` for some
    services'). ``ecs`` maps field names to the values of its ECS task; ``asg`` is its Auto Scaling group.
    """

    id: str
    name: str
    type: str
    description: str
    vpc_id: str
    subnet_id: str
    group_ids: tuple[str, ...]
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]
    prefixes: tuple[str, ...]
    public: str | None
    instance_id: str | None
    requester: str | None
    account_id: str
    tags: Tags
    asg: str | None
    ecs: Mapping[str, str]
    attached: bool


class FlowLog(NamedTuple):
    """A flow log: all traffic of one VPC."""

    id: str
    vpc_id: str


class Network(NamedTuple):
    """All there is in the simulated account."""

    vpcs: tuple[Vpc, ...]
    subnets: tuple[Subnet, ...]
    groups: tuple[Group, ...]
    rules: tuple[Rule, ...]
    prefix_lists: tuple[PrefixList, ...]
    instances: tuple[Instance, ...]
    enis: tuple[Eni, ...]
    flow_logs: tuple[FlowLog, ...]
    network_acls: tuple[NetworkAcl, ...]
    peerings: tuple[Peering, ...]

    def are_peered(self, vpc_id: str, other: str) -> bool:
        """Tell whether an active peering connection joins two VPCs."""
        return any(
            peering.status == "active"
            and {vpc_id, other} == {peering.requester_vpc_id, peering.accepter_vpc_id}
            for peering in self.peerings
        )


class NetworkBuilder:
    """Collects a network: hands out ids that depend on the seed alone, and free addresses of the subnets."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._numbers: dict[str, int] = {}
        self._hosts: dict[str, Iterator[int]] = {}
        self._blocks: dict[str, int] = {}
        self.vpcs: list[Vpc] = []
        self.subnets: dict[str, Subnet] = {}
        self.groups: dict[str, Group] = {}
        self.rules: list[Rule] = []
        self.prefix_lists: list[PrefixList] = []
        self.instances: list[Instance] = []
        self.enis: list[Eni] = []
        self.network_acls: list[NetworkAcl] = []
        self.peerings: list[Peering] = []

    def new_id(self, kind: str) -> str:
        """Make up the next id of a kind: ``eni`` gives ``eni-0`` and 16 hexadecimal digits."""
        number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return f"{kind}-0{digest(f'{self._seed}/{kind}/{number}', 16)}"

    def add_vpc(self, name: str, cidrs: tuple[str, ...], ipv6_cidr: str) -> str:
        self.vpcs.append(Vpc(self.new_id("vpc"), name, cidrs, ipv6_cidr))
        return self.vpcs[-1].id

    def add_subnet(self, name: str, cidr: str, ipv6_cidr: str, zone: str, *, public: bool) -> str:
        """Add a subnet to the VPC added last; as with AWS, its first four addresses are not handed out."""
        subnet_id = self.new_id("subnet")
        block = ipaddress.IPv4Network(cidr)
        self.subnets[subnet_id] = Subnet(
            subnet_id, name, self.vpcs[-1].id, cidr, ipv6_cidr, zone, public
        )
        self._hosts[subnet_id] = iter(range(int(block[4]), int(block[-1])))
        self._blocks[subnet_id] = int(block[-1]) + 1
        return subnet_id

    def next_address(self, subnet_id: str) -> str:
        return str(ipaddress.IPv4Address(next(self._hosts[subnet_id])))

    def next_prefix(self, subnet_id: str) -> str:
        """Hand out a /28 from the end of the subnet."""
        self._blocks[subnet_id] -= 16
        return f"{ipaddress.IPv4Address(self._blocks[subnet_id])}/28"

    def ipv6_of(self, subnet_id: str, ipv4: str) -> str:
        """Make an IPv6 address of the subnet out of an IPv4 one, scattered like those AWS assigns."""
        low = int(digest(f"{self._seed}/{subnet_id}/{ipv4}", 16), 16)
        return str(ipaddress.IPv6Network(self.subnets[subnet_id].ipv6_cidr)[low])

    def add_group(self, name: str, description: str) -> str:
        """Add a security group to the VPC added last; it has no rules yet, not even the default egress rule."""
        group_id = self.new_id("sg")
        self.groups[group_id] = Group(group_id, name, description, self.vpcs[-1].id)
        return group_id

    def allow(
        self,
        group_id: str,
        protocol: str,
        ports: int | tuple[int, int],
        peer: str,
        description: str = "",
        *,
        egress: bool = False,
    ) -> str:
        """Add a rule to a group; a single port is a range of one."""
        low, high = (ports, ports) if isinstance(ports, int) else ports
        rule_id = self.new_id("sgr")
        self.rules.append(Rule(rule_id, group_id, egress, protocol, low, high, peer, description))
        return rule_id

    def allow_all_egress(self, group_id: str) -> None:
        """Add what AWS gives a new group: all traffic to anywhere, IPv4 and IPv6."""
        self.allow(group_id, "-1", -1, "0.0.0.0/0", egress=True)
        self.allow(group_id, "-1", -1, "::/0", egress=True)

    def add_prefix_list(
        self, name: str, entries: tuple[tuple[str, str], ...], owner_id: str = ACCOUNT_ID
    ) -> str:
        self.prefix_lists.append(PrefixList(self.new_id("pl"), name, owner_id, entries))
        return self.prefix_lists[-1].id

    def add_eni(
        self,
        name: str,
        subnet_id: str,
        group_ids: tuple[str, ...],
        *,
        instance_type: str | None = None,
        type: str = "interface",
        description: str = "",
        requester: str | None = None,
        account_id: str = ACCOUNT_ID,
        secondary: int = 0,
        prefixes: int = 0,
        ipv6: bool = False,
        public: str | None = None,
        asg: str | None = None,
        ecs: Mapping[str, str] | None = None,
        attached: bool = True,
        tags: Tags = (),
    ) -> Eni:
        """Add a network interface, and with ``instance_type`` the instance it is the primary interface of."""
        addresses = tuple(self.next_address(subnet_id) for _ in range(1 + secondary))
        tags = (("Name", name), *tags) if requester is None else tags
        instance_id = None
        if instance_type is not None:
            extra = (("aws:autoscaling:groupName", asg),) if asg else ()
            instance_id = self.new_id("i")
            self.instances.append(Instance(instance_id, name, instance_type, (*tags, *extra)))
        eni = Eni(
            id=self.new_id("eni"),
            name=name,
            type=type,
            description=description,
            vpc_id=self.subnets[subnet_id].vpc_id,
            subnet_id=subnet_id,
            group_ids=tuple(sorted(group_ids)),
            ipv4=addresses,
            ipv6=(self.ipv6_of(subnet_id, addresses[0]),) if ipv6 else (),
            prefixes=tuple(self.next_prefix(subnet_id) for _ in range(prefixes)),
            public=public,
            instance_id=instance_id,
            requester=requester,
            account_id=account_id,
            tags=tags,
            asg=asg,
            ecs=ecs or {},
            attached=attached,
        )
        self.enis.append(eni)
        return eni

    def add_network_acl(
        self, name: str, subnet_ids: tuple[str, ...], entries: tuple[NetworkAclEntry, ...]
    ) -> None:
        """Add a network ACL for subnets of one VPC; what ``entries`` don't allow is denied."""
        vpc_id = self.subnets[subnet_ids[0]].vpc_id
        self._add_acl(name, vpc_id, subnet_ids, entries)

    def add_peering(
        self, name: str, requester_vpc_id: str, accepter_vpc_id: str, *, status: str = "active"
    ) -> None:
        self.peerings.append(
            Peering(self.new_id("pcx"), name, status, requester_vpc_id, accepter_vpc_id)
        )

    def build(self) -> Network:
        """Give the network, with a flow log for each VPC and the default network ACL of the other subnets."""
        guarded = {subnet_id for acl in self.network_acls for subnet_id in acl.subnet_ids}
        for vpc in self.vpcs:
            others = [s.id for s in self.subnets.values() if s.vpc_id == vpc.id]
            others = [subnet_id for subnet_id in others if subnet_id not in guarded]
            self._add_acl("", vpc.id, tuple(others), _ALL_ALLOWED, is_default=True)
        return Network(
            vpcs=tuple(self.vpcs),
            subnets=tuple(self.subnets.values()),
            groups=tuple(self.groups.values()),
            rules=tuple(self.rules),
            prefix_lists=tuple(self.prefix_lists),
            instances=tuple(self.instances),
            enis=tuple(self.enis),
            flow_logs=tuple(FlowLog(self.new_id("fl"), vpc.id) for vpc in self.vpcs),
            network_acls=tuple(self.network_acls),
            peerings=tuple(self.peerings),
        )

    def _add_acl(
        self,
        name: str,
        vpc_id: str,
        subnet_ids: tuple[str, ...],
        entries: tuple[NetworkAclEntry, ...],
        *,
        is_default: bool = False,
    ) -> None:
        every = (*entries, *_LAST_DENIED)
        ordered = tuple(sorted(every, key=lambda e: (e.egress, e.number)))
        self.network_acls.append(
            NetworkAcl(self.new_id("acl"), name, vpc_id, subnet_ids, is_default, ordered)
        )


def _for_all(number: int, *, allow: bool) -> tuple[NetworkAclEntry, ...]:
    """Make an entry for all traffic in each direction; the next number is IPv6's."""
    return tuple(
        NetworkAclEntry(number + i, egress, allow, "-1", -1, -1, cidr)
        for egress in (False, True)
        for i, cidr in enumerate(("0.0.0.0/0", "::/0"))
    )


_ALL_ALLOWED, _LAST_DENIED = _for_all(100, allow=True), _for_all(32_767, allow=False)


def digest(text: str, digits: int) -> str:
    """Give that many hexadecimal digits that depend on the text alone, at most 128."""
    return blake2b(text.encode()).hexdigest()[:digits]
