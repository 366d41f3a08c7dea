"""Which flow logs record the traffic of an interface: its own, its subnet's and its VPC's."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpcflow.inventory import FlowLog, Inventory


class FlowLogsOf:
    """Finds the flow logs an inventory knows, by what they record."""

    def __init__(self, inventory: Inventory) -> None:
        self._of_resource: dict[str, list[FlowLog]] = defaultdict(list)
        for flow_log in inventory.flow_logs:
            if flow_log.resource_id is not None:
                self._of_resource[flow_log.resource_id].append(flow_log)
        self._resources: dict[str, dict[str, None]] = defaultdict(dict)
        for version in inventory.versions:
            eni = version.eni
            for resource in (eni.interface_id, eni.subnet_id, eni.vpc_id):
                if resource is not None:
                    self._resources[eni.interface_id][resource] = None

    def interface(self, interface_id: str) -> list[FlowLog]:
        """Give those of an interface; none where the inventory knows of none."""
        resources = self._resources.get(interface_id) or (interface_id,)
        return [log for resource in resources for log in self._of_resource.get(resource, ())]
