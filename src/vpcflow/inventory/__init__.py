"""
The inventory: network interfaces, security groups and the rest of a VPC, and who owned what, when.

`load_inventory` reads what the AWS CLI printed, a snapshot of ours, or a directory of snapshots (a history); every
lookup is one at the time of the flow, and says how good its answer is.
"""

from vpcflow.inventory.as_of import NO_TIME, Interfaces, distinct_numbers
from vpcflow.inventory.connectivity import (
    NetworkAcl,
    NetworkAclEntry,
    PeeredVpc,
    TransitGateway,
    TransitGatewayAttachment,
    VpcPeeringConnection,
)
from vpcflow.inventory.history import History, Validity
from vpcflow.inventory.holdings import networks_of
from vpcflow.inventory.inventory import Inventory
from vpcflow.inventory.load import import_captures, load_inventory
from vpcflow.inventory.merge import merge_snapshots
from vpcflow.inventory.model import (
    ConnectionTracking,
    Eni,
    FlowLog,
    GroupRef,
    Instance,
    PrefixList,
    PrefixListEntry,
    PrivateAddress,
    SecurityGroup,
    SecurityGroupRule,
    Snapshot,
    Subnet,
    Vpc,
)
from vpcflow.inventory.networks import Located
from vpcflow.inventory.snapshots import file_name as snapshot_file_name
from vpcflow.inventory.snapshots import text_of as text_of_time
from vpcflow.inventory.snapshots import write_snapshot
from vpcflow.inventory.table import EniVersion, InterfaceTable

__all__ = [
    "NO_TIME",
    "ConnectionTracking",
    "Eni",
    "EniVersion",
    "FlowLog",
    "GroupRef",
    "History",
    "Instance",
    "InterfaceTable",
    "Interfaces",
    "Inventory",
    "Located",
    "NetworkAcl",
    "NetworkAclEntry",
    "PeeredVpc",
    "PrefixList",
    "PrefixListEntry",
    "PrivateAddress",
    "SecurityGroup",
    "SecurityGroupRule",
    "Snapshot",
    "Subnet",
    "TransitGateway",
    "TransitGatewayAttachment",
    "Validity",
    "Vpc",
    "VpcPeeringConnection",
    "distinct_numbers",
    "import_captures",
    "load_inventory",
    "merge_snapshots",
    "networks_of",
    "snapshot_file_name",
    "text_of_time",
    "write_snapshot",
]
